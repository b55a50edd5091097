"""Writes Fixtures/tokenizers: tiny tokenizers of every kind, and what their own libraries make of texts.

    python -m venv .build/oracle-tokenizers
    .build/oracle-tokenizers/bin/pip install -r Tools/oracle/requirements-tokenizers.txt
    .build/oracle-tokenizers/bin/python Tools/oracle/tokenizer_files.py

Training is deterministic but for sentencepiece's and the unigram trainer's choices among equals: new files may
differ from those that are committed, and then so do the expected tokens beside them.
"""

import base64
import json
import random
import shutil
import tempfile
from pathlib import Path

import sentencepiece
import tiktoken
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers import decoders as D
from tokenizers import models as M
from tokenizers import normalizers as N
from tokenizers import pre_tokenizers as P
from tokenizers import processors as O
from tokenizers import trainers as T
from transformers import BertTokenizerFast, GPT2TokenizerFast, MarianTokenizer

TARGET = Path(__file__).resolve().parents[2] / "Fixtures" / "tokenizers"

CORPUS = """
the model reads a text and the text becomes tokens ; a token is a piece of a word , or a whole word .
The weights are read lazily, tensor by tensor, and they're compared with those of the other file.
It isn't there? We've looked for it: I'll say what's missing, and he'd say why it can't be found!
numbers such as 1, 12, 123, 1234 and 12345 are cut in groups ; 3.14159 is none of them (or is it?).
def attention(query, key, value): return softmax(query @ key.T / sqrt(dim)) @ value  # scores
Größe, Übung, naïve café, façade, señor, Ångström, smørrebrød, žluťoučký kůň, İstanbul, ﬁne ﬂow
Привет, мир! Модель читает текст и делит его на части. Γειά σου, Κόσμε. Բարեւ աշխարհ. გამარჯობა
你好，世界。今天天气很好，我们读一篇文章。こんにちは世界、モデルはテキストを読みます。안녕하세요 세계 모델
مرحبا بالعالم هذا نص قصير שלום עולם זה טקסט קצר नमस्ते दुनिया यह एक पाठ है สวัสดีชาวโลก ወደ ዓለም
""".strip().split("\n") * 3

TEXTS = [
    "",
    " ",
    "Hello, world!",
    "  two  spaces   before\tand\nlines\r\n\r\nend ",
    "They're here, I'VE said; it'ſ won't 'd 'LL",
    "naïve café Ångström e\u0301 a\u0327\u0301 \u0301 ﬁ ﷺ Å K ſ İ ß",
    "Привет, мир! Γειά σου Բարեւ გამარჯობა",
    "你好，世界。今天天气 こんにちは世界 カタカナ 한국어 가",
    "مرحبا بالعالم שלום नमस्ते दुनिया สวัสดี ወደ",
    "👩‍👩‍👧‍👧 🇩🇪 😀!! \u200d \ufe0f",
    "123 1234567 ٣٤٥ ½ ² x9y",
    "NUL \0 bell \a del \x7f nel \x85 nbsp \xa0 mvs \u180e zwsp \u200b ls \u2028 bom \ufeff ideo \u3000.",
    "\ufffd \ue000 \U000f0000 \U0001d15e \u1100\u1161\u11a8",
    "a_b-c/d\\e (f) [g] {h} <i> #j $k %l ^m &n *o +p =q |r ~s `t",
    "<s>one</s> <mask>two <mask> [MASK] [CLS] <|endoftext|><|im_start|>x Foo fooFoo <0x41> ▁ ▁▁x",
    "    def attention(query):\n        return 3.14159\n\n\n",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa the",
    "unknownword Unknownwordagain supercalifragilistic",
    " \n \n\tx ",
]
PAIRS = [("Hello, world!", "the model reads"), ("  a", " b "), ("naïve", "你好")]

CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
ENDING = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
O200K = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{ENDING}|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{ENDING}"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
BYTES = dict(initial_alphabet=sorted(P.ByteLevel.alphabet()), vocab_size=400, show_progress=False)
BYTE_WORDS = [f"<0x{byte:02X}>" for byte in range(256)]


def bpe(trainer, normalizer=None, pre=None, decoder=None, post=None, added=(), **model):
    tokenizer = Tokenizer(M.BPE(**model))
    if normalizer:
        tokenizer.normalizer = normalizer
    if pre:
        tokenizer.pre_tokenizer = pre
    if decoder:
        tokenizer.decoder = decoder
    tokenizer.train_from_iterator(CORPUS, T.BpeTrainer(**trainer))
    if post:
        tokenizer.post_processor = post(tokenizer.token_to_id)
    for token in added:
        (tokenizer.add_special_tokens if token.special else tokenizer.add_tokens)([token])
    return tokenizer


def plain(special, **more):
    return dict(special_tokens=special, vocab_size=500, show_progress=False, **more)


def bytes_after(expression):
    return P.Sequence(
        [P.Split(Regex(expression), "isolated"), P.ByteLevel(add_prefix_space=False, use_regex=False)]
    )


def byte_level():
    special = ["<|endoftext|>"]
    yield "gpt2", bpe(
        BYTES | dict(special_tokens=special), pre=P.ByteLevel(add_prefix_space=False),
        decoder=D.ByteLevel(), post=lambda _: O.ByteLevel(trim_offsets=False),
    )
    yield "roberta", bpe(
        BYTES | dict(special_tokens=["<s>", "<pad>", "</s>", "<unk>"]),
        pre=P.ByteLevel(add_prefix_space=True), decoder=D.ByteLevel(),
        post=lambda id: O.RobertaProcessing(("</s>", id("</s>")), ("<s>", id("<s>"))),
        added=[AddedToken("<mask>", lstrip=True, special=True)],
    )
    yield "llama3", bpe(
        BYTES | dict(special_tokens=["<|b|>"]), pre=bytes_after(CL100K), decoder=D.ByteLevel(),
        post=lambda id: O.Sequence([
            O.ByteLevel(trim_offsets=True),
            O.TemplateProcessing("<|b|> $A", "<|b|> $A <|b|> $B:1", [("<|b|>", id("<|b|>"))]),
        ]),
        ignore_merges=True,
    )
    yield "qwen", bpe(
        BYTES | dict(special_tokens=special), normalizer=N.NFC(),
        pre=bytes_after(CL100K.replace("{1,3}", "")), decoder=D.ByteLevel(),
        added=[AddedToken("<|im_start|>", special=True), AddedToken("<i>", normalized=False)],
    )
    yield "o200k", bpe(
        BYTES | dict(special_tokens=special), pre=bytes_after(O200K), decoder=D.ByteLevel()
    )
    yield "bytes-normalized", bpe(
        BYTES | dict(special_tokens=special), normalizer=N.Sequence([N.NFD(), N.ByteLevel()]),
        pre=P.Split(Regex("Ġ"), "merged_with_next"), decoder=D.ByteLevel(),
    )
    yield "pieces", bpe(
        BYTES | dict(special_tokens=special),
        normalizer=N.Sequence([N.Replace(Regex("a+"), "äé"), N.Replace("b", "")]),
        pre=P.Sequence([
            P.CharDelimiterSplit("e"), P.Split("i", "merged_with_previous"),
            P.Punctuation("merged_with_next"), P.ByteLevel(add_prefix_space=True),
        ]),
        decoder=D.ByteLevel(), post=lambda _: O.ByteLevel(trim_offsets=True),
    )


