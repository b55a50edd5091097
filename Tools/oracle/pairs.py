"""Writes the fixtures of pairs of texts: python Tools/oracle/pairs.py

Each case is a classifier of pairs with its tokenizer, pairs.tsv, and golden.npz: what the tokenizer makes of all pairs
as one batch with padding, and the outputs in true float64. BERT fills texts up at the end, XLNet at the beginning.
"""

import os
import shutil

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertTokenizerFast,
    XLNetConfig,
    XLNetForSequenceClassification,
)

from exact import FIXTURES, exact_outputs, write_golden
from fixture import WORD_PIECES, norms_near_one, randomise

PAIRS = [("who wrote it", "an old man"), ("a", "b"), ("where is the cat", "on the mat, as ever"), ("x", "long words")]


def bert(folder):
    folder.mkdir(parents=True)
    words = folder / "words.txt"
    words.write_text("".join(f"{word}\n" for word in WORD_PIECES))
    tokenizer = BertTokenizerFast(str(words))
    config = BertConfig(vocab_size=len(WORD_PIECES), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
                        intermediate_size=24, max_position_embeddings=60, num_labels=1)
    return BertForSequenceClassification(config), tokenizer, words


def xlnet(folder):
    folder.mkdir(parents=True)
    source = FIXTURES / "vocabularies" / "xlnet" / "spiece.model"
    tokenizer = AutoTokenizer.from_pretrained(source.parent)
    config = XLNetConfig(vocab_size=len(tokenizer), d_model=16, n_layer=2, n_head=2, d_inner=24, num_labels=3)
    return XLNetForSequenceClassification(config), tokenizer, None


for number, (name, make) in enumerate({"bert": bert, "xlnet": xlnet}.items()):
    folder = FIXTURES / "pairs" / name
    shutil.rmtree(folder, ignore_errors=True)
    model, tokenizer, extra = make(folder)
    randomise(model, 20261130 + number, norms_near_one)
    model = model.eval()
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
    if extra:
        extra.unlink()
    (folder / "pairs.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in PAIRS))
    read = tokenizer([a for a, _ in PAIRS], [b for _, b in PAIRS], padding=True,
                     return_token_type_ids=True, return_tensors="np")
    inputs = {key: value.astype("int64") for key, value in read.items()}
    assert any((inputs["attention_mask"] == 0).ravel())
    with torch.no_grad():
        outputs = exact_outputs(model, inputs)
    write_golden(folder / "golden.npz", model, inputs, {"logits": outputs["logits"]})
    print(name, {key: value.shape for key, value in inputs.items()}, outputs["logits"].ravel())
