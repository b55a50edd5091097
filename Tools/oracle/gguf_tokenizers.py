"""Writes Fixtures/containers/gguf/tokenizers: python Tools/oracle/gguf_tokenizers.py FOLDER

FOLDER is a copy of llama.cpp, as for gguf_names.py. Tiny tokenizers: three that pair bytes and cut texts as Llama 3, Qwen2 and
GPT-2 do, trained by `tokenizers`, and one of pieces, trained by `sentencepiece`. Beside each stand

- tokenizer.json: what it was trained to; of pieces, what `transformers` makes of the tokenizer.model (`LlamaConverter`, with
  spaces as the tokenizers of Llama 2 have them);
- tokenizer_config.json;
- model.gguf: a random Llama with these words, by llama.cpp's own converter, but for the name of the way of cutting, which it
  finds by a digest of ids that only the real tokenizers give;
- expected.json: the key-values about the tokenizer in it;
- texts.json: texts, and the ids that the tokenizer gives them.

Three more likewise: `bert` and `bert-cased`, pieces of words, the latter with capitals and without accents, and `t5`, pieces that
are chosen by their scores, with a word that was added.
"""

import json
import shutil
import tempfile
from pathlib import Path

import sentencepiece
import torch
from sentencepiece import sentencepiece_model_pb2
from exact import FIXTURES
from fixture import randomise
from gguf_names import conversion, gguf
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)
from transformers.convert_slow_tokenizer import LlamaConverter, T5Converter, generate_merges

FOLDER = FIXTURES / "containers" / "gguf" / "tokenizers"
SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEXT = ["The quick brown fox jumps over the lazy dog, 12345 times.", "It's a café; naïve résumés cost 99 €."] * 3
# What T5's pieces write otherwise, as lines of a table of SentencePiece: all of NFKC is 240 kB.
RULES = [("9", "20"), ("a", "20"), ("3000", "20"), ("67 301", "1f5"), ("65 301", "e9"), ("fb01", "66 69"), ("2460", "31")]
TEXTS = TEXT[:2] + ["  two  spaces\n\n\tand a tab", "<|end|>We'RE 1234567 日本語 🚀<think> x", " ", "fox<|looks_special|>fox", "<s>[PAD299]"]
PIECE_TEXTS = TEXTS + ["the<extra>fox", "THE Dog\u0301s' 12345 résumés!", "ﬁve ①  \u3000 fox　", "[MASK] the</s>dog ", "日本"]
WORDS = 400


def cutting(name):
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=name == "gpt-2")
    if name == "gpt-2":
        return level
    split = pre_tokenizers.Split(Regex(SPLIT.format("{1,3}" if name == "llama-bpe" else "")), "isolated")
    return pre_tokenizers.Sequence([split, level])


