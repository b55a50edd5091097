"""Writes the fixtures of XLNet: python Tools/oracle/xlnet.py [CASE ...]"""

import numpy as np
from transformers import (
    XLNetConfig,
    XLNetForMultipleChoice,
    XLNetForQuestionAnswering,
    XLNetForQuestionAnsweringSimple,
    XLNetForSequenceClassification,
    XLNetForTokenClassification,
    XLNetLMHeadModel,
    XLNetModel,
)

import encoders
from bert import choices, fully_masked, left_padded, right_padded
from encoders import Case, without_architectures
from fixture import rewrite_config, rewrite_weights

SIZES = {"vocab_size": 17, "d_model": 8, "n_head": 2, "d_inner": 5, "n_layer": 2, "mem_len": 7}
ONE_LAYER = {"n_layer": 1}
CONTINUED = {"vocab_size": 31, "eos_token_id": 3, "d_inner": 4}


def typed(make):
    """The same inputs for a config that does not say how many types there are."""

    def inputs(random, config):
        config.type_vocab_size = 3
        made = make(random, config)
        del config.type_vocab_size
        return made

    return inputs


def ids_only(random, config):
    return {"input_ids": random.integers(0, config.vocab_size, (3, 5))}


def memories(random, config, batch, length):
    return {
        f"mems.{layer}": random.standard_normal((length, batch, config.d_model))
        for layer in range(config.n_layer)
    }


def with_memories(make, length=4):
    def inputs(random, config):
        made = make(random, config)
        return made | memories(random, config, len(made["input_ids"]), length)

    return inputs


def permuted(make, count=2):
    """A random order for each text, and a few places to be predicted. The last text's predict a mix of places."""

    def inputs(random, config):
        made = make(random, config)
        batch, length = made["input_ids"].shape
        ranks = np.stack([random.permutation(length) for _ in range(batch)])
        places = np.zeros((batch, count, length))
        for text in range(batch):
            places[text, np.arange(count), random.permutation(length)[:count]] = 1
        places[-1] += random.standard_normal((count, length)) / 4
        order = (ranks[:, :, None] <= ranks[:, None, :]).astype(np.float64)
        return made | {"perm_mask": order, "target_mapping": places}

    return inputs


def targets_only(random, config):
    made = permuted(typed(right_padded))(random, config)
    del made["perm_mask"]
    return made


def order_only(random, config):
    made = permuted(ids_only)(random, config)
    return {name: made[name] for name in ("input_ids", "perm_mask")}


def texts(count, make):
    """So many texts of them: a batch of two halves needs an even number, and transformers takes masks where queries
    see only what is before them of one text at a time."""

    def inputs(random, config):
        made = make(random, config)
        return {
            name: array[:, :count] if name.startswith("mems") else array[:count]
            for name, array in made.items()
        }

    return inputs


def unmasked(make):
    def inputs(random, config):
        made = make(random, config)
        del made["attention_mask"]
        return made

    return inputs


def of_2019(folder):
    """As the first release wrote them: the tied matrix stored, other names of numbers, and what only the original code
    reads."""

    def config_of_2019(config):
        config["n_token"] = config.pop("vocab_size")
        for absent in ("tie_word_embeddings", "mem_len", "dtype", "use_mems_eval", "use_mems_train"):
            config.pop(absent, None)
        return config | {
            "output_past": True,
            "untie_r": True,
            "mem_len": None,
            "init": "normal",
            "init_range": 0.1,
            "init_std": 0.02,
            "max_position_embeddings": 0,
        }

    rewrite_weights(
        folder,
        lambda weights: weights
        | {"lm_loss.weight": weights["transformer.word_embedding.weight"].clone()},
    )
    rewrite_config(folder, config_of_2019)