def words():
    spaced = D.Sequence([D.Replace("▁", " "), D.ByteFallback(), D.Fuse(), D.Strip(" ", 1, 0)])
    yield "llama2", bpe(
        plain(["<unk>", "<s>", "</s>", *BYTE_WORDS]),
        normalizer=N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")]), decoder=spaced,
        post=lambda id: O.TemplateProcessing("<s> $A", "<s> $A <s>:1 $B:1", [("<s>", id("<s>"))]),
        unk_token="<unk>", fuse_unk=True, byte_fallback=True,
    )
    yield "metaspace", bpe(
        plain(["<unk>", "<s>"]), pre=P.Metaspace(prepend_scheme="first"),
        decoder=D.Metaspace(prepend_scheme="first"), unk_token="<unk>",
        added=[
            AddedToken("<i>", normalized=True, single_word=True),
            AddedToken("Foo", lstrip=True, rstrip=True),
        ],
    )
    yield "gpt1", bpe(
        plain(["<unk>"], end_of_word_suffix="</w>"), normalizer=N.BertNormalizer(),
        pre=P.BertPreTokenizer(), decoder=D.BPEDecoder(suffix="</w>"), unk_token="<unk>",
        end_of_word_suffix="</w>",
    )
    yield "prefix", bpe(
        plain(["<unk>"], continuing_subword_prefix="@@"),
        normalizer=N.Sequence([N.NFKD(), N.StripAccents(), N.Strip(True, True)]),
        pre=P.Sequence([P.WhitespaceSplit(), P.Digits(True), P.Punctuation("contiguous")]),
        unk_token="<unk>", continuing_subword_prefix="@@",
    )
    yield "nmt", bpe(
        plain(["[UNK]"]),
        normalizer=N.Sequence([N.Nmt(), N.NFKC(), N.Lowercase(), N.Strip(True, False)]),
        pre=P.Sequence([P.Whitespace(), P.Digits(False), P.FixedLength(7)]), unk_token="[UNK]",
        added=[AddedToken("Foo"), AddedToken("[CLS]", special=True, normalized=True)],
    )
    tokenizer = Tokenizer(M.WordLevel(unk_token="<unk>"))
    tokenizer.pre_tokenizer, tokenizer.decoder = P.Whitespace(), D.CTC()
    tokenizer.train_from_iterator(
        CORPUS, T.WordLevelTrainer(vocab_size=99, show_progress=False, special_tokens=["<unk>"])
    )
    yield "words", tokenizer


def word_pieces():
    for name, normalizer in (
        ("bert", N.BertNormalizer()),
        ("bert-cased", N.BertNormalizer(lowercase=False, strip_accents=False)),
    ):
        tokenizer = Tokenizer(M.WordPiece(unk_token="[UNK]", max_input_chars_per_word=40))
        tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, P.BertPreTokenizer()
        tokenizer.decoder = D.WordPiece()
        tokenizer.train_from_iterator(
            CORPUS,
            T.WordPieceTrainer(
                vocab_size=500, show_progress=False,
                special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
            ),
        )
        if name == "bert":
            tokenizer.post_processor = O.TemplateProcessing(
                "[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
                [("[CLS]", 2), ("[SEP]", 3)],
            )
            tokenizer.enable_truncation(24, strategy="longest_first")
            tokenizer.enable_padding(length=12)
        else:
            tokenizer.post_processor = O.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
            tokenizer.enable_truncation(20, strategy="only_first", direction="left")
            tokenizer.enable_padding(pad_to_multiple_of=8, direction="left", pad_type_id=1)
        yield name, tokenizer


