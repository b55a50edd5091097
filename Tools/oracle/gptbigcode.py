"""Writes the fixtures of GPT-BigCode: python Tools/oracle/gptbigcode.py [CASE ...]"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from transformers import (
    GPTBigCodeConfig,
    GPTBigCodeForCausalLM,
    GPTBigCodeForSequenceClassification,
    GPTBigCodeForTokenClassification,
    GPTBigCodeModel,
)

import fixture
from bloom import without_prefix
from fixture import rewrite_config
from gpt2 import (
    PAD,
    fully_masked,
    left_padded,
    left_padded_prompt,
    left_padded_with_positions,
    one_row,
    padding_tokens,
    prompt,
)
from opt import right_padded, without_architectures

# Three heads of 4.
SIZES = {
    "vocab_size": 31,
    "n_embd": 12,
    "n_head": 3,
    "n_inner": 20,
    "n_layer": 2,
    "n_positions": 16,
    "bos_token_id": 30,
    "eos_token_id": 30,
}


# --- Inputs ----------------------------------------------------------------------------------


def typed(random, config):
    """Token types are vocabulary ids."""
    inputs = right_padded(random, config)
    types = random.integers(0, config.vocab_size, inputs["input_ids"].shape)
    return inputs | {"token_type_ids": types}


# --- Edits: turn what save_pretrained wrote into what others write ---------------------------


def of_2023(folder):
    """The config of the published models, with settings of their server and of other heads."""

    def change(config):
        config["torch_dtype"] = config.pop("dtype")
        del config["tie_word_embeddings"], config["add_cross_attention"], config["pad_token_id"]
        return config | {
            "activation_function": "gelu_pytorch_tanh",
            "inference_runner": 0,
            "max_batch_size": None,
            "max_sequence_length": None,
            "pad_key_length": True,
            "pre_allocate_kv_cache": False,
            "summary_activation": None,
            "summary_first_dropout": 0.1,
            "summary_proj_to_labels": True,
            "summary_type": "cls_index",
            "summary_use_proj": True,
            "validate_runner_input": True,
        }

    rewrite_config(folder, change)


def with_usual_names(folder):
    """Extents under the names that other models have for them, which this one's config takes too."""
    names = {"n_embd": "hidden_size", "n_head": "num_attention_heads"}
    names |= {"n_layer": "num_hidden_layers", "n_positions": "max_position_embeddings"}
    rewrite_config(folder, lambda config: {names.get(key, key): config[key] for key in config})


# --- Cases -----------------------------------------------------------------------------------


@dataclass
class Case(fixture.Case):
    inputs: Callable | None = right_padded
    keep: tuple = ("logits",)


ONE_LAYER = {"n_layer": 1}
MULTI_HEAD = {"multi_query": False}
# An end token that does not come up in what is generated.
ENDLESS = {"eos_token_id": 13}

CASES = {
    # Head classes
    "base": Case(GPTBigCodeModel, ONE_LAYER | {"n_inner": None}, keep=()),  # four times the width
    "lm": Case(GPTBigCodeForCausalLM, keep=()),
    "lm_untied": Case(GPTBigCodeForCausalLM, ONE_LAYER | {"tie_word_embeddings": False}),
    "sequence_classification": Case(
        GPTBigCodeForSequenceClassification,
        ONE_LAYER | {"num_labels": 3, "pad_token_id": PAD},
        inputs=padding_tokens,
    ),
    "sequence_classification_no_pad": Case(
        GPTBigCodeForSequenceClassification, ONE_LAYER | MULTI_HEAD, inputs=one_row
    ),
    "token_classification": Case(GPTBigCodeForTokenClassification, ONE_LAYER | {"num_labels": 5}),
    # Attention, activations
    "multi_head": Case(GPTBigCodeForCausalLM, MULTI_HEAD, keep=()),
    "one_head": Case(GPTBigCodeForCausalLM, ONE_LAYER | {"n_head": 1}),
    "unscaled": Case(GPTBigCodeForCausalLM, ONE_LAYER | {"scale_attn_weights": False}),
    "unscaled_multi_head": Case(
        GPTBigCodeForCausalLM,
        ONE_LAYER | MULTI_HEAD | {"scale_attn_weights": False, "activation_function": "gelu"},
    ),
    "no_upcast": Case(
        GPTBigCodeForCausalLM,
        ONE_LAYER
        | {"attention_softmax_in_fp32": False, "scale_attention_softmax_in_fp32": False}
        | {"activation_function": "relu"},
    ),
    # Inputs
    "token_types": Case(GPTBigCodeForCausalLM, ONE_LAYER, inputs=typed),
    "left_padding": Case(GPTBigCodeForCausalLM, ONE_LAYER, inputs=left_padded),
    "left_padding_position_ids": Case(
        GPTBigCodeForCausalLM, ONE_LAYER, inputs=left_padded_with_positions
    ),
    "fully_masked_row": Case(GPTBigCodeForCausalLM, ONE_LAYER, inputs=fully_masked),
    "generate": Case(GPTBigCodeForCausalLM, ENDLESS, inputs=prompt, generate=8),
    "generate_left_padded": Case(
        GPTBigCodeForCausalLM,
        ONE_LAYER | MULTI_HEAD | ENDLESS,
        inputs=left_padded_prompt,
        generate=8,
    ),
    # Stored dtypes, files and names
    "bf16": Case(GPTBigCodeForCausalLM, ONE_LAYER, dtype=torch.bfloat16),
    "sharded": Case(GPTBigCodeForCausalLM, ONE_LAYER, shard="3KB"),
    "no_prefix": Case(GPTBigCodeForCausalLM, ONE_LAYER, edit=without_prefix),
    "of_2023": Case(GPTBigCodeForCausalLM, ONE_LAYER, edit=of_2023),
    "usual_names": Case(GPTBigCodeForCausalLM, ONE_LAYER, edit=with_usual_names),
    "no_architectures": Case(GPTBigCodeForCausalLM, ONE_LAYER, edit=without_architectures),
    # To be refused
    "cross_attention": Case(
        GPTBigCodeForCausalLM, ONE_LAYER | MULTI_HEAD | {"add_cross_attention": True}, inputs=None
    ),
}


def config(case, seed):
    sizes = SIZES | {"layer_norm_epsilon": 1e-3 if seed % 2 else 1e-5}
    return GPTBigCodeConfig(**(sizes | case.config), attn_implementation="eager")


def centre(name):
    return (1, 0.3) if ".ln_" in f".{name}" and name.endswith("weight") else (0, 0.3)


if __name__ == "__main__":
    fixture.main(fixture.Family("gptbigcode", config, CASES, centre))
