"""Writes Fixtures/whisper/openai: python Tools/oracle/whisper_openai.py, then converted.py on it.

The model is that of openai-whisper 20250625, random, run in float64 as it is, and its file is `dims` and
`model_state_dict` as `whisper.load_model` reads them, under the name that a folder wants. transformers' model gets the
same weights by the table below.
"""

import dataclasses
import sys

import numpy as np
import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

OWN = sys.path.pop(0)  # its whisper.py is not the package
import whisper
from whisper.model import ModelDimensions, Whisper, disable_sdpa

sys.path.insert(0, OWN)

from converted import write_huggingface, write_original
from exact import FIXTURES, golden
from fixture import randomise

DIMS = ModelDimensions(
    n_mels=5, n_audio_ctx=6, n_audio_state=12, n_audio_head=3, n_audio_layer=1, n_vocab=41,
    n_text_ctx=20, n_text_state=12, n_text_head=2, n_text_layer=1,
)

NAMES = {
    "encoder.positional_embedding": "encoder.embed_positions.weight",
    "decoder.positional_embedding": "decoder.embed_positions.weight",
    "token_embedding": "embed_tokens",
    "blocks": "layers",
    "cross_attn_ln": "encoder_attn_layer_norm",
    "cross_attn": "encoder_attn",
    "attn_ln": "self_attn_layer_norm",
    ".attn.": ".self_attn.",
    "mlp_ln": "final_layer_norm",
    "mlp.0": "fc1",
    "mlp.2": "fc2",
    "encoder.ln_post": "encoder.layer_norm",
    "decoder.ln.": "decoder.layer_norm.",
    ".query.": ".q_proj.",
    ".key.": ".k_proj.",
    ".value.": ".v_proj.",
    ".out.": ".out_proj.",
}


def renamed(name):
    for own, other in NAMES.items():
        name = name.replace(own, other)
    return "model." + name


def centre(name):
    if "ln" in name and name.endswith("weight"):
        return 1, 0.3
    return 0, 0.5 if ".conv" in name or name.endswith(("query.weight", "key.weight")) else 0.3


def huggingface(dims, weights):
    config = WhisperConfig(
        num_mel_bins=dims.n_mels, max_source_positions=dims.n_audio_ctx, d_model=dims.n_audio_state,
        encoder_attention_heads=dims.n_audio_head, encoder_layers=dims.n_audio_layer,
        vocab_size=dims.n_vocab, max_target_positions=dims.n_text_ctx,
        decoder_attention_heads=dims.n_text_head, decoder_layers=dims.n_text_layer,
        encoder_ffn_dim=4 * dims.n_audio_state, decoder_ffn_dim=4 * dims.n_text_state,
        decoder_start_token_id=4, bos_token_id=0, eos_token_id=2, pad_token_id=1,
    )
    model = WhisperForConditionalGeneration(config).eval()
    model.load_state_dict(
        {renamed(name): tensor for name, tensor in weights.items()}
        | {"proj_out.weight": weights["decoder.token_embedding.weight"]}
    )
    return model


def original(dims, weights, inputs):
    with golden.lifted() as offenders, torch.no_grad(), disable_sdpa():
        twin = Whisper(dims).eval()
        twin.load_state_dict({name: tensor.double() for name, tensor in weights.items()}, assign=True)
        logits = twin(
            torch.from_numpy(inputs["input_features"]), torch.from_numpy(inputs["decoder_input_ids"])
        )
    assert not offenders, offenders
    return logits.numpy()


def made(dims, seed):
    """A random model, its sinusoids too: they are read and not computed."""
    model = Whisper(dims).eval()
    randomise(model, seed, centre)
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        model.encoder.positional_embedding.copy_(
            torch.randn(model.encoder.positional_embedding.shape, generator=generator)
        )
    return {name: tensor.float() for name, tensor in model.state_dict().items()}


def inputs_of(dims, random, length=5):
    ids = random.integers(0, dims.n_vocab, (2, length))
    features = random.integers(-400, 400, (2, dims.n_mels, 2 * dims.n_audio_ctx)) / 256
    return {"input_features": features, "decoder_input_ids": ids}


def main():
    folder = FIXTURES / "whisper" / "openai"
    folder.mkdir(parents=True, exist_ok=True)
    weights = made(DIMS, 1)
    torch.save(
        {"dims": dataclasses.asdict(DIMS), "model_state_dict": weights}, folder / "pytorch_model.bin"
    )
    assert whisper.load_model(str(folder / "pytorch_model.bin"), "cpu").dims == DIMS
    inputs = inputs_of(DIMS, np.random.default_rng(1))
    write_original(folder, inputs, {"logits": original(DIMS, weights, inputs)})
    write_huggingface(folder, huggingface(DIMS, weights))
    (folder / "config.json").unlink()  # `dims` say it


if __name__ == "__main__":
    main()
