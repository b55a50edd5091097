"""Writes Fixtures/FAMILY/tensorflow_* and flax_*, in three steps, each in the environment of its framework:

    python Tools/oracle/frameworks.py models    (torch 2.13, transformers 5.23)
    python Tools/oracle/frameworks.py tf        (TensorFlow 2.15, tf-keras 2.15, transformers 4.46)
    python Tools/oracle/frameworks.py flax      (Flax 0.10.2, jax 0.4.35, transformers 4.46)

The first makes random models in `huggingface/` and their goldens. The others load these with transformers'
own classes for the framework, which read torch's names, check that the framework computes what the golden
says, and save the model as these classes do: `tf_model.h5`, `flax_model.msgpack`. The folder is then without
`huggingface/`, but for its config. `tensorflow_full_names` is what Keras' own `save_weights` writes, as older
versions of transformers did: there, the name of the whole model stands before every other.
"""

import json
import os
import shutil
import sys
from pathlib import Path

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_USE_LEGACY_KERAS": "1", "OMP_NUM_THREADS": "1"}

import numpy as np

FIXTURES = Path(__file__).resolve().parents[2] / "Fixtures"
BERT = {
    "vocab_size": 31, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
    "intermediate_size": 16, "max_position_embeddings": 12,
}
GPT2 = {"vocab_size": 31, "n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": 12}
T5 = {"vocab_size": 31, "d_model": 8, "d_kv": 4, "d_ff": 16, "num_layers": 1, "num_heads": 2}
# As T5 1.1: a head of its own, for which transformers 5 wants to be told that states are not scaled.
GATED = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False, "scale_decoder_outputs": False}
LLAMA = {
    "vocab_size": 31, "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 16,
}
# Family, case, class (without TF or Flax before it), config class, config.
CASES = [
    ("bert", "tensorflow", "BertForMaskedLM", "BertConfig", BERT),
    ("bert", "tensorflow_full_names", "BertForQuestionAnswering", "BertConfig", BERT),
    ("bert", "flax", "BertForPreTraining", "BertConfig", BERT),
    ("gpt2", "tensorflow", "GPT2LMHeadModel", "GPT2Config", GPT2),
    ("gpt2", "flax", "GPT2LMHeadModel", "GPT2Config", GPT2),
    ("t5", "tensorflow", "T5EncoderModel", "T5Config", T5),
    ("t5", "tensorflow_v11", "T5ForConditionalGeneration", "T5Config",
     T5 | GATED),
    ("t5", "flax", "T5ForConditionalGeneration", "T5Config", T5),
    ("t5", "flax_v11", "T5ForConditionalGeneration", "T5Config",
     T5 | GATED),
    ("llama", "flax", "LlamaForCausalLM", "LlamaConfig", LLAMA),
]


def folder(family, case):
    return FIXTURES / family / case


def as_version_4(path):
    """transformers 5 writes every T5 as tied, and in a key of its own whether states are scaled."""
    config = json.loads(path.read_text())
    del config["scale_decoder_outputs"]
    path.write_text(json.dumps(config | {"tie_word_embeddings": False}, indent=2, sort_keys=True) + "\n")


def models():
    import torch
    import transformers
    from exact import exact_outputs, write_golden
    from fixture import randomise

    for number, (family, case, name, config, sizes) in enumerate(CASES):
        model = getattr(transformers, name)(getattr(transformers, config)(**sizes)).eval()
        model.config.architectures = [name]
        if sizes.get("tie_word_embeddings") is False:
            model.lm_head.weight = torch.nn.Parameter(torch.empty_like(model.lm_head.weight))
        norms = ("LayerNorm.weight", "norm.weight", "ln_1.weight", "ln_2.weight", "ln_f.weight")
        randomise(model, number, lambda key: (1, 0.3) if key.endswith(norms) else (0, 0.3))
        target = folder(family, case)
        shutil.rmtree(target, ignore_errors=True)
        model.save_pretrained(target / "huggingface", safe_serialization=True)
        if sizes.get("tie_word_embeddings") is False:
            as_version_4(target / "huggingface" / "config.json")
        random = np.random.default_rng(number)
        inputs = {"input_ids": random.integers(0, sizes["vocab_size"], (2, 7))}
        if "Conditional" in name:
            inputs["decoder_input_ids"] = random.integers(0, sizes["vocab_size"], (2, 5))
        write_golden(target / "golden.npz", model, inputs, exact_outputs(model, inputs))


def check(case, outputs, target):
    """The framework computes what transformers' exact run says, as well as single precision can."""
    with np.load(target / "golden.npz") as golden:
        found = {name: np.asarray(value) for name, value in outputs.items() if value is not None and hasattr(value, "shape")}
        names = [name for name in found if f"outputs/{name}" in golden.files]
        assert names, (case, list(found), golden.files)
        for name in names:
            expected = golden[f"outputs/{name}"]
            worst = np.abs(found[name] - expected).max() / np.abs(expected).max()
            assert worst < 1e-5, (case, name, worst)
            print(f"{target.relative_to(FIXTURES)} {name}: {worst:.1e} from the golden")


def convert(prefix, framework, tensor):
    import transformers

    for family, case, name, _, _ in CASES:
        if not case.startswith(prefix):
            continue
        target = folder(family, case)
        source = target / "huggingface"
        model = getattr(transformers, framework + name).from_pretrained(source)
        with np.load(target / "golden.npz") as golden:
            inputs = {key.removeprefix("inputs/"): tensor(golden[key]) for key in golden.files if key.startswith("inputs/")}
        check(case, model(**inputs), target)
        if "full_names" in case:
            model.save_weights(str(target / "tf_model.h5"))
        else:
            model.save_pretrained(target)
        shutil.copy(source / "config.json", target / "config.json")
        (target / "generation_config.json").unlink(missing_ok=True)
        shutil.rmtree(source)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["models"]:
            models()
        case ["tf"]:
            import tensorflow as tf

            convert("tensorflow", "TF", lambda array: tf.constant(array, tf.int32))
        case ["flax"]:
            import jax.numpy as jnp

            convert("flax", "Flax", lambda array: jnp.asarray(array, jnp.int32))
        case _:
            sys.exit(__doc__)