def pairs(name, folder):
    result = Tokenizer(models.BPE(ignore_merges=name == "llama-bpe"))
    result.pre_tokenizer = cutting(name)
    result.decoder = decoders.ByteLevel()
    if name == "qwen2":
        result.normalizer = normalizers.NFC()
    trainer = trainers.BpeTrainer(vocab_size=280, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    result.train_from_iterator(TEXT, trainer)
    result.add_special_tokens([AddedToken("<|end|>", special=True, normalized=False)])
    result.add_tokens([AddedToken("<think>", normalized=False), AddedToken("<|looks_special|>", normalized=False)])
    if name == "llama-bpe":
        result.post_processor = processors.TemplateProcessing("<|end|> $A", "<|end|> $A <|end|>:1 $B:1", [("<|end|>", 280)])
    else:
        result.post_processor = processors.ByteLevel(trim_offsets=False)
    result.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|end|>"}
    if name == "llama-bpe":
        settings["bos_token"] = "<|end|>"
    return settings, 280, 280 if name == "llama-bpe" else None


def converted(file):
    """As LlamaConverter does it, which passes its scores on no more (5.23)."""
    processor = sentencepiece.SentencePieceProcessor(str(file))
    ids = range(processor.GetPieceSize())
    vocabulary = {processor.IdToPiece(id): id for id in ids}
    scores = {processor.IdToPiece(id): processor.GetScore(id) for id in ids}
    special = [word for word, id in vocabulary.items() if processor.IsControl(id) or processor.IsUnknown(id)]
    others = [word for word, id in vocabulary.items() if processor.IsByte(id)] + special + ["<think>"]
    merges = generate_merges(vocabulary, scores, skip_tokens=others)
    result = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    own = LlamaConverter.__new__(LlamaConverter)
    own.original_tokenizer = None
    result.normalizer = own.normalizer(None)
    result.decoder = own.decoder("\u2581", True)
    result.add_special_tokens([AddedToken(word, special=True, normalized=False) for word in special])
    result.add_tokens([AddedToken("<think>", normalized=False)])
    result.post_processor = processors.TemplateProcessing("<s> $A", "<s> $A <s>:1 $B:1", [("<s>", 1)])
    return result


def pieces(folder, temporary):
    text = temporary / "text.txt"
    text.write_text("\n".join(TEXT))
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(temporary / "m"), vocab_size=396, model_type="bpe", byte_fallback=True,
        character_coverage=0.98, normalization_rule_name="identity", remove_extra_whitespaces=False,
        split_digits=True, allow_whitespace_only_pieces=True,
        user_defined_symbols=["<think>"], minloglevel=2,
    )  # fmt: skip
    file = temporary / "m.model"
    converted(file).save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
        "add_bos_token": True, "add_eos_token": False,
    }  # fmt: skip
    kinds = {"normalized": False, "lstrip": False, "rstrip": False, "single_word": False}
    settings["added_tokens_decoder"] = {
        str(id): kinds | {"content": word, "special": id < 3} for id, word in enumerate(["<unk>", "<s>", "</s>", "<think>"])
    }
    return settings, 2, 1, file


def model(folder, end, beginning, words):
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=words, hidden_size=8, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, tie_word_embeddings=True, max_position_embeddings=64, eos_token_id=end,
        bos_token_id=beginning, pad_token_id=None,
    )  # fmt: skip
    result = LlamaForCausalLM(config)
    randomise(result, 7, lambda name: (1.0, 0.2) if "norm" in name else (0.0, 0.5))
    result.save_pretrained(folder)


def convert(name, source, file, architecture="LlamaForCausalLM"):
    kind = conversion.get_model_class(architecture)
    with torch.inference_mode():
        converter = kind(source, gguf.LlamaFileType.ALL_F32, file, eager=True, model_name="tiny")
        converter.get_vocab_base_pre = lambda _: name
        converter.write()


def cased_word_pieces(source):
    return word_pieces(source, normalizers.BertNormalizer(lowercase=False, strip_accents=True))


def word_pieces(source, normalizer=None):
    """BERT's, and a tiny BERT."""
    result = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    result.normalizer = normalizer or normalizers.BertNormalizer(lowercase=True)
    result.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=140, special_tokens=marks, show_progress=False)
    result.train_from_iterator(TEXT, trainer)
    result.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    result.decoder = decoders.WordPiece()
    result.save(str(source / "tokenizer.json"))
    settings = {f"{mark[1:-1].lower()}_token": mark for mark in marks} | {"tokenizer_class": "PreTrainedTokenizerFast"}
    (source / "tokenizer_config.json").write_text(json.dumps(settings))
    config = BertConfig(
        vocab_size=result.get_vocab_size(), hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=8, max_position_embeddings=64, type_vocab_size=2,
    )  # fmt: skip
    BertModel(config, add_pooling_layer=False).save_pretrained(source)
    return "BertModel", result


