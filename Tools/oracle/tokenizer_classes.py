"""Writes Fixtures/vocabularies: vocabularies without a tokenizer.json, and what transformers' classes make of texts.

    .build/oracle-tokenizers/bin/python Tools/oracle/tokenizer_classes.py

Each folder is what a model has beside its weights: a config.json, a vocabulary, and at times settings. The class is
the one that AutoTokenizer takes. The vocabularies are trained here; see tokenizer_files.py for what may differ then.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

from tokenizers import Regex, Tokenizer
from tokenizers import models as M
from tokenizers import normalizers as N
from tokenizers import pre_tokenizers as P
from tokenizers import trainers as T
from transformers import AutoTokenizer

import tokenizer_files
from tokenizer_files import BYTES, CORPUS, PAIRS, TEXTS, train_pieces, write

TARGET = Path(__file__).resolve().parents[2] / "Fixtures" / "vocabularies"
OTHER = tokenizer_files.TARGET
MORE = [
    "a``b'' \"q\" 1,234 and 12,", "<extra_id_0> gap <extra_id_99>", "<sep> <cls> <pad> [SEP] [PAD] (a) b",
    "MKTAYIAKQR<mask>LV <eos> . - X é", "<unk>NOTUSED <s>NOTUSED <unk_5> <mask_1> de_DE en_XX",
    "a<mask>b  <mask> c", "a [MASK] b[MASK]c", "one <e1> two<e2> the model<e3>", "<|startoftext|>it's I'LL 42<|endoftext|>",
]
T5_MARKS = dict(pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
FAIRSEQ = dict(unk_id=0, bos_id=1, eos_id=2)
BRACKETS = dict(pad_piece="[PAD]", bos_piece="[CLS]", eos_piece="[SEP]", unk_piece="[UNK]",
                pad_id=0, bos_id=1, eos_id=2, unk_id=3)
ADDED = {key: False for key in ("lstrip", "normalized", "rstrip", "single_word")}


def folder(name, model, settings=None):
    path = TARGET / name
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps({"model_type": model}) + "\n")
    if settings is not None:
        (path / "tokenizer_config.json").write_text(json.dumps(settings) + "\n")
    return path


def expected(path):
    made = AutoTokenizer.from_pretrained(str(path))
    for text, pair in [(t, None) for t in TEXTS + MORE] + PAIRS:
        e = made(text, pair)
        case = dict(text=text, pair=pair, ids=e["input_ids"],
                    decoded=made.decode(e["input_ids"], skip_special_tokens=True))
        if "token_type_ids" in e:
            case["types"] = e["token_type_ids"]
        if made.is_fast:
            case["offsets"] = made(text, pair, return_offsets_mapping=True)["offset_mapping"]
        yield case


def pieces(scratch, name, model, file, settings=None, added=None, **options):
    path = folder(name, model, settings)
    (path / file).write_bytes(train_pieces(scratch, name, **options))
    if added is not None:
        (path / "added_tokens.json").write_text(json.dumps(added) + "\n")


def word_lists():
    words = (OTHER / "vocab-txt/vocab.txt").read_text().split("\n")[:-1]
    kept = [w for w in words if w not in ("[PAD]", "[CLS]", "[SEP]", "[MASK]")]
    path = folder("mpnet", "mpnet")
    lines = ["<s>", "<pad>", "</s>", "<unk>", *kept, "<mask>"]
    (path / "vocab.txt").write_text("".join(f"{line}\n" for line in lines))
    path = folder("esm", "esm")
    lines = "<cls> <pad> <eos> <unk> L A G V S E R T I D P K Q N F Y M H W C X B U Z O . - <null_1> <mask>"
    (path / "vocab.txt").write_text(lines.replace(" ", "\n"))
    path = folder("bert", "bert", {"do_lower_case": False})
    shutil.copy(OTHER / "vocab-txt/vocab.txt", path)
    path = folder("bert-added", "bert", {"additional_special_tokens": ["<e2>"], "image_token": "<e3>"})
    (path / "vocab.txt").write_text("".join(f"{word}\n" for word in words if word != "[CLS]"))
    (path / "added_tokens.json").write_text(json.dumps({"<E1>": len(words), "two": len(words) + 1}) + "\n")
    (path / "special_tokens_map.json").write_text(json.dumps({"sep_token": "<E1>"}) + "\n")


def pairs(path, tokenizer, *special):
    model = json.loads(tokenizer.to_str())["model"]
    words = dict(model["vocab"])
    for word in special:
        words[word] = len(words)
    (path / "vocab.json").write_text(json.dumps(words, ensure_ascii=False))
    merges = "".join(f"{a} {b}\n" for a, b in model["merges"])
    (path / "merges.txt").write_text("#version: 0.2\n" + merges)


def byte_pairs():
    made = Tokenizer(M.BPE())
    made.pre_tokenizer = P.ByteLevel(add_prefix_space=False)
    made.train_from_iterator(CORPUS, T.BpeTrainer(**BYTES))
    pairs(folder("qwen2", "qwen2"), made)
    end, start = ("<|endoftext|>", "<|im_start|>")
    count = made.get_vocab_size()
    pairs(folder("qwen3", "qwen3", {
        "tokenizer_class": "Qwen2Tokenizer", "eos_token": start, "pad_token": end, "unk_token": None, "bos_token": None,
        "added_tokens_decoder": {
            str(count): {"content": end, "special": True, **ADDED},
            str(count + 1): {"content": start, "special": True, **ADDED},
            str(count + 2): {"content": "the model", "special": False, **ADDED},
        }}), made)
    fairseq = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
    pairs(folder("roberta", "roberta"), made, *fairseq)
    # Files that say more than the vocabulary: which tokens there are, and what stands around texts.
    pairs(folder("opt", "opt", {
        "tokenizer_class": "GPT2Tokenizer", "add_bos_token": True, "bos_token": "</s>", "eos_token": "</s>",
        "unk_token": "</s>", "pad_token": "<pad>"}), made, *fairseq)
    path = folder("gpt2-added", "gpt2", {"add_eos_token": True, "add_prefix_space": True, "pad_token": "<pad>"})
    pairs(path, made, end)
    (path / "added_tokens.json").write_text(json.dumps({"<pad>": count + 1, "the model": count + 2}) + "\n")
    path = folder("bart-named", "bart", {"tokenizer_class": "BartTokenizer", "extra_special_tokens": ["<e1>", "model"]})
    pairs(path, made, *fairseq)
    (path / "special_tokens_map.json").write_text(json.dumps({
        "cls_token": "<pad>", "mask_token": {"content": "<mask>", **ADDED, "lstrip": True}}) + "\n")
    pairs(folder("gpt2", "gpt2"), made, end)
    made = Tokenizer(M.BPE(end_of_word_suffix="</w>"))
    made.normalizer = N.Lowercase()
    made.pre_tokenizer = P.Sequence([
        P.Split(Regex(r"[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"), "removed", invert=True),
        P.ByteLevel(add_prefix_space=False)])
    made.train_from_iterator(CORPUS, T.BpeTrainer(end_of_word_suffix="</w>", **{**BYTES, "vocab_size": 700}))
    pairs(folder("clip", "clip"), made, "<|startoftext|>", end)


def main():
    shutil.rmtree(TARGET, ignore_errors=True)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        pieces(scratch, "t5", "t5", "spiece.model", **T5_MARKS)
        pieces(scratch, "mt5", "mt5", "spiece.model", {
            "tokenizer_class": "T5Tokenizer", "extra_ids": 0, "additional_special_tokens": None}, **T5_MARKS)
        pieces(scratch, "xlm-roberta", "xlm-roberta", "sentencepiece.bpe.model", **FAIRSEQ)
        pieces(scratch, "named", "bert", "sentencepiece.bpe.model", {
            "tokenizer_class": "XLMRobertaTokenizerFast",
            "mask_token": {"content": "<mask>", "__type": "AddedToken", **ADDED, "lstrip": True}}, **FAIRSEQ)
        pieces(scratch, "camembert", "camembert", "sentencepiece.bpe.model", **FAIRSEQ)
        pieces(scratch, "xlm-roberta-added", "xlm-roberta", "sentencepiece.bpe.model",
               {"additional_special_tokens": ["<e1>", "one"]}, {"<e2>": 10_000}, **FAIRSEQ)
        pieces(scratch, "pegasus-sentences", "pegasus", "spiece.model", {"mask_token_sent": None, "offset": 9}, **T5_MARKS)
        pieces(scratch, "t5-end", "t5", "spiece.model", {"eos_token": "<eos2>", "extra_ids": 2}, **T5_MARKS)
        pieces(scratch, "mbart", "mbart", "sentencepiece.bpe.model", {"src_lang": "de_DE"}, **FAIRSEQ)
        pieces(scratch, "pegasus", "pegasus", "spiece.model", **T5_MARKS)
        pieces(scratch, "xlnet", "xlnet", "spiece.model", control_symbols="<cls>,<sep>,<pad>,<mask>,<eod>,<eop>", **FAIRSEQ)
        albert = dict(pad_id=0, unk_id=1, bos_id=-1, eos_id=-1, control_symbols="[CLS],[SEP],[MASK]")
        pieces(scratch, "albert", "albert", "spiece.model", user_defined_symbols="(,)", **albert)
        pieces(scratch, "albert-cased", "albert", "spiece.model", {"do_lower_case": False, "keep_accents": True}, **albert)
        pieces(scratch, "deberta-v2", "deberta-v2", "spm.model", {"do_lower_case": False, "vocab_type": "spm"}, **BRACKETS)
        pieces(scratch, "deberta-v2-cut", "deberta-v2", "spm.model", {"do_lower_case": True, "split_by_punct": True},
               {"[MASK]": 10_000}, **BRACKETS)
    word_lists()
    byte_pairs()
    folder("byt5", "t5", {"tokenizer_class": "ByT5Tokenizer", "extra_ids": 3})
    for path in sorted(TARGET.iterdir()):
        write(path, expected(path))


if __name__ == "__main__":
    main()
