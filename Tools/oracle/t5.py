"""Writes the T5 fixtures: python Tools/oracle/t5.py [CASE ...]"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from transformers import (
    LongT5EncoderModel,
    LongT5ForConditionalGeneration,
    LongT5Model,
    MT5ForConditionalGeneration,
    MT5ForTokenClassification,
    SwitchTransformersEncoderModel,
    SwitchTransformersForConditionalGeneration,
    SwitchTransformersModel,
    T5EncoderModel,
    T5ForConditionalGeneration,
    T5ForQuestionAnswering,
    T5ForSequenceClassification,
    T5ForTokenClassification,
    T5Model,
    UMT5EncoderModel,
    UMT5ForConditionalGeneration,
    UMT5ForSequenceClassification,
)
from transformers.models.t5.modeling_t5 import T5Attention

import fixture
from exact import golden
from fixture import rewrite_config, rewrite_weights

SIZES = {
    "vocab_size": 61,
    "d_model": 16,
    "d_kv": 6,  # heads × d_kv is not d_model
    "num_heads": 3,
    "d_ff": 20,
    "num_layers": 2,
    "num_decoder_layers": 3,
    "decoder_start_token_id": 0,
}


# --- Inputs: (random, config) -> named int64 arrays ------------------------------------------


def encoder(random, config, mask):
    """Random ids, padded ones included, under a mask [batch, length]."""
    mask = np.asarray(mask, dtype=np.int64)
    return {"input_ids": random.integers(2, config.vocab_size, mask.shape), "attention_mask": mask}


def prefix(random, config, batch, length):
    """Decoder ids as training shifts them: the start token first."""
    ids = random.integers(0, config.vocab_size, (batch, length))
    ids[:, 0] = config.decoder_start_token_id
    return {"decoder_input_ids": ids}


def encoder_padded(random, config):
    """Three rows of 9, of which 9, 5 and 1 are tokens."""
    return encoder(random, config, np.arange(9) < np.array([[9], [5], [1]]))


def right_padded(random, config):
    return encoder_padded(random, config) | prefix(random, config, 3, 7)


def both_sides_padded(random, config):
    """A row padded on the left, one on the right, one on both sides."""
    at = np.arange(9)
    inputs = encoder(random, config, [at >= 3, at < 6, (at >= 2) & (at < 7)])
    return inputs | prefix(random, config, 3, 7)


def decoder_padded(random, config):
    """The decoder too: a full row, one padded on the right, one on the left, whose first positions
    see no key at all."""
    at = np.arange(7)
    mask = np.array([at >= 0, at < 4, at >= 2], dtype=np.int64)
    return right_padded(random, config) | {"decoder_attention_mask": mask}


def fully_masked(random, config):
    """A row without any token, for encoder and cross attention; one padded on the left."""
    at = np.arange(9)
    return encoder(random, config, [at < 0, at >= 4, at < 7]) | prefix(random, config, 3, 7)


def long_padded(random, config):
    """Rows of 21 of which some blocks are padding alone: on the right, on both sides, and with a hole; a full one, and
    one without any token."""
    at = np.arange(21)
    mask = [at >= 0, at < 10, (at >= 6) & (at < 15), (at < 3) | (at > 11), at < 0]
    return encoder(random, config, mask) | prefix(random, config, 5, 4)


def ended(random, config):
    """Two end tokens in each row, at different places: the last one is pooled."""
    inputs = encoder_padded(random, config)
    inputs["input_ids"][[0, 0, 1, 1, 2, 2], [2, 8, 3, 4, 0, 6]] = config.eos_token_id
    return inputs


def start(random, config):
    return encoder_padded(random, config) | prefix(random, config, 3, 1)


def of_length(encoder_length, decoder_length):
    def inputs(random, config):
        ids = random.integers(0, config.vocab_size, (1, encoder_length))
        return {"input_ids": ids} | prefix(random, config, 1, decoder_length)

    return inputs


def of_encoder_length(length):
    def inputs(random, config):
        return {"input_ids": random.integers(0, config.vocab_size, (1, length))}

    return inputs


# --- Adjustments of the random model ---------------------------------------------------------


def own_head(model):
    """A head of its own; transformers 5 builds every T5 tied."""
    noise = torch.randn(model.shared.weight.shape, generator=torch.Generator().manual_seed(5))
    model.lm_head.weight = torch.nn.Parameter(0.3 * noise.to(model.dtype))


def half_but_wo(model):
    """What transformers makes of T5 in float16: every `wo` stays float32."""
    for name, parameter in model.named_parameters():
        if not name.endswith("wo.weight"):
            parameter.data = parameter.data.half()


# --- Edits: turn what save_pretrained wrote into what others write ---------------------------


def config_of_4(folder):
    """As transformers 4 writes it: no scale_decoder_outputs; tie_word_embeddings, false for a model
    with its own head, decides the scale too."""

    def change(config):
        scaled = config.pop("scale_decoder_outputs")
        absent = {"bos_token_id", "dtype", "is_decoder", "tie_word_embeddings"}
        config = {k: v for k, v in config.items() if k not in absent}
        config |= {"torch_dtype": "float32", "transformers_version": "4.46.3"}
        return config if scaled else config | {"tie_word_embeddings": False}

    rewrite_config(folder, change)


def config_of_2020(folder):
    """The least that the first published files hold: relu and the distance of 128 are implied."""
    kept = {"d_ff", "d_kv", "d_model", "decoder_start_token_id", "eos_token_id", "model_type"}
    kept |= {"architectures", "dropout_rate", "initializer_factor", "is_encoder_decoder"}
    kept |= {"layer_norm_epsilon", "num_heads", "num_layers", "pad_token_id", "vocab_size"}
    kept |= {"relative_attention_num_buckets"}
    unread = {"n_positions": 512, "output_past": True}
    rewrite_config(folder, lambda config: {k: v for k, v in config.items() if k in kept} | unread)


def of_2020(folder):
    """Every name of the one embedding stored, and the table of the cross attention that nothing
    reads."""

    def change(weights):
        shared = weights["shared.weight"]
        for name in (
            "encoder.embed_tokens.weight",
            "decoder.embed_tokens.weight",
            "lm_head.weight",
        ):
            weights[name] = shared.clone()
        table = weights["decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"]
        unread = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
        weights[unread] = table.flip(0).contiguous()
        return weights

    rewrite_weights(folder, change)
    config_of_2020(folder)


def embedding_of_encoder(folder):
    """The one embedding under another of its names."""

    def change(weights):
        weights["encoder.embed_tokens.weight"] = weights.pop("shared.weight")
        return weights

    rewrite_weights(folder, change)


def untied_config(folder):
    """As all published files of mT5 and UMT5 say it; transformers 5 does not look."""
    rewrite_config(folder, lambda config: config | {"tie_word_embeddings": False})


def without_architectures(folder):
    def change(config):
        return {k: v for k, v in config.items() if k not in ("architectures", "feed_forward_proj")}

    rewrite_config(folder, change)


def switch_of_2022(folder):
    """As the published files of Switch Transformers have it: every name of the one embedding stored, steps beside the
    numbers of layers with experts, and what no code of today reads."""

    def change(config):
        absent = {"bos_token_id", "dense_act_fn", "dtype", "is_decoder", "tie_word_embeddings"}
        config = {k: v for k, v in config.items() if k not in absent}
        unread = {"feed_forward_proj": "relu", "is_gated_act": False, "num_selected_experts": 1}
        unread |= {"router_type": "tokens_masked", "batch_prioritized_routing": False, "n_positions": 512}
        return config | unread

    def stored(weights):
        shared = weights["shared.weight"]
        names = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight")
        return weights | {name: shared.clone() for name in names}

    rewrite_weights(folder, stored)
    rewrite_config(folder, change)


# --- Cases -----------------------------------------------------------------------------------


@dataclass
class Case(fixture.Case):
    inputs: Callable | None = right_padded


T5 = T5ForConditionalGeneration
V11 = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}  # false: not scaled
SHALLOW = {"num_layers": 1, "num_decoder_layers": 1}
SOME = ("logits", "encoder_last_hidden_state", "decoder_hidden_states.1")
LOGITS = ("logits",)

LOCAL = {"num_layers": 2, "num_decoder_layers": 1, "local_radius": 3}
GLOBAL = LOCAL | {"encoder_attention_type": "transient-global", "global_block_size": 4}
GATED = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}

Switch = SwitchTransformersForConditionalGeneration
# Texts of nine, of which three experts take six at most
SPARSE = {"num_sparse_encoder_layers": 1, "num_sparse_decoder_layers": 1, "num_experts": 3, "expert_capacity": 2}
SPARSE |= {"d_model": 12, "d_ff": 16, "num_decoder_layers": 2}

CASES = {
    # Versions, and how the two generations of transformers spell their configs
    "v10": Case(T5, edit=config_of_4),
    "v10_config5": Case(T5, SHALLOW, keep=SOME),
    "v11": Case(T5, V11, adjust=own_head),
    "v11_config4": Case(T5, SHALLOW | V11, adjust=own_head, edit=config_of_4, keep=SOME),
    "tied_unscaled": Case(T5, SHALLOW | {"tie_word_embeddings": False}, keep=LOGITS),
    "untied_scaled": Case(T5, SHALLOW, adjust=own_head, keep=LOGITS),
    # Activations
    "gated_silu": Case(T5, SHALLOW | V11 | {"feed_forward_proj": "gated-silu"}, keep=SOME),
    "gelu": Case(T5, SHALLOW | {"feed_forward_proj": "gelu"}, keep=SOME),
    # Head classes
    "model": Case(T5Model, {"num_layers": 3, "num_decoder_layers": 2}),
    "encoder_only": Case(T5EncoderModel, inputs=encoder_padded),
    "sequence_classification": Case(
        T5ForSequenceClassification, SHALLOW | {"num_labels": 3}, inputs=ended
    ),
    "token_classification": Case(
        T5ForTokenClassification, {"num_labels": 5}, inputs=encoder_padded
    ),
    "question_answering": Case(T5ForQuestionAnswering, SHALLOW | V11, inputs=encoder_padded),
    # Relative positions: beyond the distance in every direction
    "buckets": Case(
        T5Model,
        {"relative_attention_num_buckets": 16, "relative_attention_max_distance": 40},
        inputs=of_length(64, 60),
        keep=("last_hidden_state", "encoder_last_hidden_state"),
    ),
    "long": Case(
        T5Model,
        {"d_model": 8, "num_heads": 2, "num_decoder_layers": 2},
        inputs=of_length(150, 140),
        keep=("last_hidden_state", "encoder_last_hidden_state"),
    ),
    # Inputs
    "padding_left_right": Case(T5, SHALLOW, inputs=both_sides_padded, keep=SOME),
    "decoder_mask": Case(T5, SHALLOW, inputs=decoder_padded, keep=SOME),
    "fully_masked": Case(T5, SHALLOW, inputs=fully_masked, keep=SOME),
    # transformers 5.23 cannot generate with a decoder deeper than its encoder
    "generate": Case(
        T5,
        V11 | {"num_decoder_layers": 2, "eos_token_id": 55},
        inputs=start,
        adjust=own_head,
        keep=LOGITS,
        generate=12,
    ),
    # Kin. ByT5 is a T5 whose encoder is deeper than its decoder, and whose words are bytes.
    "byt5": Case(
        T5,
        V11 | {"vocab_size": 384, "d_model": 8, "num_decoder_layers": 1},
        inputs=of_length(9, 3),
        adjust=own_head,
        keep=SOME,
    ),
    "mt5": Case(
        MT5ForConditionalGeneration,
        V11 | {"num_decoder_layers": 2, "eos_token_id": 55},
        inputs=start,
        adjust=own_head,
        edit=untied_config,
        keep=LOGITS,
        generate=10,
    ),
    "mt5_token_classification": Case(
        MT5ForTokenClassification, {"num_labels": 5}, inputs=encoder_padded, keep=LOGITS
    ),
    "umt5": Case(UMT5ForConditionalGeneration, keep=SOME),
    "umt5_generate": Case(
        UMT5ForConditionalGeneration,
        {"num_decoder_layers": 2, "eos_token_id": 55},
        inputs=start,
        adjust=own_head,
        edit=untied_config,
        keep=LOGITS,
        generate=5,
    ),
    "umt5_encoder": Case(UMT5EncoderModel, {"d_model": 8}, inputs=of_encoder_length(150), keep=()),
    "umt5_sequence_classification": Case(
        UMT5ForSequenceClassification,
        SHALLOW | {"num_labels": 3},
        inputs=ended,
        edit=without_architectures,
        keep=LOGITS,
        reloads=False,
    ),
    # What is near, in blocks of four: texts that end in one, with one, and before the second
    "longt5": Case(LongT5ForConditionalGeneration, LOCAL, inputs=long_padded, keep=SOME),
    "longt5_base": Case(LongT5Model, LOCAL | GATED, inputs=of_length(24, 3), keep=()),
    "longt5_generate": Case(
        LongT5ForConditionalGeneration,
        LOCAL | GATED | {"eos_token_id": 55},
        inputs=start,
        keep=LOGITS,
        generate=6,
    ),
    # And sums of four
    "longt5_global": Case(
        LongT5ForConditionalGeneration, GLOBAL | GATED, inputs=long_padded, keep=SOME
    ),
    "longt5_global_far": Case(
        LongT5Model, GLOBAL | {"relative_attention_num_buckets": 8, "relative_attention_max_distance": 9},
        inputs=of_length(50, 3),
        keep=("last_hidden_state", "encoder_last_hidden_state"),
    ),
    "longt5_global_short": Case(
        LongT5EncoderModel, GLOBAL, inputs=of_encoder_length(3), keep=("last_hidden_state",)
    ),
    "longt5_global_generate": Case(
        LongT5ForConditionalGeneration,
        GLOBAL | {"eos_token_id": 55},
        inputs=start,
        edit=without_architectures,
        keep=LOGITS,
        generate=6,
    ),
    # Experts in every second layer, in every layer, and in the second one though there are to be none
    "switch": Case(Switch, SPARSE, keep=SOME),
    "switch_base": Case(
        SwitchTransformersModel,
        SPARSE
        | {"num_sparse_encoder_layers": 2, "num_sparse_decoder_layers": 2, "router_bias": True}
        | {"dense_act_fn": "gelu_new", "expert_capacity": 3},
        inputs=both_sides_padded,
        keep=("last_hidden_state", "encoder_last_hidden_state"),
    ),
    "switch_encoder": Case(
        SwitchTransformersEncoderModel,
        SPARSE | {"num_sparse_encoder_layers": 0, "expert_capacity": 1},
        inputs=encoder_padded,
        keep=("last_hidden_state",),
    ),
    # And in none, since they are more than there are layers
    "switch_dense": Case(
        Switch,
        SPARSE | SHALLOW | {"num_sparse_encoder_layers": 2, "num_sparse_decoder_layers": 3},
        inputs=decoder_padded,
        keep=LOGITS,
    ),
    "switch_generate": Case(
        Switch,
        SPARSE | {"tie_word_embeddings": False, "eos_token_id": 55},
        inputs=start,
        keep=LOGITS,
        generate=8,
    ),
    "switch_old": Case(
        Switch, SPARSE | {"num_layers": 4, "num_sparse_encoder_layers": 2, "d_ff": 8}, edit=switch_of_2022, keep=LOGITS
    ),
    "switch_bf16": Case(Switch, SPARSE, dtype=torch.bfloat16, keep=SOME),
    # Stored dtypes
    "f16_mixed": Case(T5, V11 | {"num_decoder_layers": 2}, adjust=half_but_wo, keep=SOME),
    "bf16": Case(T5, V11, dtype=torch.bfloat16, adjust=own_head, keep=SOME),
    # Files and names
    "old_names": Case(T5, {"num_decoder_layers": 2}, edit=of_2020, keep=SOME),
    "encoder_name": Case(T5, SHALLOW, edit=embedding_of_encoder, keep=LOGITS),
    "sharded": Case(T5, V11, adjust=own_head, shard="15KB", keep=LOGITS),
}


def config(case, seed):
    sizes = SIZES | {"layer_norm_epsilon": 1e-3 if seed % 2 else 1e-6}
    return case.model.config_class(**(sizes | case.config), attn_implementation="eager")


def centre(name):
    if name.endswith("layer_norm.weight"):
        return 1, 0.3
    # Clear choices of experts
    if name.endswith(("shared.weight", "relative_attention_bias.weight", "router.classifier.weight")):
        return 0, 1
    return 0, 0.2 if name.endswith((".q.weight", ".k.weight")) else 0.3


def check_buckets():
    """The buckets, computed below float64 in transformers, are the same when they are lifted."""
    distance = torch.arange(-200, 201)
    for both in (True, False):
        for buckets, reach in ((32, 128), (16, 40)):
            as_is = T5Attention._relative_position_bucket(distance, both, buckets, reach)
            with golden.lifted():
                lifted = T5Attention._relative_position_bucket(distance, both, buckets, reach)
            assert torch.equal(as_is, lifted)


if __name__ == "__main__":
    check_buckets()
    fixture.main(fixture.Family("t5", config, CASES, centre))
