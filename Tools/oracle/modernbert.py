"""Writes the fixtures of ModernBERT: python Tools/oracle/modernbert.py [CASE ...]"""

from transformers import (
    ModernBertConfig,
    ModernBertForMaskedLM,
    ModernBertForMultipleChoice,
    ModernBertForQuestionAnswering,
    ModernBertForSequenceClassification,
    ModernBertForTokenClassification,
    ModernBertModel,
)

import encoders
from bert import left_padded
from encoders import Case, choices, right_padded, without_architectures, without_types
from fixture import rewrite_config

# Heads of 4; windows of 2 keys to either side, and bases that rows of 9 show.
SIZES = {
    "vocab_size": 17,
    "hidden_size": 8,
    "num_attention_heads": 2,
    "intermediate_size": 5,
    "num_hidden_layers": 2,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "cls_token_id": 1,
    "eos_token_id": 2,
    "sep_token_id": 2,
    "local_attention": 4,
    "rope_parameters": {
        "full_attention": {"rope_type": "default", "rope_theta": 500.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 20.0},
    },
}
ONE_LAYER = {"num_hidden_layers": 1}
BIASES = {
    "attention_bias": True,
    "mlp_bias": True,
    "norm_bias": True,
    "classifier_bias": True,
}
right_padded, left_padded, choices = map(without_types, (right_padded, left_padded, choices))


def of_4(folder):
    """As transformers 4 left configs: one layer in so many sees everything, bases beside each other."""

    def change(config):
        rotary = config.pop("rope_parameters")
        config["global_rope_theta"] = rotary["full_attention"]["rope_theta"]
        config["local_rope_theta"] = rotary["sliding_attention"]["rope_theta"]
        config["global_attn_every_n_layers"] = 3
        del config["layer_types"]
        config["torch_dtype"] = config.pop("dtype")
        return config | {
            "layer_norm_eps": 1e-05,
            "position_embedding_type": "absolute",
            "repad_logits_with_grad": False,
        }

    rewrite_config(folder, change)


def case(model, config={}, inputs=right_padded, **more):
    return Case(model, config, inputs=inputs, **more)


CASES = {
    "base": case(ModernBertModel, {"num_hidden_layers": 4}, keep=()),
    "base_biases": case(ModernBertModel, BIASES, inputs=left_padded, keep=()),
    "layer_types": case(
        ModernBertModel,
        {"layer_types": ["sliding_attention", "full_attention"], "local_attention": 3},
        keep=("last_hidden_state",),
    ),
    "masked_lm": case(ModernBertForMaskedLM, {"hidden_activation": "silu"}),
    "masked_lm_untied": case(
        ModernBertForMaskedLM,
        ONE_LAYER | BIASES | {"tie_word_embeddings": False, "classifier_activation": "relu"},
    ),
    "masked_lm_no_bias": case(ModernBertForMaskedLM, ONE_LAYER | {"decoder_bias": False}),
    "sequence_classification": case(ModernBertForSequenceClassification, {"num_labels": 3}),
    "sequence_classification_mean": case(
        ModernBertForSequenceClassification,
        BIASES | {"num_labels": 3, "classifier_pooling": "mean"},
        inputs=left_padded,
    ),
    "multiple_choice": case(ModernBertForMultipleChoice, ONE_LAYER, inputs=choices),
    "multiple_choice_mean": case(
        ModernBertForMultipleChoice, ONE_LAYER | {"classifier_pooling": "mean"}, inputs=choices
    ),
    "token_classification": case(
        ModernBertForTokenClassification, BIASES | {"num_labels": 5, "num_hidden_layers": 1}
    ),
    "question_answering": case(ModernBertForQuestionAnswering, keep=()),
    "of_4": case(ModernBertForMaskedLM, {"num_hidden_layers": 4}, edit=of_4),
    "no_architectures": case(
        ModernBertForSequenceClassification, ONE_LAYER, edit=without_architectures
    ),
    "no_architectures_masked_lm": case(
        ModernBertForMaskedLM, ONE_LAYER, edit=without_architectures
    ),
}

if __name__ == "__main__":
    encoders.main("modernbert", ModernBertConfig, CASES, SIZES, epsilon="norm_eps")
