"""Writes Fixtures/containers/gguf/tokenizers: python Tools/oracle/gguf_tokenizers.py FOLDER

FOLDER is a copy of llama.cpp, as for gguf_names.py. Tiny tokenizers that cut texts as Llama 3, Qwen2 and GPT-2 do, trained by
`tokenizers`; `expected.json` beside each is what llama.cpp's converter makes of it (conversion/base.py,
`_set_vocab_gpt2`), but for the name of the way of cutting, which it finds by a digest of ids that only the real tokenizers give.
"""

import json

from exact import FIXTURES
from gguf_names import conversion, gguf
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

FOLDER = FIXTURES / "containers" / "gguf" / "tokenizers"
SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEXT = ["The quick brown fox jumps over the lazy dog, 12345 times.", "It's a café; naïve résumés cost 99 €."] * 3
WORDS = 300


def cutting(name):
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=name == "gpt-2")
    if name == "gpt-2":
        return level
    split = pre_tokenizers.Split(Regex(SPLIT.format("{1,3}" if name == "llama-bpe" else "")), "isolated")
    return pre_tokenizers.Sequence([split, level])


def tokenizer(name):
    result = Tokenizer(models.BPE(ignore_merges=name == "llama-bpe"))
    result.pre_tokenizer = cutting(name)
    result.decoder = decoders.ByteLevel()
    if name == "qwen2":
        result.normalizer = normalizers.NFC()
    trainer = trainers.BpeTrainer(vocab_size=280, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    result.train_from_iterator(TEXT, trainer)
    result.add_special_tokens([AddedToken("<|end|>", special=True)])
    result.add_tokens([AddedToken("<think>"), AddedToken("<|looks_special|>")])
    return result


class Writer:
    """Keeps what the converter writes."""

    def __init__(self):
        self.values = {}

    def __getattr__(self, name):
        return lambda value: self.values.__setitem__(name.removeprefix("add_"), value)


def write(name):
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer(name).save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|end|>", "add_bos_token": False}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"chat_template": "{{ messages }}"}))
    config = {"eos_token_id": 280, "vocab_size": WORDS}
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "llama"}))
    converter = object.__new__(conversion.TextModel)
    converter.dir_model, converter.hparams, converter.gguf_writer = folder, config, Writer()
    converter.get_vocab_base_pre = lambda _: name
    converter._set_vocab_gpt2()
    values = converter.gguf_writer.values
    (folder / "config.json").unlink()
    (folder / "expected.json").write_text(json.dumps(values, ensure_ascii=False, default=int))
    print(name, list(values))


if __name__ == "__main__":
    for name in ["llama-bpe", "qwen2", "gpt-2"]:
        write(name)
