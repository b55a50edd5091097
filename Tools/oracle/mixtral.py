"""Writes the fixtures of Mixtral and its members: python Tools/oracle/mixtral.py [CASE ...]"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from transformers import (
    MixtralForCausalLM,
    MixtralForQuestionAnswering,
    MixtralForSequenceClassification,
    MixtralForTokenClassification,
    MixtralModel,
    OlmoeForCausalLM,
    OlmoeModel,
    Qwen2MoeForCausalLM,
    Qwen2MoeForQuestionAnswering,
    Qwen2MoeForSequenceClassification,
    Qwen2MoeModel,
    Qwen3MoeForCausalLM,
    Qwen3MoeForQuestionAnswering,
    Qwen3MoeForTokenClassification,
)

import fixture
from fixture import rewrite_config
from gpt2 import PAD, fully_masked, left_padded, left_padded_prompt, one_row, padding_tokens, prompt
from llama import far_positions, of_transformers_4, right_padded, rope, without_architectures

# Two query heads share a key head; of five experts a token has two.
SIZES = {
    "vocab_size": 37,
    "hidden_size": 12,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 10,
    "num_hidden_layers": 1,
    "max_position_embeddings": 32,
    "bos_token_id": 36,
    "eos_token_id": 36,
    "pad_token_id": None,
    "num_experts_per_tok": 2,
}
# What the members call the number of experts, and what they have of their own. Where heads have no size of
# their own they share an even width.
OWN = {
    "mixtral": {"num_local_experts": 5, "head_dim": 8},
    "qwen2_moe": {
        "hidden_size": 16,
        "num_experts": 5,
        "moe_intermediate_size": 6,
        "shared_expert_intermediate_size": 7,
    },
    "qwen3_moe": {"num_experts": 5, "moe_intermediate_size": 6, "head_dim": 8},
    "olmoe": {"hidden_size": 16, "num_experts": 5},
}


# --- Edits: turn what save_pretrained wrote into what others write ---------------------------


def of_4(folder):
    """As transformers 4 wrote Mixtral's config."""
    of_transformers_4(folder)

    def change(config):
        config["output_router_logits"] = False
        config["rope_theta"] = 1000000.0
        del config["rope_scaling"], config["router_jitter_noise"]
        return config

    rewrite_config(folder, change)


def of_qwen3(folder):
    """As Qwen3-MoE's published configs are."""

    def change(config):
        config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
        config |= {"rope_scaling": None, "torch_dtype": config.pop("dtype"), "max_window_layers": 1}
        return config

    rewrite_config(folder, change)


def without_rotary(folder):
    """No base: the member's own."""

    def change(config):
        del config["rope_parameters"]
        return config

    rewrite_config(folder, change)


# --- Cases -----------------------------------------------------------------------------------


@dataclass
class Case(fixture.Case):
    inputs: Callable | None = right_padded
    keep: tuple = ("logits",)
    dtype: torch.dtype = torch.bfloat16


TWO_LAYERS = {"num_hidden_layers": 2}
SOME = ("logits", "hidden_states.1")
# An end token that does not come up in what is generated.
ENDLESS = {"eos_token_id": 33}
NORMAL = {"norm_topk_prob": True}
FOUR_LAYERS = {"num_hidden_layers": 4, "decoder_sparse_step": 2, "intermediate_size": 9}