def unigrams(charsmap):
    def make(normalizer, pre, decoder, post=None):
        tokenizer = Tokenizer(M.Unigram())
        if normalizer:
            tokenizer.normalizer = normalizer
        tokenizer.pre_tokenizer, tokenizer.decoder = pre, decoder
        tokenizer.train_from_iterator(
            CORPUS,
            T.UnigramTrainer(
                vocab_size=400, show_progress=False, special_tokens=["<unk>", "<s>", "</s>"],
                unk_token="<unk>",
            ),
        )
        if post:
            tokenizer.post_processor = post
        return tokenizer

    end = O.TemplateProcessing("$A </s>", "$A </s> $B </s>", [("</s>", 2)])
    yield "t5", make(
        N.Sequence([N.Precompiled(charsmap), N.Replace(Regex(" {2,}"), " ")]), P.Metaspace(),
        D.Metaspace(), end,
    )
    known = json.loads(
        make(N.NFKC(), P.Metaspace(prepend_scheme="never", split=False),
             D.Sequence([D.ByteFallback(), D.Metaspace(prepend_scheme="never")])).to_str()
    )
    known["model"]["byte_fallback"] = True
    known["model"]["vocab"] += [[word, 0.0] for word in BYTE_WORDS]
    yield "unigram-bytes", Tokenizer.from_str(json.dumps(known))