padded = typed(right_padded)
BI_DATA = {"bi_data": True, "clamp_len": 3}
CASES = {
    # One stream, and two
    "base": Case(XLNetModel, inputs=padded, keep=()),
    "base_permuted": Case(XLNetModel, inputs=permuted(padded), keep=()),
    "base_memories": Case(XLNetModel, inputs=with_memories(permuted(padded)), keep=()),
    "base_forwards": Case(
        XLNetModel,
        {"attn_type": "uni", "same_length": True, "reuse_len": 3},
        inputs=texts(1, with_memories(permuted(typed(fully_masked)))),
        keep=(),
    ),
    "base_forwards_partly": Case(
        XLNetModel,
        ONE_LAYER | {"attn_type": "uni"},
        inputs=texts(1, permuted(typed(lambda r, c: {k: v[1:] for k, v in left_padded(r, c).items()}))),
        keep=(),
    ),
    "base_both_ways": Case(
        XLNetModel, BI_DATA, inputs=texts(2, with_memories(permuted(padded))), keep=("last_hidden_state",)
    ),
    "ids_only": Case(XLNetModel, ONE_LAYER, inputs=ids_only, keep=("last_hidden_state", "mems.0")),
    "order_only": Case(XLNetModel, ONE_LAYER, inputs=order_only, keep=("last_hidden_state",)),
    "fully_masked": Case(
        XLNetModel,
        ONE_LAYER | {"clamp_len": 2, "use_mems_eval": False},
        inputs=typed(fully_masked),
        keep=(),
    ),
    # Heads
    "lm": Case(XLNetLMHeadModel, inputs=permuted(padded)),
    "lm_one_stream": Case(
        XLNetLMHeadModel, ONE_LAYER | {"attn_type": "uni", "ff_activation": "gelu_new"}, inputs=unmasked(padded)
    ),
    "lm_untied": Case(
        XLNetLMHeadModel, ONE_LAYER | {"tie_word_embeddings": False}, inputs=targets_only
    ),
    "lm_forwards_both_ways": Case(
        XLNetLMHeadModel,
        ONE_LAYER | {"attn_type": "uni", "bi_data": True, "same_length": True, "mem_len": 0},
        inputs=texts(2, unmasked(padded)),
        keep=(),
    ),
    "sequence_classification": Case(
        XLNetForSequenceClassification, ONE_LAYER | {"num_labels": 3}, inputs=typed(left_padded)
    ),
    "sequence_classification_first": Case(
        XLNetForSequenceClassification,
        ONE_LAYER | {"num_labels": 3, "summary_type": "first", "summary_activation": "relu"},
        inputs=padded,
    ),
    "sequence_classification_mean": Case(
        XLNetForSequenceClassification,
        ONE_LAYER | {"summary_type": "mean", "summary_use_proj": False},
        inputs=padded,
    ),
    "sequence_classification_place": Case(
        XLNetForSequenceClassification,
        ONE_LAYER | {"summary_type": "cls_index", "summary_activation": ""},
        inputs=with_memories(padded),
    ),
    "token_classification": Case(
        XLNetForTokenClassification, ONE_LAYER | {"num_labels": 5}, inputs=padded
    ),
    "multiple_choice": Case(XLNetForMultipleChoice, ONE_LAYER, inputs=typed(choices)),
    "question_answering": Case(
        XLNetForQuestionAnsweringSimple, ONE_LAYER, inputs=padded, keep=("start_logits", "end_logits")
    ),
    # Texts that are continued, which soon are longer than what is remembered
    "generate": Case(XLNetLMHeadModel, {"vocab_size": 31, "eos_token_id": 30}, inputs=ids_only, generate=9),
    "generate_all": Case(
        XLNetLMHeadModel,
        CONTINUED | {"use_mems_eval": False, "clamp_len": 4},
        inputs=ids_only,
        generate=6,
    ),
    "generate_forwards": Case(
        XLNetLMHeadModel,
        CONTINUED | {"attn_type": "uni", "same_length": True, "mem_len": None},
        inputs=texts(1, ids_only),
        generate=6,
    ),
    "generate_both_ways": Case(
        XLNetLMHeadModel, CONTINUED | {"bi_data": True, "reuse_len": 4}, inputs=texts(2, ids_only), generate=6
    ),
    # All that is remembered is read again
    "generate_forgetting": Case(XLNetLMHeadModel, CONTINUED | {"mem_len": 2}, inputs=texts(2, ids_only), generate=6),
    # Files
    "of_2019": Case(XLNetLMHeadModel, ONE_LAYER, inputs=padded, edit=of_2019, reloads=False),
    "no_architectures": Case(
        XLNetForSequenceClassification, ONE_LAYER, inputs=padded, edit=without_architectures
    ),
    # To be refused
    "searching_answers": Case(XLNetForQuestionAnswering, ONE_LAYER, inputs=None),
}

if __name__ == "__main__":
    encoders.main("xlnet", XLNetConfig, CASES, SIZES)
