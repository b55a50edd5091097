"""Writes the fixtures of ESM: python Tools/oracle/esm.py [CASE ...]"""

import torch
from transformers import (
    EsmConfig,
    EsmForMaskedLM,
    EsmForSequenceClassification,
    EsmForTokenClassification,
    EsmModel,
)

import encoders
from bert import left_padded, right_padded
from encoders import ONE_LAYER, Case, without_architectures, without_types
from fixture import rewrite_config, rewrite_weights

MASK = 3
# transformers 5 writes a pattern of names of its predecessors as it is, and reads it.
FREQUENCIES = "esm.encoder.layer.*.attention.self.rotary_embeddings.inv_freq"
SIZES = encoders.SIZES | {"hidden_size": 8, "pad_token_id": 1, "mask_token_id": MASK}
ROTARY = {"position_embedding_type": "rotary"}
OF_2 = ROTARY | {"token_dropout": True}
padded = without_types(right_padded)


def with_masks(make):
    """Masks in two rows: three in one, and one of which one is padding."""

    def inputs(random, config):
        made = without_types(make)(random, config)
        ids = made["input_ids"]
        ids[ids == MASK] = MASK + 1
        ids[0, [2, 3, 7]] = MASK
        ids[2, [4, 8]] = MASK
        return made

    return inputs


def inner_positions(random, config):
    """Positions of one's own."""
    made = padded(random, config)
    made["position_ids"] = random.integers(0, config.max_position_embeddings, made["input_ids"].shape)
    return made


def of_4(folder):
    """As transformers 4 left ESM-2: frequencies in each layer, in half precision, a table of positions and their
    numbers that nothing reads, the tied decoder, and keys of the config that are read no more."""

    def weights_of_4(weights):
        old = {
            name.replace("LayerNorm.gamma", "LayerNorm.weight").replace(
                "LayerNorm.beta", "LayerNorm.bias"
            ): tensor
            for name, tensor in weights.items()
        }
        frequencies = old.pop(FREQUENCIES).half()
        for layer in range(2):
            name = f"esm.encoder.layer.{layer}.attention.self.rotary_embeddings.inv_freq"
            old[name] = frequencies.clone()
        table = weights["esm.embeddings.word_embeddings.weight"]
        old["lm_head.decoder.weight"] = table.clone()
        old["esm.embeddings.position_embeddings.weight"] = torch.full((15, table.shape[1]), 0.5)
        old["esm.embeddings.position_ids"] = torch.arange(15).unsqueeze(0)
        return old

    def config_of_4(config):
        config["torch_dtype"] = config.pop("dtype")
        for absent in ("add_cross_attention", "is_decoder", "tie_word_embeddings", "rope_theta"):
            config.pop(absent, None)
        return config | {
            "transformers_version": "4.30.2",
            "hidden_act": "gelu",
            "classifier_dropout": None,
            "esmfold_config": None,
            "vocab_list": None,
            "is_folding_model": False,
        }

    rewrite_weights(folder, weights_of_4)
    rewrite_config(folder, config_of_4)


def halved(model):
    """The frequencies of a file in half precision, which are used as they are."""
    frequencies = model.esm.rotary_embeddings.inv_freq
    frequencies.copy_(frequencies.half())


def wrong_frequencies(folder):
    def change(weights):
        weights[FREQUENCIES] = weights[FREQUENCIES].flip(0).contiguous()
        return weights

    rewrite_weights(folder, change)


CASES = {
    "base": Case(EsmModel, OF_2 | {"rope_theta": 500.0}, inputs=with_masks(right_padded), keep=()),
    "base_absolute": Case(
        EsmModel,
        ONE_LAYER | {"emb_layer_norm_before": True, "token_dropout": True},
        inputs=with_masks(left_padded),
        keep=("last_hidden_state",),
    ),
    "masked_lm": Case(EsmForMaskedLM, OF_2, inputs=with_masks(right_padded)),
    "masked_lm_untied": Case(
        EsmForMaskedLM, ONE_LAYER | {"tie_word_embeddings": False}, inputs=padded
    ),
    "causal": Case(EsmForMaskedLM, ROTARY | {"is_decoder": True}, inputs=without_types(left_padded)),
    "positions": Case(
        EsmForMaskedLM, ROTARY | ONE_LAYER, inputs=inner_positions, as_modules=True
    ),
    "sequence_classification": Case(
        EsmForSequenceClassification, OF_2 | {"num_labels": 3}, inputs=with_masks(right_padded)
    ),
    "token_classification": Case(
        EsmForTokenClassification,
        ONE_LAYER | ROTARY | {"num_labels": 5, "emb_layer_norm_before": True},
        inputs=padded,
    ),
    "of_4": Case(EsmForMaskedLM, OF_2, edit=of_4, adjust=halved, inputs=with_masks(right_padded)),
    "no_architectures": Case(
        EsmForSequenceClassification, OF_2 | ONE_LAYER, edit=without_architectures, inputs=padded
    ),
    # To be refused
    "wrong_frequencies": Case(EsmForMaskedLM, OF_2 | ONE_LAYER, edit=wrong_frequencies, inputs=None),
}

if __name__ == "__main__":
    encoders.main("esm", EsmConfig, CASES, SIZES)