def overlaps():
    """Added tokens that take spaces around them which are a part of others."""
    tokenizer = Tokenizer(M.WordLevel({"<unk>": 0, "x": 1, "the": 2}, unk_token="<unk>"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = N.Replace("q", "qq"), P.WhitespaceSplit()
    tokenizer.add_tokens([
        AddedToken("foo", rstrip=True, normalized=False), AddedToken(" bar", normalized=False),
        AddedToken("  ", normalized=False),
        AddedToken("baz", lstrip=True, rstrip=True, normalized=False),
        AddedToken("\t\t", single_word=True, normalized=False), AddedToken("q x", normalized=True),
    ])
    return tokenizer


def overlaps_of(tokenizer):
    parts = ["foo", " bar", "  ", "baz", " ", "\t\t", "x", "q", "q x", "the", "\n"]
    source = random.Random(2)
    for _ in range(60):
        text = "".join(source.choices(parts, k=source.randint(2, 9)))
        try:
            e = tokenizer.encode(text)
        except BaseException:  # the library panics where a token would end before it begins
            continue
        yield dict(text=text, pair=None, special=True, ids=e.ids, offsets=e.offsets,
                   words=e.word_ids, types=e.type_ids, mask=e.special_tokens_mask,
                   attention=e.attention_mask, tokens=e.tokens, decoded=tokenizer.decode(e.ids))


TIES = 26


def near_ties():
    """Pieces of which two ways have nearly the same score: the last bit of a score, as tokenizers reads it from
    the file, says which is taken. Each letter x has `x`, `xx` and a piece before them."""
    source = random.Random(1)
    vocab = [["<unk>", -30.0], ["▁", -3.0]]
    for number in range(TIES):
        letter, before = chr(ord("a") + number), chr(ord("A") + number)
        while True:
            first, one, two = (-source.uniform(4, 12) for _ in range(3))
            if (first + one) + two != (first + two) + one:
                break
        vocab += [[before, first], [letter, one], [letter * 2, two]]
    made = dict(
        version="1.0", truncation=None, padding=None, added_tokens=[], normalizer=None,
        pre_tokenizer=None, post_processor=None, decoder=None,
        model=dict(type="Unigram", unk_id=0, vocab=vocab),
    )
    return json.dumps(made, ensure_ascii=False)


def ties_of(tokenizer):
    """Each text is one pair of ways; all of them together are the last."""
    texts = [f"{chr(ord('A') + n)}{chr(ord('a') + n) * 3}" for n in range(TIES)]
    for text in [*texts, "".join(texts)]:
        e = tokenizer.encode(text)
        yield dict(text=text, pair=None, special=True, ids=e.ids, offsets=e.offsets,
                   decoded=tokenizer.decode(e.ids))


def cases():
    for text in TEXTS:
        yield text, None, True
    for text, pair in PAIRS:
        yield text, pair, True
    yield TEXTS[2], None, False


def expected_of(tokenizer):
    for text, pair, special in cases():
        try:
            e = tokenizer.encode(text, pair, add_special_tokens=special)
        except Exception:
            # What a strategy of truncation cannot do.
            yield dict(text=text, pair=pair, special=special, refused=True)
            continue
        yield dict(
            text=text, pair=pair, special=special, ids=e.ids, offsets=e.offsets, words=e.word_ids,
            types=e.type_ids, mask=e.special_tokens_mask, attention=e.attention_mask,
            tokens=e.tokens, decoded=tokenizer.decode(e.ids),
            decodedAll=tokenizer.decode(e.ids, skip_special_tokens=False),
        )


def write(folder, expected):
    lines = ",\n".join(json.dumps(e, ensure_ascii=True, separators=(",", ":")) for e in expected)
    (folder / "expected.json").write_text(f"[\n{lines}\n]\n")


def folder(name):
    path = TARGET / name
    path.mkdir(parents=True)
    return path


def train_pieces(scratch, name, **options):
    corpus = scratch / "corpus.txt"
    corpus.write_text("\n".join(CORPUS))
    rules = scratch / "rules.tsv"
    rules.write_text("C5\t41 30A\nFB01\t66 69\n3000\t20\n9\t20\nA\t20\n41\t61\n63 61\t6B 61\n63 61 66\t6B\n")
    if "normalization_rule_name" not in options:
        options["normalization_rule_tsv"] = str(rules)
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(scratch / name), vocab_size=600, minloglevel=2,
        hard_vocab_limit=False, character_coverage=0.98, num_threads=1, **options,
    )
    return (scratch / f"{name}.model").read_bytes()


def piece_models(scratch):
    yield "unigram", train_pieces(scratch, "unigram", model_type="unigram")
    yield "bpe", train_pieces(scratch, "bpe", model_type="bpe", normalization_rule_name="identity")
    yield "unigram-bytes", train_pieces(
        scratch, "ub", model_type="unigram", byte_fallback=True, user_defined_symbols=["<i>", "Foo"]
    )
    yield "bpe-bytes", train_pieces(
        scratch, "bb", model_type="bpe", byte_fallback=True, remove_extra_whitespaces=False,
        user_defined_symbols=["<i>", "Foo", "  "],
    )
    yield "suffix", train_pieces(
        scratch, "suffix", model_type="unigram", treat_whitespace_as_suffix=True
    )
    yield "no-space", train_pieces(scratch, "none", model_type="bpe", add_dummy_prefix=False)
    # Symbols of several bytes a character, and long ones, which are taken before any pieces.
    yield "symbols", train_pieces(
        scratch, "symbols", model_type="unigram", normalization_rule_name="identity",
        user_defined_symbols=["\u2581\u2581x", "世界", "th", "unknownword", "aaaaa", "Å"],
    )


def expected_of_pieces(model):
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    for text in TEXTS:
        pieces = processor.encode(text, return_type="proto").pieces
        ids = [piece.id for piece in pieces]
        yield dict(
            text=text, pair=None, special=True, ids=ids, bytes=[[p.begin, p.end] for p in pieces],
            decoded=processor.decode(ids),
        )


def rank_files():
    """Ranks of the words of tiny tokenizers, in the order of their ids."""
    for name, cut in (("gpt2", GPT2), ("cl100k", CL100K), ("o200k", O200K)):
        made = bpe(BYTES, pre=bytes_after(cut.replace("++", "+")))
        letters = {c: b for b, c in byte_letters().items()}
        words = sorted(made.get_vocab().items(), key=lambda item: item[1])
        ranks = {bytes(letters[c] for c in word): rank for word, rank in words}
        yield name, ranks, tiktoken.Encoding(
            name, pat_str=cut, mergeable_ranks=ranks, special_tokens={}
        )


def byte_letters():
    kept = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in kept]
    return {b: chr(b) for b in kept} | {b: chr(0x100 + i) for i, b in enumerate(rest)}


def expected_of_ranks(encoding):
    for text in TEXTS:
        ids = encoding.encode_ordinary(text)
        yield dict(text=text, pair=None, special=True, ids=ids, decoded=encoding.decode(ids))


