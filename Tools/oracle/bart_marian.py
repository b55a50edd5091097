"""Writes Fixtures/bart/marian_npz and marian_npz_separate: python Tools/oracle/bart_marian.py FILE

FILE is `convert_marian_to_pytorch.py` of transformers 4.44.2 (its wheel has the file under models/marian; later ones do
not). The npz files are laid out as the program Marian writes them (marian-dev: src/models/transformer.h for the names
and shapes of parameters, src/common/io.cpp for the options in `special:model.yml`, which yaml-cpp emits), with random
numbers; that file's `OpusState` turns them into a model of transformers, which computes the golden. It asks for the
tokenizer only how many words there are, and which one ends a text.
"""

import importlib.util
import shutil
import sys
import types
import zlib
from pathlib import Path

import numpy as np

from bart import say_by_design
from exact import FIXTURES, exact_outputs, golden, write_golden
from t5 import decoder_padded

WORDS = 36
WIDTH = 12
OPTIONS = """\
bert-train-type-embeddings: true
bert-type-vocab-size: 2
dec-cell: gru
dec-cell-base-depth: 2
dec-cell-high-depth: 1
dec-depth: 2
dim-emb: {width}
dim-rnn: 1024
dim-vocabs:
  - {words}
  - {words}
enc-cell: gru
enc-cell-depth: 1
enc-depth: 1
enc-type: bidirectional
input-types:
  []
layer-normalization: false
lemma-dim-emb: 0
right-left: false
skip: false
tied-embeddings: {tied}
tied-embeddings-all: {shared}
tied-embeddings-src: false
transformer-aan-activation: swish
transformer-aan-depth: 2
transformer-aan-nogate: false
transformer-decoder-autoreg: self-attention
transformer-dim-aan: {hidden}
transformer-dim-ffn: {hidden}
transformer-ffn-activation: {activation}
transformer-ffn-depth: 2
transformer-guided-alignment-layer: last
transformer-heads: 3
transformer-no-projection: false
transformer-postprocess: dan
transformer-postprocess-emb: d
transformer-preprocess: ""
transformer-tied-layers:
  []
transformer-train-position-embeddings: false
type: transformer
ulr-dim-emb: 0
ulr-trainable-transformation: false
version: v1.7.6 9fd5ba9 2019-04-15 19:47:52 +0100
"""

CASES = {
    "marian_npz": {"shared": "true", "tied": "true", "hidden": 10, "activation": "swish"},
    "marian_npz_separate": {"shared": "false", "tied": "true", "hidden": 7, "activation": "relu"},
}


def parameters(options):
    """The names and shapes, as transformer.h makes them."""
    words, hidden = WORDS, options["hidden"]
    tables = ["Wemb"] if options["shared"] == "true" else ["encoder_Wemb", "decoder_Wemb"]
    shapes = {name: (words, WIDTH) for name in tables}
    for stack, depth in (("encoder", 1), ("decoder", 2)):
        for layer in range(1, depth + 1):
            prefix = f"{stack}_l{layer}"
            for kind in ("self", "context") if stack == "decoder" else ("self",):
                for part in "qkvo":
                    shapes[f"{prefix}_{kind}_W{part}"] = (WIDTH, WIDTH)
                    shapes[f"{prefix}_{kind}_b{part}"] = (1, WIDTH)
                for part in ("scale", "bias"):
                    shapes[f"{prefix}_{kind}_Wo_ln_{part}"] = (1, WIDTH)
            shapes[f"{prefix}_ffn_W1"] = (WIDTH, hidden)
            shapes[f"{prefix}_ffn_b1"] = (1, hidden)
            shapes[f"{prefix}_ffn_W2"] = (hidden, WIDTH)
            shapes[f"{prefix}_ffn_b2"] = (1, WIDTH)
            for part in ("scale", "bias"):
                shapes[f"{prefix}_ffn_ffn_ln_{part}"] = (1, WIDTH)
    return shapes | {"decoder_ff_logit_out_b": (1, words)}


def arrays(name, options):
    random = np.random.default_rng(zlib.crc32(name.encode()))
    made = {}
    for key, shape in parameters(options).items():
        mean, deviation = (1, 0.3) if key.endswith("_scale") else (0, 0.4)
        made[key] = random.normal(mean, deviation, shape).astype(np.float32)
    text = OPTIONS.format(width=WIDTH, words=WORDS, **options)
    made["special:model.yml"] = np.frombuffer(text.encode() + b"\0", dtype=np.int8)
    return made


def original():
    spec = importlib.util.spec_from_file_location("original", sys.argv[1])
    module = importlib.util.module_from_spec(spec)
    # It wants to list models on a server, which no function here does.
    sys.modules["huggingface_hub.hf_api"] = types.SimpleNamespace(list_models=None)
    sys.modules["transformers"].MarianTokenizer = None
    spec.loader.exec_module(module)

    class State(module.OpusState):
        def load_tokenizer(self):
            return types.SimpleNamespace(eos_token_id=0, vocab_size=WORDS + 1)

    return State


def main():
    state = original()
    say_by_design()
    for name, options in CASES.items():
        folder = FIXTURES / "bart" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        np.savez(folder / "model.npz", **arrays(name, options))
        (folder / "decoder.yml").write_text("beam-size: 6\n")
        model = state(folder).load_marian_model().eval()
        (folder / "decoder.yml").unlink()
        converted = folder / "huggingface"
        model.save_pretrained(converted)
        (converted / "generation_config.json").unlink(missing_ok=True)
        again = golden.load(converted, "MarianMTModel")
        seed = zlib.crc32(name.encode())
        inputs = decoder_padded(np.random.default_rng(seed), again.config)
        outputs = exact_outputs(again, inputs)
        kept = {key: outputs[key] for key in ("logits", "encoder_last_hidden_state")}
        write_golden(folder / "golden.npz", again, inputs, kept, seed=seed)
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                print(path.relative_to(FIXTURES), path.stat().st_size)


if __name__ == "__main__":
    main()
