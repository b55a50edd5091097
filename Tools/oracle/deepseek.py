"""Writes the fixtures of DeepSeek V2 and V3: python Tools/oracle/deepseek.py [CASE ...]"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from safetensors.torch import load_file, save_file
from transformers import (
    DeepseekV2ForCausalLM,
    DeepseekV2ForSequenceClassification,
    DeepseekV2Model,
    DeepseekV3ForCausalLM,
    DeepseekV3ForSequenceClassification,
    DeepseekV3ForTokenClassification,
    DeepseekV3Model,
)

import fixture
import fp8
from fixture import rewrite_config, rewrite_weights
from gpt2 import PAD, fully_masked, left_padded, left_padded_prompt, one_row, padding_tokens, prompt
from llama import far_positions, right_padded, rope, seven_hundred, without_architectures

# Heads of 6 + 4 numbers, of which 4 are turned, with values of 5; of eight experts in four groups a token has
# three. The first layer is dense.
SIZES = {
    "vocab_size": 37,
    "hidden_size": 12,
    "num_attention_heads": 3,
    "num_key_value_heads": 3,
    "kv_lora_rank": 7,
    "q_lora_rank": 9,
    "qk_nope_head_dim": 6,
    "qk_rope_head_dim": 4,
    "v_head_dim": 5,
    "intermediate_size": 10,
    "moe_intermediate_size": 6,
    "first_k_dense_replace": 0,
    "n_routed_experts": 8,
    "n_shared_experts": 2,
    "num_experts_per_tok": 3,
    "num_hidden_layers": 1,
    "max_position_embeddings": 32,
    "bos_token_id": 36,
    "eos_token_id": 36,
    "pad_token_id": None,
}
OWN = {
    # What transformers turns as complex numbers must begin at an even place.
    "deepseek_v2": {"kv_lora_rank": 8, "topk_method": "greedy", "routed_scaling_factor": 1.5},
    "deepseek_v3": {"n_group": 4, "topk_group": 2, "num_nextn_predict_layers": 0},
}


# --- Adjustments and edits -------------------------------------------------------------------


def biased(model):
    """Biases that choose other experts than the scores would."""
    random = torch.Generator().manual_seed(3)
    for name, buffer in model.named_buffers():
        if name.endswith("e_score_correction_bias"):
            buffer.copy_(torch.randn(buffer.shape, generator=random))


def old_config(folder, own):
    def change(config):
        rotary = config.pop("rope_parameters")
        config["rope_theta"] = rotary.pop("rope_theta")
        kind = rotary.pop("rope_type")
        config["rope_scaling"] = None if kind == "default" else rotary | {"type": kind}
        config["torch_dtype"] = config.pop("dtype")
        config |= {
            "auto_map": {"AutoConfig": "configuration_deepseek.DeepseekConfig"},
            "aux_loss_alpha": 0.001,
            "moe_layer_freq": 1,
            "seq_aux": True,
        } | own
        for key in ("rope_interleave", "head_dim", "qk_head_dim", "mlp_bias"):
            config.pop(key, None)
        return config

    rewrite_config(folder, change)


def of_2024(folder):
    """The config of V2 as it was published."""
    old_config(folder, {"scoring_func": "softmax", "norm_topk_prob": False})


def of_2025(folder):
    """The config of V3 as it was published."""

    def in_single_precision(weights):
        """The biases, in a file of bfloat16."""
        names = [name for name in weights if name.endswith("e_score_correction_bias")]
        return weights | {name: weights[name].float() for name in names}

    rewrite_weights(folder, in_single_precision)
    own = {"scoring_func": "sigmoid", "topk_method": "noaux_tc", "ep_size": 1}
    old_config(folder, own | {"num_nextn_predict_layers": 1})


def with_next_token_layer(folder):
    """The layer that predicts one more token, which the published files hold behind the last one."""

    def change(weights):
        random = torch.Generator().manual_seed(5)

        def noise(*shape):
            return torch.randn(shape, generator=random).to(torch.bfloat16)

        last = {k: v for k, v in weights.items() if k.startswith("model.layers.0.")}
        for name, weight in last.items():
            weights[name.replace("layers.0.", "layers.1.")] = noise(*weight.shape).to(weight.dtype)
        width, words = SIZES["hidden_size"], SIZES["vocab_size"]
        own = {"enorm.weight": (width,), "hnorm.weight": (width,)}
        own |= {"eh_proj.weight": (width, 2 * width), "embed_tokens.weight": (words, width)}
        own |= {"shared_head.norm.weight": (width,), "shared_head.head.weight": (words, width)}
        for name, shape in own.items():
            weights["model.layers.1." + name] = noise(*shape)
        return weights

    rewrite_weights(folder, change)
    of_2025(folder)


def in_eight_bits(model):
    """Matrices that 8-bit codes and scales of blocks stand for."""
    CODES.clear()
    for name, weight in model.named_parameters():
        matrices = [(name, weight)]
        if "mlp.experts.gate_up_proj" in name:
            layer = name.removesuffix("gate_up_proj")
            matrices = [
                (f"{layer}{number}.{part}.weight", rows)
                for number, expert in enumerate(weight)
                for part, rows in zip(("gate_proj", "up_proj"), expert.chunk(2))
            ]
        elif "mlp.experts.down_proj" in name:
            layer = name.removesuffix("down_proj")
            matrices = [(f"{layer}{n}.down_proj.weight", rows) for n, rows in enumerate(weight)]
        elif not name.endswith("proj.weight") and "kv_a_proj" not in name:
            continue
        for stored, matrix in matrices:
            codes, scales = fp8.quantised(matrix.data)
            matrix.data.copy_(fp8.dequantised(codes, scales))
            CODES[stored] = (codes, scales)
    biased(model)


CODES = {}


def with_codes(folder):
    weights = load_file(folder / "model.safetensors")
    for name, (codes, scales) in CODES.items():
        assert weights[name].shape == codes.shape
        weights[name], weights[name + "_scale_inv"] = codes, scales
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    of_2025(folder)

    def change(config):
        config["quantization_config"] = {
            "activation_scheme": "dynamic",
            "fmt": "e4m3",
            "quant_method": "fp8",
            "weight_block_size": list(fp8.BLOCK),
        }
        return config

    rewrite_config(folder, change)


# --- Cases -----------------------------------------------------------------------------------


@dataclass
class Case(fixture.Case):
    inputs: Callable | None = right_padded
    keep: tuple = ("logits",)
    dtype: torch.dtype = torch.bfloat16
    adjust: Callable | None = biased


TWO_LAYERS = {"num_hidden_layers": 2, "first_k_dense_replace": 1}
SOME = ("logits", "hidden_states.1")
# An end token that does not come up in what is generated.
ENDLESS = {"eos_token_id": 33}
LITE = {"q_lora_rank": None, "n_shared_experts": 1}
GROUPS = {"topk_method": "group_limited_greedy", "n_group": 4, "topk_group": 2}
YARN = {"factor": 4.0, "original_max_position_embeddings": 8}
MSCALES = rope("yarn", mscale=1.0, mscale_all_dim=1.0, **YARN)
OTHER_MSCALES = rope("yarn", mscale=0.707, mscale_all_dim=0.5, beta_fast=4, **YARN)

CASES = {
    # V2
    "v2_base": Case(DeepseekV2Model, LITE, keep=()),
    "v2": Case(DeepseekV2ForCausalLM, TWO_LAYERS, keep=SOME),
    "v2_tied": Case(DeepseekV2ForCausalLM, LITE | {"tie_word_embeddings": True}),
    "v2_sequence_classification": Case(
        DeepseekV2ForSequenceClassification,
        {"num_labels": 3, "pad_token_id": PAD},
        inputs=padding_tokens,
    ),
    "v2_groups": Case(DeepseekV2ForCausalLM, GROUPS),
    "v2_biases": Case(
        DeepseekV2ForCausalLM, TWO_LAYERS | {"attention_bias": True, "mlp_bias": True}
    ),
    "v2_lite_biases": Case(DeepseekV2ForCausalLM, LITE | {"attention_bias": True}),
    "v2_yarn": Case(DeepseekV2ForCausalLM, OTHER_MSCALES, inputs=far_positions),
    "v2_of_2024": Case(DeepseekV2ForCausalLM, GROUPS | MSCALES, edit=of_2024),
    "v2_generate": Case(DeepseekV2ForCausalLM, ENDLESS | LITE, inputs=prompt, generate=10),
    # V3
    "base": Case(DeepseekV3Model, keep=(), dtype=torch.float32),
    "lm": Case(DeepseekV3ForCausalLM, TWO_LAYERS, keep=()),
    "lm_tied": Case(DeepseekV3ForCausalLM, {"tie_word_embeddings": True}),
    "sequence_classification": Case(
        DeepseekV3ForSequenceClassification,
        {"num_labels": 3, "pad_token_id": PAD},
        inputs=padding_tokens,
    ),
    "sequence_classification_no_pad": Case(DeepseekV3ForSequenceClassification, inputs=one_row),
    "token_classification": Case(DeepseekV3ForTokenClassification, {"num_labels": 5}),
    "lite": Case(DeepseekV3ForCausalLM, LITE | {"n_group": 1, "topk_group": 1}),
    "halves": Case(DeepseekV3ForCausalLM, {"rope_interleave": False}, inputs=far_positions),
    "not_normal": Case(
        DeepseekV3ForCausalLM, {"norm_topk_prob": False, "routed_scaling_factor": 0.7}
    ),
    "square": Case(
        DeepseekV3ForCausalLM,
        {"moe_intermediate_size": 12, "kv_lora_rank": 12, "q_lora_rank": 12, "v_head_dim": 6},
    ),
    "biases": Case(DeepseekV3ForCausalLM, {"attention_bias": True}),
    "yarn": Case(DeepseekV3ForCausalLM, MSCALES, inputs=far_positions),
    "yarn_other": Case(DeepseekV3ForCausalLM, OTHER_MSCALES, inputs=far_positions),
    "yarn_no_mscale": Case(DeepseekV3ForCausalLM, rope("yarn", **YARN), inputs=far_positions),
    "long": Case(
        DeepseekV3ForSequenceClassification,
        {"max_position_embeddings": 1024}
        | rope(
            "yarn",
            theta=10000.0,
            factor=8.0,
            original_max_position_embeddings=128,
            mscale=1.0,
            mscale_all_dim=1.0,
        ),
        inputs=seven_hundred,
    ),
    "fully_masked_row": Case(DeepseekV3ForCausalLM, inputs=fully_masked),
    "left_padding": Case(DeepseekV3ForCausalLM, inputs=left_padded),
    "generate": Case(DeepseekV3ForCausalLM, ENDLESS, inputs=prompt, generate=10),
    "generate_left_padded": Case(
        DeepseekV3ForCausalLM, ENDLESS | LITE, inputs=left_padded_prompt, generate=10
    ),
    # Stored dtypes, files and names
    "f16": Case(DeepseekV3ForCausalLM, dtype=torch.float16),
    "sharded": Case(DeepseekV3ForCausalLM, shard="4KB"),
    # As the modules have it: the experts of a layer are one tensor
    "fused": Case(DeepseekV3ForCausalLM, TWO_LAYERS, as_modules=True),
    "fused_v2": Case(DeepseekV2ForCausalLM, as_modules=True),
    "no_architectures": Case(DeepseekV3ForCausalLM, edit=without_architectures),
    "of_2025": Case(DeepseekV3ForCausalLM, MSCALES, edit=of_2025),
    "next_token_layer": Case(
        DeepseekV3ForCausalLM, MSCALES, edit=with_next_token_layer, reloads=False
    ),
    "fp8": Case(
        DeepseekV3ForCausalLM,
        {"hidden_size": 24, "moe_intermediate_size": 18},
        adjust=in_eight_bits,
        edit=with_codes,
        reloads=False,
        dtype=torch.float32,
    ),
    # To be refused
    "too_few_in_groups": Case(
        DeepseekV3ForCausalLM, {"topk_group": 1, "num_experts_per_tok": 3}, inputs=None
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
    fixture.main(fixture.Family("deepseek", config, CASES, centre))
