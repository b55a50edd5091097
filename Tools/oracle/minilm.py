"""Writes the goldens of a real model: python Tools/oracle/minilm.py

The model is all-MiniLM-L6-v2, fetched by `Tools/real-model`; the sentences are tokenised by its own
tokeniser. `golden.npz` holds outputs and some hidden states; `embeddings.npz` what the model is
used for: mean-pooled, normalised sentence embeddings.
"""

import subprocess
import sys

import numpy as np
from transformers import AutoTokenizer

from exact import FIXTURES, ROOT, exact_outputs, golden, write_golden, write_npz

GOLDEN_SENTENCES = [
    "The quick brown fox jumps over it.",
    "Attention is all you need!",
    "Why?",
]
STORED = ("last_hidden_state", "pooler_output", "hidden_states.0", "hidden_states.3")

EMBEDDED_SENTENCES = [
    "A man is eating food.",
    "A man is eating a piece of bread.",
    "The girl is carrying a baby.",
    "Layer normalisation has a weight and a bias for every channel.",
    "How do I convert a checkpoint without losing a single bit of it?",
    "The capital of France is Paris, on the river Seine; that of Italy is Rome, on the Tiber.",
    "Ωμέγα, naïve café, 東京: 3.14159 ± 2 %",
    "Yes.",
]
EMBEDDED_TOKENS = 24


def tokens(tokenizer, sentences, limit):
    """Padded on the right to the longest sentence."""
    batch = tokenizer(sentences, padding=True, truncation=True, max_length=limit)
    return {
        name: np.array(batch[name], dtype=np.int64)
        for name in ("input_ids", "attention_mask", "token_type_ids")
    }


def embeddings(states, mask):
    """Mean over the tokens of each row, normalised to length one."""
    weights = mask[..., None].astype(np.float64)
    mean = (states * weights).sum(axis=1) / weights.sum(axis=1)
    return mean / np.linalg.norm(mean, axis=-1, keepdims=True)


def main():
    fetched = subprocess.run(
        [sys.executable, ROOT / "Tools" / "real-model", "fetch"], stdout=subprocess.PIPE, text=True
    )
    if fetched.returncode != 0:
        sys.exit(fetched.returncode)
    folder = fetched.stdout.strip()
    model, tokenizer = golden.load(folder), AutoTokenizer.from_pretrained(folder)
    target = FIXTURES / "real" / "minilm"

    inputs = tokens(tokenizer, GOLDEN_SENTENCES, limit=10)
    outputs = exact_outputs(model, inputs)
    write_golden(
        target / "golden.npz", model, inputs, {name: outputs[name] for name in STORED}, deflate=True
    )

    inputs = tokens(tokenizer, EMBEDDED_SENTENCES, EMBEDDED_TOKENS)
    pooled = embeddings(exact_outputs(model, inputs)["last_hidden_state"], inputs["attention_mask"])
    arrays = {f"inputs/{name}": array for name, array in inputs.items()} | {"embeddings": pooled}
    write_npz(target / "embeddings.npz", arrays, deflate=True)


if __name__ == "__main__":
    main()