def scored_pieces(source):
    """T5's, as `transformers` makes them of a spiece.model (`SpmConverter`), and a tiny T5."""
    file = source / "text.txt"
    file.write_text("\n".join(TEXT * 5))
    (source / "rules.tsv").write_text("".join(f"{old}\t{new}\n" for old, new in RULES))
    sentencepiece.SentencePieceTrainer.train(
        input=str(file), model_prefix=str(source / "spiece"), vocab_size=50, model_type="unigram", pad_id=0, eos_id=1,
        unk_id=2, bos_id=-1, character_coverage=1.0, normalization_rule_tsv=str(source / "rules.tsv"), minloglevel=2,
    )  # fmt: skip
    processor = sentencepiece.SentencePieceProcessor(str(source / "spiece.model"))
    ids = range(processor.GetPieceSize())
    result = Tokenizer(models.Unigram([(processor.IdToPiece(id), processor.GetScore(id)) for id in ids], 2, False))
    own = T5Converter.__new__(T5Converter)
    own.original_tokenizer = None
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString((source / "spiece.model").read_bytes())
    result.normalizer = own.normalizer(proto)
    result.pre_tokenizer = pre_tokenizers.Metaspace("\u2581", "always")
    result.add_special_tokens([AddedToken(word, special=True, normalized=False) for word in ("<pad>", "</s>", "<unk>")])
    result.add_tokens([AddedToken("<extra>", normalized=False)])
    (source / "added_tokens.json").write_text(json.dumps({"<extra>": processor.GetPieceSize()}))
    result.post_processor = processors.TemplateProcessing("$A </s>", "$A </s> $B </s>", [("</s>", 1)])
    config = T5Config(vocab_size=128, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2, decoder_start_token_id=0)
    T5ForConditionalGeneration(config).save_pretrained(source)
    settings = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "add_bos_token": False, "add_eos_token": True}
    (source / "tokenizer_config.json").write_text(json.dumps(settings))
    return "T5ForConditionalGeneration", result


def write_pieces(name, make):
    folder = FOLDER / name
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as temporary:
        torch.manual_seed(7)
        architecture, tokenizer = make(Path(temporary))
        convert("default", Path(temporary), folder / "model.gguf", architecture)
        shutil.copy(Path(temporary) / "tokenizer_config.json", folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    texts = [{"text": text, "ids": tokenizer.encode(text).ids} for text in PIECE_TEXTS]
    (folder / "texts.json").write_text(json.dumps(texts, ensure_ascii=False))
    (folder / "expected.json").write_text(json.dumps(key_values(folder / "model.gguf"), ensure_ascii=False))
    print(name, (folder / "model.gguf").stat().st_size)


def key_values(file):
    fields = gguf.GGUFReader(file).fields
    return {key: field.contents() for key, field in fields.items() if key.startswith("tokenizer.")}


def write(name):
    folder = FOLDER / name
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as temporary:
        temporary = Path(temporary)
        source = temporary / "source"
        if name == "llama":
            settings, end, beginning, file = pieces(folder, temporary)
        else:
            (settings, end, beginning), file = pairs(name, folder), None
        settings["chat_template"] = "{{ messages }}"
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
        model(source, end, beginning, WORDS if file else WORDS - 100)
        for path in folder.iterdir():
            shutil.copy(path, source)
        tokenizer = AutoTokenizer.from_pretrained(source)
        texts = [{"text": text, "ids": tokenizer(text)["input_ids"]} for text in TEXTS]
        (folder / "texts.json").write_text(json.dumps(texts, ensure_ascii=False))
        if file:
            shutil.copy(file, source / "tokenizer.model")
        convert(name, source, folder / "model.gguf")
    values = key_values(folder / "model.gguf")
    (folder / "expected.json").write_text(json.dumps(values, ensure_ascii=False))
    print(name, (folder / "model.gguf").stat().st_size, {key: value for key, value in values.items() if not isinstance(value, list)})


if __name__ == "__main__":
    shutil.rmtree(FOLDER, ignore_errors=True)
    for name in ["llama-bpe", "qwen2", "gpt-2", "llama"]:
        write(name)
    write_pieces("bert", word_pieces)
    write_pieces("bert-cased", cased_word_pieces)
    write_pieces("t5", scored_pieces)
