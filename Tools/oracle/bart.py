"""Writes the fixtures of BART and its kin: python Tools/oracle/bart.py [CASE ...]"""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from transformers import (
    BartForConditionalGeneration,
    BartForQuestionAnswering,
    BartForSequenceClassification,
    BartModel,
    FSMTForConditionalGeneration,
    FSMTModel,
    M2M100ForConditionalGeneration,
    M2M100Model,
    MarianModel,
    MarianMTModel,
    MBartForConditionalGeneration,
    MBartModel,
    PegasusForConditionalGeneration,
    PegasusModel,
)

from transformers.models.marian.modeling_marian import MarianSinusoidalPositionalEmbedding
from transformers.models.pegasus.modeling_pegasus import PegasusSinusoidalPositionalEmbedding

import fixture
from exact import FIXTURES, golden, write_golden
from fixture import rewrite_config, rewrite_weights
from stablelm import without_architectures
from t5 import (
    both_sides_padded,
    decoder_padded,
    encoder_padded,
    of_length,
    right_padded,
    start,
)

SIZES = {
    "vocab_size": 37,
    "d_model": 12,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 3,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 10,
    "decoder_ffn_dim": 7,
    "max_position_embeddings": 20,
    "bos_token_id": 0,
    "pad_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 4,
    "forced_eos_token_id": None,
}


# --- Inputs ----------------------------------------------------------------------------------


def padding_tokens(random, config):
    """Padding tokens where the mask says so, and one in the middle of a text that the mask allows, in the decoder
    too: positions leave all of them out."""
    inputs = both_sides_padded(random, config)
    inputs["input_ids"][inputs["attention_mask"] == 0] = config.pad_token_id
    inputs["input_ids"][0, 5] = config.pad_token_id
    inputs["decoder_input_ids"][1, 3] = config.pad_token_id
    return inputs


def padding_in_decoder(random, config):
    """Padding tokens in both, and no mask for the decoder, which makes its own."""
    inputs = both_sides_padded(random, config)
    inputs["input_ids"][inputs["attention_mask"] == 0] = config.pad_token_id
    inputs["decoder_input_ids"][:, :2] = [[config.pad_token_id, 3], [4, 5], [6, 7]]
    inputs["decoder_input_ids"][1, 4:] = config.pad_token_id
    return inputs


def languages_last(random, config):
    """Texts of several lengths that end with a language's token, and nothing for the decoder."""
    inputs = encoder_padded(random, config)
    inputs["input_ids"][inputs["attention_mask"] == 0] = config.pad_token_id
    return inputs


def ended(random, config):
    """Two end tokens in each row, at different places: the last one is pooled."""
    inputs = encoder_padded(random, config)
    ids = inputs["input_ids"]
    ids[ids == config.eos_token_id] += 1
    ids[[0, 0, 1, 1, 2, 2], [2, 8, 3, 4, 0, 6]] = config.eos_token_id
    return inputs


# --- Computed positions ----------------------------------------------------------------------


