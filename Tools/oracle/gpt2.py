"""Writes the GPT-2 fixtures: python Tools/oracle/gpt2.py [CASE ...]"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from transformers import (
    GPT2Config,
    GPT2DoubleHeadsModel,
    GPT2ForQuestionAnswering,
    GPT2ForSequenceClassification,
    GPT2ForTokenClassification,
    GPT2LMHeadModel,
    GPT2Model,
)

import fixture
from fixture import rewrite_config, rewrite_weights

SIZES = {
    "vocab_size": 61,
    "n_embd": 24,
    "n_head": 3,
    "n_inner": 32,
    "n_layer": 2,
    "n_positions": 40,
    "bos_token_id": 60,
    "eos_token_id": 60,
}
PAD = 7


# --- Inputs: (random, config) -> named int64 arrays ------------------------------------------


def with_mask(random, config, mask):
    """Random ids, padded ones included, under a mask [..., length]."""
    mask = np.asarray(mask, dtype=np.int64)
    return {"input_ids": random.integers(0, config.vocab_size, mask.shape), "attention_mask": mask}


def right_padded(random, config):
    """Three rows of 9, of which 9, 5 and 1 are tokens."""
    return with_mask(random, config, np.arange(9) < np.array([[9], [5], [1]]))


def left_padded(random, config):
    """A full row, one padded on the left, one on the right. Positions are not shifted."""
    position = np.arange(9)
    return with_mask(random, config, [position >= 0, position >= 3, position < 6])


def left_padded_with_positions(random, config):
    """As generation counts them: the first token has position 0, padding too."""
    inputs = left_padded(random, config)
    counted = np.cumsum(inputs["attention_mask"], axis=-1) - 1
    return inputs | {"position_ids": np.maximum(counted, 0)}


def fully_masked(random, config):
    """A row without any token, one padded on the left, one on the right."""
    position = np.arange(9)
    return with_mask(random, config, [position < 0, position >= 4, position < 7])


def padding_tokens(random, config):
    """The last token that is not the padding id decides, whatever the mask says: in the last place,
    before padding, with padding inside, and in a row of padding alone."""
    inputs = with_mask(random, config, np.arange(9) < np.array([[9], [5], [4], [9]]))
    ids = inputs["input_ids"]
    ids[ids == PAD] = PAD + 1
    ids[1, 5:] = ids[2, 7:] = ids[2, 2] = ids[3] = PAD
    return inputs


def one_row(random, config):
    return {"input_ids": random.integers(0, config.vocab_size, (1, 9))}


def choices(random, config):
    """Two questions of three choices of 7, each pooled at its own token; the token types are
    vocabulary ids."""
    inputs = with_mask(random, config, np.arange(7) < np.array([[[7], [4], [1]], [[5], [7], [6]]]))
    return inputs | {
        "token_type_ids": random.integers(0, config.vocab_size, inputs["input_ids"].shape),
        "mc_token_ids": inputs["attention_mask"].sum(-1) - 1,
    }


def choices_without_tokens(random, config):
    inputs = choices(random, config)
    return {"input_ids": inputs["input_ids"]}


def prompt(random, config):
    return {"input_ids": random.integers(0, config.vocab_size, (2, 5))}


def left_padded_prompt(random, config):
    return with_mask(random, config, np.arange(5) >= np.array([[0], [2]]))


def states_of_encoder(random, config, inputs=right_padded):
    """What an encoder made of texts of other lengths, the last of which is padding alone."""
    inputs = inputs(random, config)
    rows = len(inputs["input_ids"])
    inputs["encoder_hidden_states"] = random.standard_normal((rows, 5, config.n_embd))
    inputs["encoder_attention_mask"] = (np.arange(5) < np.array([[5], [3], [0]])[:rows]).astype(np.int64)
    return inputs


def states_and_prompt(random, config):
    return states_of_encoder(random, config, prompt)


def every_position(random, config):
    length = config.n_positions
    return with_mask(random, config, np.arange(length) < np.array([[length], [length * 3 // 4]]))


# --- Edits: turn what save_pretrained wrote into what others write ---------------------------


def without_prefix(folder):
    rewrite_weights(
        folder, lambda weights: {k.removeprefix("transformer."): v for k, v in weights.items()}
    )


def old_config(folder):
    """A config as it was before 2020: no dtype, no versions, n_ctx."""

    def change(config):
        kept = {"architectures", "initializer_range", "layer_norm_epsilon", "model_type", *SIZES}
        kept |= {"attn_pdrop", "embd_pdrop", "resid_pdrop"}
        kept |= {name for name in config if name.startswith("summary_")}
        old = {k: v for k, v in config.items() if k in kept}
        return old | {"n_ctx": config["n_positions"]}

    rewrite_config(folder, change)


def with_masks(folder, dtype, masked_bias=False, prefix="transformer."):
    """The causal mask that every layer once stored, and the number that it masked with."""

    def change(weights):
        positions = len(weights[f"{prefix}wpe.weight"])
        triangle = torch.ones(1, 1, positions, positions).tril().to(dtype)
        for name in [name for name in weights if name.endswith("attn.c_attn.weight")]:
            attention = name.removesuffix("c_attn.weight")
            weights[f"{attention}bias"] = triangle.clone()
            if masked_bias:
                weights[f"{attention}masked_bias"] = torch.tensor(-10000.0)
        return weights

    rewrite_weights(folder, change)


def with_cross_buffers(folder):
    """The mask and the number in layers that look at another text, too, which need neither."""

    def change(weights):
        triangle = torch.ones(1, 1, SIZES["n_positions"], SIZES["n_positions"]).tril().to(torch.uint8)
        layer = "transformer.h.0.crossattention."
        return weights | {layer + "bias": triangle, layer + "masked_bias": torch.tensor(-10000.0)}

    rewrite_weights(folder, change)


def of_2021(folder):
    """As transformers 3 and 4 saved it: masks as bytes, and the tied head stored."""
    with_masks(folder, torch.uint8, masked_bias=True)
    rewrite_weights(
        folder, lambda weights: weights | {"lm_head.weight": weights["transformer.wte.weight"] + 0}
    )
    old_config(folder)


def of_2019(folder):
    """As the first published files: no prefix, masks as f32."""
    without_prefix(folder)
    with_masks(folder, torch.float32, prefix="")
    old_config(folder)


def of_2023(folder):
    with_masks(folder, torch.bool)


def with_wrong_mask(folder):
    def see_the_future(weights):
        weights["transformer.h.0.attn.bias"][0, 0, 17, 18] = 1
        return weights

    with_masks(folder, torch.uint8)
    rewrite_weights(folder, see_the_future)


# --- Cases -----------------------------------------------------------------------------------


@dataclass
class Case(fixture.Case):
    inputs: Callable | None = right_padded


ONE_LAYER = {"n_layer": 1}
SOME = ("logits", "hidden_states.1")
DOUBLE = ("logits", "mc_logits", "hidden_states.1", "hidden_states.2")

CASES = {
    # Head classes
    "base": Case(GPT2Model, {"n_inner": None}),  # four times the width
    "lm": Case(GPT2LMHeadModel),
    "lm_untied": Case(GPT2LMHeadModel, {"tie_word_embeddings": False}, keep=SOME),
    "sequence_classification": Case(
        GPT2ForSequenceClassification,
        {"num_labels": 3, "pad_token_id": PAD},
        inputs=padding_tokens,
    ),
    "sequence_classification_no_pad": Case(
        GPT2ForSequenceClassification, ONE_LAYER, inputs=one_row
    ),
    "token_classification": Case(GPT2ForTokenClassification, ONE_LAYER | {"num_labels": 5}),
    "question_answering": Case(GPT2ForQuestionAnswering, ONE_LAYER),
    "double_heads": Case(GPT2DoubleHeadsModel, inputs=choices, keep=DOUBLE),
    "double_heads_last_token": Case(
        GPT2DoubleHeadsModel,
        ONE_LAYER | {"summary_activation": "tanh"},
        inputs=choices_without_tokens,
        keep=("mc_logits",),
    ),
    # Activations
    "inner": Case(
        GPT2LMHeadModel,
        ONE_LAYER | {"n_inner": 40, "activation_function": "relu"},
        keep=("logits",),
    ),
    "gelu": Case(GPT2LMHeadModel, ONE_LAYER | {"activation_function": "gelu"}, keep=("logits",)),
    "quick_gelu": Case(
        GPT2LMHeadModel, ONE_LAYER | {"activation_function": "quick_gelu"}, keep=("logits",)
    ),
    # Scales
    "scale_variants": Case(
        GPT2LMHeadModel,
        {
            "n_layer": 3,
            "n_inner": 8,
            "scale_attn_weights": False,
            "scale_attn_by_inverse_layer_idx": True,
        },
        keep=("logits", "hidden_states.1", "hidden_states.2"),
    ),
    "upcast": Case(
        GPT2LMHeadModel,
        {"reorder_and_upcast_attn": True, "scale_attn_by_inverse_layer_idx": True},
        keep=SOME,
    ),
    # Inputs
    "left_padding": Case(GPT2LMHeadModel, inputs=left_padded, keep=SOME),
    "left_padding_position_ids": Case(
        GPT2LMHeadModel, inputs=left_padded_with_positions, keep=SOME
    ),
    "fully_masked_row": Case(GPT2LMHeadModel, inputs=fully_masked),
    "generate": Case(GPT2LMHeadModel, inputs=prompt, keep=("logits",), generate=12),
    "generate_left_padded": Case(
        GPT2LMHeadModel, ONE_LAYER, inputs=left_padded_prompt, keep=("logits",), generate=12
    ),
    # Stored dtypes
    "bf16": Case(GPT2LMHeadModel, dtype=torch.bfloat16, keep=SOME),
    "f16": Case(GPT2LMHeadModel, dtype=torch.float16, keep=SOME),
    # Files and names
    "sharded": Case(GPT2LMHeadModel, shard="15KB", keep=("logits",)),
    "lm_no_prefix": Case(GPT2LMHeadModel, ONE_LAYER, edit=without_prefix, keep=("logits",)),
    "lm_old_buffers": Case(GPT2LMHeadModel, edit=of_2021, keep=("logits",)),
    "lm_f32_buffers": Case(GPT2LMHeadModel, ONE_LAYER, edit=of_2019, keep=("logits",)),
    "lm_bool_buffers": Case(GPT2LMHeadModel, ONE_LAYER, edit=of_2023, keep=("logits",)),
    # Sizes: from the eleventh layer on, text order (10 before 2) is wrong; a length above 128
    "twelve_layers": Case(
        GPT2Model,
        {"vocab_size": 31, "n_embd": 8, "n_head": 2, "n_inner": 16, "n_layer": 12},
        keep=("last_hidden_state", "hidden_states.0", "hidden_states.2", "hidden_states.11"),
    ),
    "long": Case(
        GPT2Model,
        {"n_positions": 130, "n_embd": 16, "n_head": 2},
        inputs=every_position,
        keep=("last_hidden_state",),
    ),
    # Attention to an encoder's states
    "cross_attention": Case(
        GPT2LMHeadModel,
        {"add_cross_attention": True, "scale_attn_by_inverse_layer_idx": True},
        inputs=states_of_encoder,
        keep=SOME,
    ),
    "cross_attention_generate": Case(
        GPT2LMHeadModel,
        ONE_LAYER | {"add_cross_attention": True},
        inputs=states_and_prompt,
        edit=with_cross_buffers,
        keep=("logits",),
        generate=6,
    ),
    # To be refused
    "lm_bad_buffer": Case(GPT2LMHeadModel, ONE_LAYER, edit=with_wrong_mask, inputs=None),
}


def config(case, seed):
    sizes = SIZES | {"layer_norm_epsilon": 1e-3 if seed % 2 else 1e-5}
    return GPT2Config(**(sizes | case.config), attn_implementation="eager")


def centre(name):
    norm = ".ln_" in f".{name}" and name.endswith("weight")
    return (1, 0.3) if norm else (0, 0.3)


if __name__ == "__main__":
    fixture.main(fixture.Family("gpt2", config, CASES, centre))
