"""Compares ids of tokenizers: python Tools/oracle/gguf_tokens_check.py ORIGINAL FOLDER

ORIGINAL is a folder of Fixtures/containers/gguf/tokenizers, with texts.json; FOLDER what `tfconvert ORIGINAL/model.gguf
FOLDER/ --dialect huggingface` makes of it. Loads tokenizer and model with transformers, and fails if an id differs.
"""

import json
import sys
from pathlib import Path

from transformers import AutoModelForCausalLM, AutoTokenizer


def main(original, folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = json.loads((Path(original) / "texts.json").read_text())
    for case in texts:
        found = tokenizer(case["text"])["input_ids"]
        assert found == case["ids"], (case["text"], found, case["ids"])
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert tokenizer.chat_template == "{{ messages }}"
    print(f"{len(texts)} texts have the same ids; {type(model).__name__} loads")


if __name__ == "__main__":
    main(*sys.argv[1:])
