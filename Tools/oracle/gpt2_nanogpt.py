"""Writes Fixtures/gpt2/nanogpt*: python Tools/oracle/gpt2_nanogpt.py FOLDER [CASE ...]

FOLDER is a copy of the original code, karpathy/nanoGPT at 3adf61e154c3 (2025-11-12): model.py is
run as it is with torch 2.13.0, in float64. Its own `GPT.from_pretrained` converts a random Hugging
Face model, its own `state_dict` gives names and shapes, its own `forward` the logits.

nanoGPT saves a pickle; its state dict is stored here as safetensors. Its GELU is the exact one, so
config.json says "gelu". `nanogpt_training_state` is the pickle: `ckpt.pt` as train.py saves it before the first step,
under the name that a folder wants.
"""

import shutil
import sys
from importlib import import_module
from unittest.mock import patch

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional
from transformers import GPT2Config, GPT2LMHeadModel

from converted import original_folder, write_converted, write_huggingface, write_original
from exact import FIXTURES, golden
from fixture import randomise

FOLDER = original_folder("NANOGPT", "karpathy/nanoGPT")
sys.path.insert(0, str(FOLDER))
sys.dont_write_bytecode = True
nanogpt = import_module("model")

SIZES = {"vocab_size": 37, "n_embd": 12, "n_head": 3, "n_layer": 2}
POSITIONS, PADDED = 20, 64


def huggingface_model(bias):
    config = GPT2Config(**SIZES, n_positions=POSITIONS, activation_function="gelu")
    config.bos_token_id = config.eos_token_id = SIZES["vocab_size"] - 1
    config.architectures = ["GPT2LMHeadModel"]
    model = GPT2LMHeadModel(config).eval()
    randomise(model, 0, lambda name: (1, 0.3) if ".ln_" in name and "weight" in name else (0, 0.3))
    if not bias:
        for name, parameter in model.named_parameters():
            parameter.data *= not name.endswith("bias")
    return model


def converted_by_nanogpt(model):
    """`GPT.from_pretrained` knows four published sizes; it is told ours."""
    sizes = nanogpt.GPTConfig(**SIZES, block_size=POSITIONS, bias=True)
    with (
        patch.object(nanogpt, "GPTConfig", lambda **published: sizes),
        patch.object(GPT2LMHeadModel, "from_pretrained", lambda name: model),
    ):
        return nanogpt.GPT.from_pretrained("gpt2").eval()


def same_weights(source, **changes):
    """A GPT of other options around the same weights; more rows of the vocabulary are zero."""
    model = nanogpt.GPT(nanogpt.GPTConfig(**(SIZES | {"block_size": POSITIONS} | changes))).eval()
    weights = source.state_dict()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.zero_()
            parameter[: len(weights[name])].copy_(weights[name])
    return model


def without_bias(model):
    return same_weights(model, bias=False)


def with_masks(model):
    """As torch 1 builds it, without fused attention: every layer holds its causal mask."""
    fused = functional.scaled_dot_product_attention
    del functional.scaled_dot_product_attention
    try:
        return same_weights(model)
    finally:
        functional.scaled_dot_product_attention = fused


def compiled(model):
    """As train.py saves it: compiled, so prefixed, and its vocabulary padded."""
    return torch.compile(same_weights(model, vocab_size=PADDED))


def compiled_and_trained(model):
    """The padding as training leaves it: the loss moves its rows too."""
    padded = same_weights(model, vocab_size=PADDED)
    with torch.no_grad():
        padding = padded.lm_head.weight[SIZES["vocab_size"] :]
        padding.copy_(torch.linspace(-1, 1, padding.numel()).reshape(padding.shape))
    return torch.compile(padded)


CASES = {
    "nanogpt": lambda model: model,
    "nanogpt_no_bias": without_bias,
    "nanogpt_masks": with_masks,
    "nanogpt_orig_mod": compiled,
    "nanogpt_training_state": lambda model: model,
    "nanogpt_padding_in_use": compiled_and_trained,  # cut, it is another model: no golden
}


def logits(model, ids):
    """The original forward in float64; without targets it computes the last position only."""
    model = getattr(model, "_orig_mod", model).double()
    with golden.lifted() as offenders, torch.no_grad():
        result, _ = model(torch.from_numpy(ids), targets=torch.from_numpy(ids))
    assert not offenders
    return result.numpy()[..., : SIZES["vocab_size"]]


def save_checkpoint(model, path):
    """train.py, where it saves a checkpoint."""
    optimizer = model.configure_optimizers(1e-1, 6e-4, (0.9, 0.95), "cpu")
    arguments = {name: getattr(model.config, name) for name in (
        "n_layer", "n_head", "n_embd", "block_size", "bias", "vocab_size", "dropout")}
    checkpoint = {
        "model": model.state_dict(), "optimizer": optimizer.state_dict(), "model_args": arguments,
        "iter_num": 0, "best_val_loss": torch.tensor(3.5), "config": {"dataset": "none", "batch_size": 12},
    }
    torch.save(checkpoint, path)


def write(case):
    folder = FIXTURES / "gpt2" / case
    folder.mkdir(parents=True, exist_ok=True)
    source = huggingface_model(bias="no_bias" not in case)
    model = CASES[case](converted_by_nanogpt(source))
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    write_huggingface(folder, source)
    if case == "nanogpt_padding_in_use":
        shutil.rmtree(folder / "huggingface")
        return
    ids = np.random.default_rng(0).integers(0, SIZES["vocab_size"], (2, 9))
    framework = f"karpathy/nanoGPT 3adf61e154c3, torch {torch.__version__}"
    if case == "nanogpt_training_state":
        save_checkpoint(model, folder / "pytorch_model.bin")
    outputs = {"logits": logits(model, ids)}
    write_original(folder, {"input_ids": ids}, outputs, framework=framework, code="GPT")
    write_converted(folder)
    if case == "nanogpt_training_state":
        shutil.rmtree(folder / "huggingface")
        for name in ["model.safetensors", "config.json", "golden-original.npz"]:
            (folder / name).unlink()


if __name__ == "__main__":
    for name in sys.argv[2:] or CASES:
        write(name)
