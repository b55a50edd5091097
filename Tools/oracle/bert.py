"""Writes the BERT fixtures: python Tools/oracle/bert.py [CASE ...]"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForMultipleChoice,
    BertForNextSentencePrediction,
    BertForPreTraining,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertLMHeadModel,
    BertModel,
)

import fixture
from fixture import rewrite_config, rewrite_weights

SIZES = {
    "vocab_size": 61,
    "hidden_size": 24,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "max_position_embeddings": 40,
    "type_vocab_size": 3,
}


# --- Inputs: (random, config) -> named int64 arrays ------------------------------------------


def with_mask(random, config, mask):
    """Random ids, padded ones included, and every token type, under a mask [..., length]."""
    mask = np.asarray(mask, dtype=np.int64)
    types = random.permutation(mask.size).reshape(mask.shape) % config.type_vocab_size
    return {
        "input_ids": random.integers(0, config.vocab_size, mask.shape),
        "attention_mask": mask,
        "token_type_ids": types,
    }


def right_padded(random, config):
    """Three rows of 9, of which 9, 5 and 1 are tokens."""
    return with_mask(random, config, np.arange(9) < np.array([[9], [5], [1]]))


def left_padded(random, config):
    """A full row, one padded on the left, one on the right. Under a causal mask the left padding
    sees no key at all."""
    position = np.arange(9)
    return with_mask(random, config, [position >= 0, position >= 3, position < 6])


def fully_masked(random, config):
    """A row without any token, one padded on the left, one on the right."""
    position = np.arange(9)
    return with_mask(random, config, [position < 0, position >= 4, position < 7])


def choices(random, config):
    """Two questions of three choices of 7."""
    return with_mask(random, config, np.arange(7) < np.array([[[7], [4], [1]], [[5], [7], [6]]]))


def explicit_positions(random, config):
    positions = random.integers(0, config.max_position_embeddings, (3, 9))
    return right_padded(random, config) | {"position_ids": positions}


def ids_only(random, config):
    return {"input_ids": random.integers(0, config.vocab_size, (3, 9))}


def every_position(random, config):
    length = config.max_position_embeddings
    return with_mask(random, config, np.arange(length) < np.array([[length], [length * 3 // 4]]))


def states_of_encoder(random, config):
    """What an encoder made of texts of other lengths, the last of which is padding alone."""
    states = random.standard_normal((3, 5, config.hidden_size))
    mask = (np.arange(5) < np.array([[5], [3], [0]])).astype(np.int64)
    given = {"encoder_hidden_states": states, "encoder_attention_mask": mask}
    return right_padded(random, config) | given


def states_without_mask(random, config):
    inputs = states_of_encoder(random, config)
    del inputs["encoder_attention_mask"]
    return inputs


# --- Edits: turn what save_pretrained wrote into what others write ---------------------------


def without_prefix(folder):
    rewrite_weights(
        folder, lambda weights: {k.removeprefix("bert."): v for k, v in weights.items()}
    )


def data_parallel(folder):
    """The names of torch.nn.DataParallel's state_dict."""
    model = BertModel.from_pretrained(folder)
    names = dict(zip(model.state_dict(), torch.nn.DataParallel(model).state_dict()))
    rewrite_weights(folder, lambda weights: {names[k]: v for k, v in weights.items()})


def with_prefix(folder):
    rewrite_weights(folder, lambda weights: {f"bert.{k}": v for k, v in weights.items()})


def without_architectures(folder):
    rewrite_config(folder, lambda config: {k: v for k, v in config.items() if k != "architectures"})


def crossing_encoder(folder):
    """What transformers does not make."""
    rewrite_config(folder, lambda config: config | {"add_cross_attention": True})


def of_446(folder):
    """As transformers 4.46 saves it: the untied decoder's bias is still one with predictions.bias
    and not stored. (5.23 reads such a file with a bias of zero.)"""

    def config_of_446(config):
        config["torch_dtype"] = config.pop("dtype")
        config["transformers_version"] = "4.46.3"
        for absent in ("add_cross_attention", "bos_token_id", "eos_token_id", "is_decoder"):
            config.pop(absent)
        return config | {"position_embedding_type": "absolute"}

    rewrite_weights(
        folder,
        lambda weights: {k: v for k, v in weights.items() if k != "cls.predictions.decoder.bias"},
    )
    rewrite_config(folder, config_of_446)


def of_2019(folder):
    """As the first PyTorch releases: gamma and beta, the position buffer, the tied decoder stored,
    and a config without versions but with keys that nobody reads."""

    def weights_of_2019(weights):
        old = {
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
                "LayerNorm.bias", "LayerNorm.beta"
            ): tensor
            for name, tensor in weights.items()
        }
        positions = len(weights["bert.embeddings.position_embeddings.weight"])
        old["bert.embeddings.position_ids"] = torch.arange(positions).unsqueeze(0)
        old["cls.predictions.decoder.weight"] = weights[
            "bert.embeddings.word_embeddings.weight"
        ].clone()
        return old

    def config_of_2019(config):
        kept = {
            "architectures",
            "hidden_act",
            "initializer_range",
            "layer_norm_eps",
            "model_type",
            "pad_token_id",
        }
        kept |= {"attention_probs_dropout_prob", "hidden_dropout_prob", *SIZES}
        unread = {
            "directionality": "bidi",
            "gradient_checkpointing": False,
            "pooler_fc_size": 768,
            "pooler_num_attention_heads": 12,
            "pooler_num_fc_layers": 3,
            "pooler_size_per_head": 128,
            "pooler_type": "first_token_transform",
        }
        old = {k: v for k, v in config.items() if k in kept}
        return old | unread | {"position_embedding_type": "absolute"}

    rewrite_weights(folder, weights_of_2019)
    rewrite_config(folder, config_of_2019)