CASES = {
    # Head classes
    "base": Case(MixtralModel, keep=(), dtype=torch.float32),
    "lm": Case(MixtralForCausalLM, TWO_LAYERS, keep=()),
    "lm_tied": Case(MixtralForCausalLM, {"tie_word_embeddings": True}),
    "sequence_classification": Case(
        MixtralForSequenceClassification,
        {"num_labels": 3, "pad_token_id": PAD},
        inputs=padding_tokens,
    ),
    "sequence_classification_no_pad": Case(MixtralForSequenceClassification, inputs=one_row),
    "token_classification": Case(MixtralForTokenClassification, {"num_labels": 5}),
    "question_answering": Case(MixtralForQuestionAnswering, keep=()),
    # Experts
    "one_of_three": Case(
        MixtralForCausalLM,
        {"num_local_experts": 3, "num_experts_per_tok": 1, "hidden_act": "gelu"},
    ),
    "all_of_three": Case(
        MixtralForCausalLM, {"num_local_experts": 3, "num_experts_per_tok": 3}, inputs=far_positions
    ),
    "square": Case(MixtralForCausalLM, {"intermediate_size": 12}),
    "twelve_experts": Case(
        MixtralForCausalLM, {"num_local_experts": 12, "num_experts_per_tok": 3}, keep=SOME
    ),
    # Windows and inputs
    "window": Case(MixtralForCausalLM, {"sliding_window": 3}),
    "fully_masked_row": Case(MixtralForCausalLM, inputs=fully_masked),
    "left_padding": Case(MixtralForCausalLM, inputs=left_padded),
    "generate": Case(MixtralForCausalLM, ENDLESS, inputs=prompt, generate=10),
    "generate_window": Case(
        MixtralForCausalLM, ENDLESS | {"sliding_window": 4}, inputs=prompt, generate=10
    ),
    "generate_left_padded": Case(
        MixtralForCausalLM, ENDLESS, inputs=left_padded_prompt, generate=10
    ),
    # Stored dtypes, files and names
    # As the modules have it: the experts of a layer are one tensor
    "fused": Case(MixtralForCausalLM, as_modules=True),
    "fused_square": Case(MixtralForCausalLM, {"intermediate_size": 12}, as_modules=True),
    "of_4": Case(MixtralForCausalLM, {"hidden_size": 16, "head_dim": None}, edit=of_4),
    "own_theta": Case(MixtralForCausalLM, edit=without_rotary),
    "f16": Case(MixtralForCausalLM, dtype=torch.float16),
    "sharded": Case(MixtralForCausalLM, shard="4KB"),
    "no_architectures": Case(MixtralForCausalLM, edit=without_architectures),
    # Members
    "qwen2": Case(Qwen2MoeForCausalLM, TWO_LAYERS, keep=SOME),
    "qwen2_base": Case(Qwen2MoeModel, NORMAL, keep=()),
    "qwen2_some_layers": Case(
        Qwen2MoeForCausalLM, FOUR_LAYERS | {"mlp_only_layers": [1]}, keep=SOME
    ),
    "qwen2_no_bias": Case(
        Qwen2MoeForCausalLM, NORMAL | {"qkv_bias": False, "tie_word_embeddings": True}
    ),
    "qwen2_windows": Case(
        Qwen2MoeForCausalLM,
        {
            "use_sliding_window": True,
            "sliding_window": 3,
            "max_window_layers": 2,
            "num_hidden_layers": 3,
            "mlp_only_layers": [0],
        },
    ),
    "qwen2_fused": Case(Qwen2MoeForCausalLM, FOUR_LAYERS, as_modules=True),
    "qwen2_generate": Case(Qwen2MoeForCausalLM, ENDLESS, inputs=prompt, generate=8),
    "qwen2_sequence_classification": Case(
        Qwen2MoeForSequenceClassification,
        {"num_labels": 3, "pad_token_id": PAD},
        inputs=padding_tokens,
    ),
    "qwen2_question_answering": Case(Qwen2MoeForQuestionAnswering, keep=()),
    "qwen3": Case(Qwen3MoeForCausalLM, TWO_LAYERS | NORMAL, keep=SOME),
    "qwen3_not_normal": Case(Qwen3MoeForCausalLM, {"attention_bias": True}),
    "qwen3_some_layers": Case(
        Qwen3MoeForCausalLM, FOUR_LAYERS | NORMAL | {"mlp_only_layers": [3]}, edit=of_qwen3
    ),
    "qwen3_window": Case(
        Qwen3MoeForCausalLM, NORMAL | {"use_sliding_window": True, "sliding_window": 3}
    ),
    "qwen3_yarn": Case(
        Qwen3MoeForCausalLM,
        NORMAL | rope("yarn", factor=4.0, original_max_position_embeddings=8),
        inputs=far_positions,
    ),
    "qwen3_generate": Case(
        Qwen3MoeForCausalLM, ENDLESS | NORMAL, inputs=left_padded_prompt, generate=8
    ),
    "qwen3_token_classification": Case(Qwen3MoeForTokenClassification, {"num_labels": 3}),
    "qwen3_question_answering": Case(Qwen3MoeForQuestionAnswering, keep=()),
    "olmoe": Case(OlmoeForCausalLM, TWO_LAYERS, keep=SOME),
    "olmoe_base": Case(OlmoeModel, NORMAL, keep=()),
    "olmoe_clip": Case(OlmoeForCausalLM, {"clip_qkv": 0.7, "attention_bias": True}),
    "olmoe_all_heads": Case(
        OlmoeForCausalLM, {"num_key_value_heads": None, "tie_word_embeddings": True}
    ),
    "olmoe_generate": Case(OlmoeForCausalLM, ENDLESS, inputs=prompt, generate=8),
    # To be refused
    "too_many_of_three": Case(
        MixtralForCausalLM, {"num_local_experts": 3, "num_experts_per_tok": 4}, inputs=None
    ),
}


def config(case, seed):
    kind = case.model.config_class.model_type
    sizes = SIZES | OWN[kind] | {"rms_norm_eps": 1e-3 if seed % 2 else 1e-5}
    return case.model.config_class(
        **(sizes | case.config), attn_implementation="eager", experts_implementation="eager"
    )


def centre(name):
    """Routers choose clearly."""
    if "norm" in name and name.endswith("weight"):
        return (1, 0.3)
    return (0, 0.8) if name.endswith("mlp.gate.weight") else (0, 0.3)


if __name__ == "__main__":
    fixture.main(fixture.Family("mixtral", config, CASES, centre))
