"""Writes the fixtures of pairs of an encoder and a decoder: python Tools/oracle/encoderdecoderpair.py [CASE ...]"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from transformers import (
    BertConfig,
    CamembertConfig,
    EncoderDecoderConfig,
    EncoderDecoderModel,
    GPT2Config,
    RobertaConfig,
    XLMRobertaConfig,
)

import fixture
from fixture import rewrite_config, rewrite_weights
from stablelm import without_architectures
from t5 import encoder_padded, prefix

ENCODER = {
    "vocab_size": 37,
    "hidden_size": 12,
    "num_attention_heads": 3,
    "intermediate_size": 10,
    "num_hidden_layers": 2,
    "max_position_embeddings": 24,
    "type_vocab_size": 2,
}
DECODER = ENCODER | {
    "vocab_size": 41,
    "num_attention_heads": 2,
    "intermediate_size": 14,
    "is_decoder": True,
    "add_cross_attention": True,
}
NARROW = {"hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 9}
GPT2 = {
    "vocab_size": 41,
    "n_embd": 8,
    "n_head": 2,
    "n_inner": 9,
    "n_layer": 2,
    "n_positions": 24,
    "bos_token_id": 40,
    "eos_token_id": 40,
    "add_cross_attention": True,
}


# --- Inputs: (random, config) -> named arrays ------------------------------------------------


def texts(random, config, encoder=encoder_padded, length=7):
    inputs = encoder(random, config.encoder)
    rows = len(inputs["input_ids"])
    ids = random.integers(2, config.decoder.vocab_size, (rows, length))
    ids[:, 0] = config.decoder_start_token_id
    return inputs | {"decoder_input_ids": ids}


def padded(random, config):
    """Texts of the decoder that are padded, too, with types of tokens and positions on both sides."""
    inputs = texts(random, config)
    at = np.arange(7)
    mask = np.array([at >= 0, at < 4, at >= 2], dtype=np.int64)
    inputs |= {"decoder_attention_mask": mask}
    for name, part, shape in (("", config.encoder, (3, 9)), ("decoder_", config.decoder, (3, 7))):
        inputs[name + "token_type_ids"] = random.integers(0, part.type_vocab_size, shape)
        inputs[name + "position_ids"] = random.integers(0, part.max_position_embeddings, shape)
    return inputs


def start(random, config):
    return texts(random, config, length=1)


def padding_tokens(random, config):
    """Padding tokens where the mask says so, and one in the middle of a text: positions leave them out."""
    inputs = texts(random, config)
    inputs["input_ids"][inputs["attention_mask"] == 0] = config.encoder.pad_token_id
    inputs["input_ids"][0, 5] = config.encoder.pad_token_id
    inputs["decoder_input_ids"][1, 3] = config.decoder.pad_token_id
    return inputs


# --- Edits -----------------------------------------------------------------------------------


def of_2020(folder):
    """As transformers 3 left it: gamma and beta, buffers of positions and masks, the tied head stored, and a pair that
    says itself which tokens it generates."""

    def change(weights):
        old = {
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
                "LayerNorm.bias", "LayerNorm.beta"
            ): tensor
            for name, tensor in weights.items()
        }
        old["encoder.embeddings.position_ids"] = torch.arange(24).unsqueeze(0)
        old["decoder.lm_head.weight"] = weights["decoder.transformer.wte.weight"].clone()
        triangle = torch.ones(1, 1, 24, 24).tril().to(torch.uint8)
        for layer in range(2):
            for module in ("attn", "crossattention"):
                stored = f"decoder.transformer.h.{layer}.{module}."
                old |= {stored + "bias": triangle.clone(), stored + "masked_bias": torch.tensor(-1e4)}
        return old

    rewrite_weights(folder, change)
    rewrite_config(folder, lambda config: config | {"tie_encoder_decoder": False, "eos_token_id": 40})


def without_pooler(folder):
    rewrite_weights(folder, lambda weights: {k: v for k, v in weights.items() if "pooler" not in k})


# --- Cases -----------------------------------------------------------------------------------


@dataclass
class Case(fixture.Case):
    parts: tuple = (BertConfig, BertConfig)
    encoder: dict = field(default_factory=dict)
    decoder: dict = field(default_factory=dict)
    inputs: Callable | None = texts


SOME = ("logits", "encoder_last_hidden_state", "decoder_hidden_states.1")
LOGITS = ("logits",)
BERT2GPT2 = {"parts": (BertConfig, GPT2Config), "decoder": GPT2}
ROBERTA = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
# Ends with a token that does not come up.
ENDING = {"eos_token_id": 36, "pad_token_id": 0}

CASES = {
    "bert_bert": Case(EncoderDecoderModel, keep=()),
    "bert_bert_padded": Case(EncoderDecoderModel, inputs=padded, keep=SOME),
    "bert_bert_untied": Case(
        EncoderDecoderModel,
        decoder=DECODER | {"tie_word_embeddings": False} | NARROW,
        inputs=texts,
        edit=without_pooler,
        reloads=False,
        keep=LOGITS,
    ),
    "bert_bert_generate": Case(
        EncoderDecoderModel, ENDING, inputs=start, keep=LOGITS, generate=8
    ),
    "bert_gpt2": Case(EncoderDecoderModel, keep=SOME, **BERT2GPT2),
    "bert_gpt2_generate": Case(
        EncoderDecoderModel, ENDING, inputs=start, keep=LOGITS, generate=8, **BERT2GPT2
    ),
    "bert_gpt2_of_2020": Case(EncoderDecoderModel, edit=of_2020, keep=LOGITS, **BERT2GPT2),
    "roberta_roberta": Case(
        EncoderDecoderModel,
        parts=(RobertaConfig, RobertaConfig),
        encoder=ROBERTA,
        decoder=DECODER | ROBERTA,
        inputs=padding_tokens,
        keep=SOME,
    ),
    "roberta_roberta_generate": Case(
        EncoderDecoderModel,
        ENDING,
        parts=(RobertaConfig, RobertaConfig),
        encoder=ROBERTA,
        decoder=DECODER | ROBERTA,
        inputs=start,
        keep=LOGITS,
        generate=6,
    ),
    "xlm_roberta_camembert": Case(
        EncoderDecoderModel,
        parts=(XLMRobertaConfig, CamembertConfig),
        encoder=ROBERTA | NARROW,
        decoder=DECODER | ROBERTA,
        edit=without_architectures,
        keep=LOGITS,
    ),
}


def config(case, seed):
    epsilon = {"layer_norm_eps": 1e-3 if seed % 2 else 1e-5}
    if case.parts[1] is GPT2Config:
        decoder = case.decoder
    else:
        decoder = (case.decoder or DECODER) | {"layer_norm_eps": 1e-4}
    encoder, decoder = (
        part(**sizes)
        for part, sizes in zip(case.parts, (ENCODER | epsilon | case.encoder, decoder))
    )
    pair = EncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    for key, value in ({"decoder_start_token_id": 4} | case.config).items():
        setattr(pair, key, value)
    pair._attn_implementation = "eager"
    return pair


def centre(name):
    is_norm = "norm" in name.lower() or ".ln_" in name
    return (1, 0.3) if is_norm and name.endswith("weight") else (0, 0.4)


if __name__ == "__main__":
    fixture.main(fixture.Family("encoderdecoderpair", config, CASES, centre))