def table(self):
    """The table of Marian and Pegasus, which is computed in double precision and rounded to single by design."""
    rows, width = self.weight.shape
    angles = [[row / np.power(10000, 2 * (i // 2) / width) for i in range(width)] for row in range(rows)]
    angles = np.array(angles)
    halves = [np.sin(angles[:, 0::2]), np.cos(angles[:, 1::2])]
    rounded = np.concatenate(halves, axis=1).astype(np.float32).astype(np.float64)
    return torch.from_numpy(rounded).to(self.weight.dtype)


def say_by_design():
    """Lets the modules compute their tables without single precision on the way: the same numbers."""
    for module in (MarianSinusoidalPositionalEmbedding, PegasusSinusoidalPositionalEmbedding):
        for width in (6, 7, 12):
            own = module(20, width)
            assert torch.equal(own.create_weight(), table(own))
        module.create_weight = table


# --- Adjustments of the random model ---------------------------------------------------------


def computed_tables(model):
    """Positions that are computed stay so; the scores' biases are no parameters, and random nevertheless."""
    with torch.no_grad():
        for module in model.modules():
            if hasattr(module, "create_weight"):
                module.weight.copy_(module.create_weight())
            if hasattr(module, "make_weight"):
                rows, width = module.weight.shape
                module.weight.copy_(module.get_embedding(rows, width, module.padding_idx))
        if hasattr(model, "final_logits_bias"):
            noise = torch.randn(
                model.final_logits_bias.shape, generator=torch.Generator().manual_seed(7)
            )
            model.final_logits_bias.copy_(noise)


# --- Edits: turn what save_pretrained wrote into what others write ---------------------------


def of_4(folder):
    """As transformers 4 wrote it: all names of the one embedding, no biases of zero, and settings of generation and
    of older versions in the config."""

    def change(weights):
        shared = weights["model.shared.weight"]
        for name in ("model.encoder.embed_tokens", "model.decoder.embed_tokens", "lm_head"):
            weights[f"{name}.weight"] = shared.clone()
        return weights

    rewrite_weights(folder, change)
    more = {"num_hidden_layers": 1, "normalize_before": False, "add_bias_logits": False}
    more |= {"static_position_embeddings": False, "num_beams": 4, "min_length": 5}
    rewrite_config(folder, lambda config: config | more)


def embedding_of_decoder(folder):
    """The one embedding under another of its names, and no biases of words."""

    def change(weights):
        weights["model.decoder.embed_tokens.weight"] = weights.pop("model.shared.weight")
        del weights["final_logits_bias"]
        return weights

    rewrite_weights(folder, change)


def with_table(folder, wrong=False):
    """The computed positions among the weights."""

    def change(weights):
        model = MarianModel(MarianModel.config_class(**SIZES))
        computed_tables(model)
        table = model.encoder.embed_positions.weight.detach().clone()
        if wrong:
            table[7] = table[8]
        names = ("model.encoder.embed_positions.weight", "model.decoder.embed_positions.weight")
        return weights | {name: table.clone() for name in names}

    rewrite_weights(folder, change)


def wrong_table(folder):
    with_table(folder, wrong=True)


def with_sinusoids(folder):
    """What M2M100 stored of its positions once."""

    def change(weights):
        model = M2M100Model(M2M100Model.config_class(**SIZES))
        table = model.encoder.embed_positions.weights
        names = ("model.encoder.embed_positions.weights", "model.decoder.embed_positions.weights")
        return weights | {name: table.clone() for name in names}

    rewrite_weights(folder, change)


def fsmt_of_4(folder):
    """As transformers 4 wrote FSMT: no computed positions, the scores' matrix under the name of the decoder's words
    alone, and the decoder's part of the config."""

    def change(weights):
        del weights["model.decoder.output_projection.weight"]
        return {name: value for name, value in weights.items() if "embed_positions" not in name}

    rewrite_weights(folder, change)
    decoder = {"model_type": "fsmt_decoder", "vocab_size": 37, "bos_token_id": 2}
    rewrite_config(folder, lambda config: config | {"decoder": decoder, "num_hidden_layers": 1})


def scores_by_words(model):
    """As transformers 4 had it: the scores' matrix is the decoder's table."""
    computed_tables(model)
    decoder = model.model.decoder
    with torch.no_grad():
        decoder.output_projection.weight.copy_(decoder.embed_tokens.weight)


def wrong_fsmt_table(folder):
    def change(weights):
        weights["model.decoder.embed_positions.weight"][4, 1] += 0.5
        return weights

    rewrite_weights(folder, change)


FORCED = {
    "forced_bos_token_id": 9,
    "forced_eos_token_id": 2,
    "bad_words_ids": [[28], [27, 27], [2], [9, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15]],
}


def forced(folder):
    """What generated texts must have, as configs of transformers 4 say it."""
    rewrite_config(folder, lambda config: config | FORCED)


# --- Cases -----------------------------------------------------------------------------------


@dataclass
class Case(fixture.Case):
    inputs: Callable | None = right_padded
    adjust: Callable | None = computed_tables
    continued: dict | None = None  # what is said to `generate`, which obeys the config; stored in continued.npz


TWO_LAYERS = {"encoder_layers": 2, "decoder_layers": 3}
UNTIED = {"tie_word_embeddings": False}
SCALED = {"scale_embedding": True}
CACHED = {"encoder_layers": 2, "decoder_layers": 2, "eos_token_id": 35}
SEPARATE = {"share_encoder_decoder_embeddings": False, "decoder_vocab_size": 41}
FSMT = {"scale_embedding": True, "src_vocab_size": 41, "tgt_vocab_size": 37, "langs": ["en", "de"]}
FSMT_TIED = FSMT | {"src_vocab_size": 37, "tie_word_embeddings": True}
LOGITS = ("logits",)
SOME = ("logits", "encoder_last_hidden_state", "decoder_hidden_states.0")

CASES = {
    # BART: head classes
    "base": Case(BartModel, TWO_LAYERS),
    "generation": Case(BartForConditionalGeneration, SCALED, keep=SOME),
    "untied": Case(BartForConditionalGeneration, UNTIED | {"activation_function": "relu"}, keep=SOME),
    "sequence_classification": Case(
        BartForSequenceClassification, {"num_labels": 5}, inputs=ended, keep=LOGITS
    ),
    "question_answering": Case(BartForQuestionAnswering, inputs=encoder_padded, keep=()),
    # Inputs
    "decoder_mask": Case(BartForConditionalGeneration, inputs=decoder_padded, keep=SOME),
    "no_decoder_ids": Case(BartModel, inputs=encoder_padded, keep=("last_hidden_state",)),
    # Continued
    "generate": Case(
        BartForConditionalGeneration, CACHED, inputs=start, keep=LOGITS, generate=8
    ),
    "forced": Case(
        BartForConditionalGeneration,
        {"forced_eos_token_id": 2},
        inputs=start,
        edit=forced,
        keep=LOGITS,
        continued=FORCED | {"max_new_tokens": 9},
    ),
    # Files and names
    "f16": Case(BartForConditionalGeneration, dtype=torch.float16, keep=LOGITS),
    "of_4": Case(BartForConditionalGeneration, edit=of_4, keep=LOGITS),
    "decoder_name": Case(BartForConditionalGeneration, edit=embedding_of_decoder, inputs=None),
    "no_architectures": Case(
        BartForSequenceClassification, inputs=ended, edit=without_architectures, keep=LOGITS
    ),
    # Kin
    "mbart": Case(MBartForConditionalGeneration, SCALED),
    "mbart_base": Case(MBartModel, inputs=languages_last, keep=("last_hidden_state",)),
    "mbart_generate": Case(
        MBartForConditionalGeneration,
        CACHED | UNTIED,
        inputs=start,
        keep=LOGITS,
        generate=6,
    ),
    "marian": Case(MarianMTModel, SCALED | {"activation_function": "swish"}, keep=SOME),
    "marian_base": Case(MarianModel, {"d_model": 6}, inputs=of_length(20, 20)),
    "marian_separate": Case(MarianMTModel, SEPARATE, keep=SOME),
    "marian_generate": Case(MarianMTModel, CACHED | SEPARATE, inputs=start, keep=LOGITS, generate=8),
    "marian_table": Case(MarianMTModel, edit=with_table, keep=LOGITS),
    "marian_wrong_table": Case(MarianMTModel, edit=wrong_table, inputs=None),
    "pegasus": Case(PegasusForConditionalGeneration, SCALED, keep=SOME),
    "pegasus_base": Case(PegasusModel, dtype=torch.float16, inputs=of_length(20, 7)),
    "m2m100": Case(M2M100ForConditionalGeneration, inputs=padding_tokens, keep=SOME),
    "m2m100_base": Case(
        M2M100Model, {"pad_token_id": 5, "scale_embedding": False}, inputs=of_length(30, 9)
    ),
    "m2m100_generate": Case(
        M2M100ForConditionalGeneration, CACHED, inputs=start, keep=LOGITS, generate=6
    ),
    "m2m100_sinusoids": Case(M2M100ForConditionalGeneration, edit=with_sinusoids, keep=LOGITS),
    "fsmt": Case(FSMTForConditionalGeneration, FSMT | {"bos_token_id": 0}, inputs=padding_in_decoder, keep=SOME),
    "fsmt_base": Case(
        FSMTModel, FSMT | {"activation_function": "gelu", "pad_token_id": 3, "scale_embedding": False},
        inputs=padding_tokens,
    ),
    "fsmt_tied": Case(FSMTForConditionalGeneration, FSMT_TIED, inputs=languages_last, keep=LOGITS),
    "fsmt_generate": Case(
        FSMTForConditionalGeneration,
        FSMT | CACHED | {"max_position_embeddings": 4, "decoder_start_token_id": 2, "num_beams": 1},
        inputs=start, keep=LOGITS, generate=8,
    ),
    "fsmt_of_4": Case(
        FSMTForConditionalGeneration, FSMT | {"max_position_embeddings": 4}, adjust=scores_by_words,
        edit=fsmt_of_4, inputs=padding_tokens, keep=LOGITS, reloads=False,
    ),
    "fsmt_wrong_table": Case(FSMTForConditionalGeneration, FSMT, edit=wrong_fsmt_table, inputs=None),
}


def config(case, seed):
    sizes = SIZES | case.config
    if "src_vocab_size" in sizes:
        del sizes["vocab_size"]
    return case.model.config_class(**sizes, attn_implementation="eager")


def centre(name):
    return (1, 0.3) if "norm" in name and name.endswith("weight") else (0, 0.4)


def write_continued(name):
    """Texts that are continued as the stored config says: `sequences` alone, forced tokens included."""
    case = CASES[name]
    folder = FIXTURES / "bart" / name
    model = golden.load(folder, case.model.__name__)
    inputs = case.inputs(np.random.default_rng(5), model.config)
    weights = {key: tensor.double() for key, tensor in model.state_dict().items()}
    with golden.lifted(), torch.no_grad():
        result = golden.rebuild(model, weights).generate(
            **{key: torch.from_numpy(array) for key, array in inputs.items()},
            do_sample=False,
            num_beams=1,
            **case.continued,
        )
    write_golden(folder / "continued.npz", model, inputs, {"sequences": result.numpy()}, greedy=True)


if __name__ == "__main__":
    say_by_design()
    fixture.main(fixture.Family("bart", config, CASES, centre))
    for name in sys.argv[1:] or CASES:
        if CASES[name].continued:
            write_continued(name)