def of_2019_with_wrong_positions(folder):
    def swap_two(weights):
        buffer = weights["bert.embeddings.position_ids"]
        buffer[0, 6], buffer[0, 7] = 7, 6
        return weights

    of_2019(folder)
    rewrite_weights(folder, swap_two)


# --- Cases -----------------------------------------------------------------------------------


@dataclass
class Case(fixture.Case):
    inputs: Callable | None = right_padded


def tie_bias(model):
    """predictions.bias is the decoder's, though the model is untied."""
    model.cls.predictions.decoder.bias.data.copy_(model.cls.predictions.bias.data)


CROSSING = {"is_decoder": True, "add_cross_attention": True, "num_hidden_layers": 1}

CASES = {
    # Head classes
    "base": Case(BertModel),
    "base_no_pooler": Case(BertModel, build={"add_pooling_layer": False}),
    "masked_lm": Case(BertForMaskedLM),
    "masked_lm_untied": Case(BertForMaskedLM, {"tie_word_embeddings": False}),
    "masked_lm_untied_446": Case(
        BertForMaskedLM, {"tie_word_embeddings": False}, adjust=tie_bias, edit=of_446, reloads=False
    ),
    "pretraining": Case(BertForPreTraining),
    "next_sentence": Case(BertForNextSentencePrediction),
    "sequence_classification": Case(BertForSequenceClassification, {"num_labels": 3}),
    "sequence_classification_2": Case(BertForSequenceClassification),
    "token_classification": Case(BertForTokenClassification, {"num_labels": 5}),
    "question_answering": Case(BertForQuestionAnswering),
    "multiple_choice": Case(BertForMultipleChoice, inputs=choices),
    "causal_lm": Case(BertLMHeadModel, {"is_decoder": True}, inputs=left_padded),
    # Activations: the masked LM head applies them too
    "gelu_new": Case(BertForMaskedLM, {"hidden_act": "gelu_new"}, keep=("logits",)),
    "relu": Case(BertForMaskedLM, {"hidden_act": "relu"}, keep=("logits",)),
    "silu": Case(BertForMaskedLM, {"hidden_act": "silu"}, keep=("logits",)),
    # Inputs
    "position_ids": Case(BertModel, inputs=explicit_positions),
    "fully_masked_row": Case(BertModel, inputs=fully_masked),
    "no_inputs_defaults": Case(BertModel, inputs=ids_only),
    # Stored dtypes
    "bf16": Case(BertForMaskedLM, dtype=torch.bfloat16),
    "f16": Case(BertForMaskedLM, dtype=torch.float16),
    "f64": Case(BertForMaskedLM, dtype=torch.float64),
    # Files and names
    "sharded": Case(BertForPreTraining, shard="20KB"),
    "legacy_names": Case(BertForMaskedLM, edit=of_2019, keep=("logits",)),
    "no_prefix": Case(BertForMaskedLM, edit=without_prefix, keep=("logits",)),
    "with_prefix": Case(BertModel, edit=with_prefix),
    "data_parallel": Case(BertModel, {"num_hidden_layers": 1}, edit=data_parallel, inputs=None),
    "no_architectures": Case(
        BertForSequenceClassification, {"num_labels": 3}, edit=without_architectures
    ),
    # Sizes: from the eleventh layer on, text order (10 before 2) is wrong; a length above 128
    "eleven_layers": Case(
        BertModel,
        {
            "vocab_size": 31,
            "hidden_size": 8,
            "num_attention_heads": 2,
            "intermediate_size": 16,
            "num_hidden_layers": 12,
        },
        keep=(
            "last_hidden_state",
            "pooler_output",
            "hidden_states.0",
            "hidden_states.2",
            "hidden_states.11",
        ),
    ),
    "long": Case(
        BertModel,
        {"max_position_embeddings": 130, "hidden_size": 16, "num_attention_heads": 2},
        inputs=every_position,
        keep=("last_hidden_state", "pooler_output"),
    ),
    # Attention to an encoder's states, which are given, or not
    "cross_attention": Case(BertLMHeadModel, CROSSING, inputs=states_of_encoder),
    "cross_attention_base": Case(
        BertModel,
        CROSSING,
        inputs=states_without_mask,
        keep=("last_hidden_state", "pooler_output"),
    ),
    "cross_attention_alone": Case(BertLMHeadModel, CROSSING, keep=("logits",)),
    # To be refused
    "cross_attention_of_encoder": Case(
        BertModel, {"num_hidden_layers": 1}, edit=crossing_encoder, inputs=None
    ),
    "bad_position_ids": Case(
        BertForMaskedLM, {"num_hidden_layers": 1}, edit=of_2019_with_wrong_positions, inputs=None
    ),
}


def config(case, seed):
    sizes = SIZES | {"layer_norm_eps": 1e-3 if seed % 2 else 1e-12}
    return BertConfig(**(sizes | case.config), attn_implementation="eager")


def centre(name):
    return (1, 0.3) if name.endswith("LayerNorm.weight") else (0, 0.3)


if __name__ == "__main__":
    fixture.main(fixture.Family("bert", config, CASES, centre))