def main():
    shutil.rmtree(TARGET, ignore_errors=True)
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        models = dict(piece_models(scratch))
    proto = sentencepiece_model_pb2.ModelProto.FromString(models["unigram"])
    charsmap = proto.normalizer_spec.precompiled_charsmap
    for name, tokenizer in (*byte_level(), *words(), *word_pieces(), *unigrams(charsmap)):
        path = folder(name)
        text = tokenizer.to_str(pretty=False)
        (path / "tokenizer.json").write_text(text)
        write(path, expected_of(tokenizer))
    for name, model in models.items():
        path = folder(f"sentencepiece-{name}")
        (path / "tokenizer.model").write_bytes(model)
        write(path, expected_of_pieces(model))
    for name, ranks, encoding in rank_files():
        path = folder(f"tiktoken-{name}")
        lines = (f"{base64.b64encode(word).decode()} {rank}\n" for word, rank in ranks.items())
        (path / f"{name}.tiktoken").write_text("".join(lines))
        write(path, expected_of_ranks(encoding))
    path = folder("added-overlaps")
    (path / "tokenizer.json").write_text(overlaps().to_str(pretty=False))
    write(path, overlaps_of(overlaps()))
    path = folder("unigram-ties")
    (path / "tokenizer.json").write_text(near_ties())
    write(path, ties_of(Tokenizer.from_file(str(path / "tokenizer.json"))))
    old_files()
    numbered()


def numbered():
    """A sentencepiece model whose pieces have the ids of a vocab.json, which lacks some and has others."""
    path = folder("numbered")
    model = (TARGET / "sentencepiece-unigram/tokenizer.model").read_bytes()
    for name in ("source.spm", "target.spm"):
        (path / name).write_bytes(model)
    pieces = [p.piece for p in sentencepiece_model_pb2.ModelProto.FromString(model).pieces]
    kept = [p for i, p in enumerate(pieces) if p not in ("<s>", "</s>", "<unk>") and i % 29]
    kept += [">>fra<<", ">>pt_BR<<", "\u2581other", "language"]
    random.Random(5).shuffle(kept)
    words = ["</s>", "<unk>", *kept, "<pad>"]
    (path / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    made = MarianTokenizer(
        source_spm=str(path / "source.spm"), target_spm=str(path / "target.spm"),
        vocab=str(path / "vocab.json"))
    (path / "target.spm").unlink()
    texts = [*TEXTS, ">>fra<< Hello, world!", ">>pt_BR<<cab", "a b </s> c"]
    write(path, [
        dict(text=text, pair=None, special=True, ids=ids, decoded=made.decode(ids, skip_special_tokens=True))
        for text in texts for ids in [made(text)["input_ids"]]
    ])


def old_files():
    """The files of before tokenizer.json, read by transformers."""
    path = folder("vocab-txt")
    vocabulary = json.loads((TARGET / "bert/tokenizer.json").read_text())["model"]["vocab"]
    ordered = sorted(vocabulary, key=vocabulary.get)
    (path / "vocab.txt").write_text("".join(f"{word}\n" for word in ordered))
    write(path, expected_of(BertTokenizerFast(vocab=str(path / "vocab.txt")).backend_tokenizer))
    path = folder("vocab-merges")
    model = json.loads((TARGET / "gpt2/tokenizer.json").read_text())["model"]
    (path / "vocab.json").write_text(json.dumps(model["vocab"], ensure_ascii=False))
    merges = "".join(f"{a} {b}\n" for a, b in model["merges"])
    (path / "merges.txt").write_text("#version: 0.2\n" + merges)
    made = GPT2TokenizerFast(vocab=str(path / "vocab.json"), merges=str(path / "merges.txt"))
    write(path, expected_of(made.backend_tokenizer))


if __name__ == "__main__":
    main()
