"""Writes the fixtures of wav2vec 2.0, HuBERT, Wav2Vec2-Conformer, WavLM and W2V-BERT 2.0: python Tools/oracle/wav2vec2.py [CASE ...]"""

import json
import sys
import tempfile

import numpy as np
import torch
from transformers import (
    HubertForCTC,
    HubertForSequenceClassification,
    HubertModel,
    Wav2Vec2BertForCTC,
    Wav2Vec2BertForSequenceClassification,
    Wav2Vec2BertModel,
    Wav2Vec2ConformerForCTC,
    Wav2Vec2ConformerForSequenceClassification,
    Wav2Vec2ConformerModel,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2ForCTC,
    Wav2Vec2ForSequenceClassification,
    Wav2Vec2Model,
    WavLMForCTC,
    WavLMForSequenceClassification,
    WavLMModel,
)

import fixture
from exact import FIXTURES
from fixture import Case, rewrite_config, rewrite_weights
from stablelm import without_architectures

SIZES = {
    "vocab_size": 13,
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 10,
    "conv_dim": [5, 6, 7],
    "conv_stride": [3, 2, 2],
    "conv_kernel": [5, 3, 2],
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 3,
    "num_feat_extract_layers": 3,
    "classifier_proj_size": 9,
}
CONFORMER = {"conv_depthwise_kernel_size": 3}
STABLE = {"do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True}
ONE_LAYER = {"num_hidden_layers": 1}
BUCKETS = {"num_buckets": 8, "max_bucket_distance": 6}
FRAMES = {"conv_depthwise_kernel_size": 5, "feature_projection_input_dim": 6}
NEAR = FRAMES | {"left_max_position_embeddings": 4, "right_max_position_embeddings": 2}


# --- Inputs ----------------------------------------------------------------------------------


def sounds(length, count=2):
    """Samples that single precision holds."""

    def inputs(random, config):
        return {"input_values": random.integers(-512, 512, (count, length)) / 256}

    return inputs


def padded(lengths):
    """Sounds of several lengths, filled up with zeros behind."""

    def inputs(random, config):
        found = sounds(max(lengths), len(lengths))(random, config)
        mask = np.zeros((len(lengths), max(lengths)), dtype=np.int64)
        for row, length in enumerate(lengths):
            mask[row, :length] = 1
        return {"input_values": found["input_values"] * mask, "attention_mask": mask}

    return inputs


def frames(lengths, holes=False):
    """Frames of numbers, and what of them is no padding; with holes some frames before it are, too."""

    def inputs(random, config):
        shape = (len(lengths), max(lengths), config.feature_projection_input_dim)
        mask = np.arange(shape[1])[None] < np.array(lengths)[:, None]
        if holes:
            mask[:, 2:4] = False
        found = {"input_features": random.integers(-512, 512, shape) / 256}
        return found if min(lengths) == shape[1] else found | {"attention_mask": mask.astype(np.int64)}

    return inputs


# --- Edits: turn what save_pretrained wrote into what others write ---------------------------


def of_4(folder):
    """As transformers 4 wrote it before torch had parametrizations, with keys of before."""

    def change(weights):
        ends = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
        found = {}
        for name, value in weights.items():
            for new, old in ends.items():
                name = name.replace(new, old)
            found[name] = value
        assert found.keys() != weights.keys()
        return found

    rewrite_weights(folder, change)
    more = {"feat_extract_dropout": 0.0, "gradient_checkpointing": False}
    rewrite_config(folder, lambda config: config | more)


def plain(folder):
    """One matrix in place of directions and lengths."""

    def change(weights):
        module = next(name for name in weights if name.endswith("original0"))[: -len("original0")]
        lengths, directions = weights.pop(module + "original0"), weights.pop(module + "original1")
        name = module.replace("parametrizations.weight.", "weight")
        return weights | {name: torch._weight_norm(directions.double(), lengths.double(), 2)}

    rewrite_weights(folder, change)


def case(model, config={}, **more):
    return Case(model, config, **more)


CASES = {
    "base": case(Wav2Vec2Model, inputs=sounds(95)),
    "base_padded": case(Wav2Vec2Model, ONE_LAYER, inputs=padded([95, 60, 23])),
    "base_stable": case(Wav2Vec2Model, STABLE, inputs=padded([90, 47])),
    "ctc": case(Wav2Vec2ForCTC, {"hidden_act": "relu"}, inputs=padded([130, 100])),
    "ctc_stable": case(Wav2Vec2ForCTC, STABLE | ONE_LAYER, inputs=sounds(101)),
    "odd_kernel": case(
        Wav2Vec2Model,
        ONE_LAYER | {"num_conv_pos_embeddings": 5, "num_conv_pos_embedding_groups": 1, "mask_time_prob": 0.0},
        inputs=sounds(70, 1),
    ),
    "of_4": case(Wav2Vec2ForCTC, ONE_LAYER, inputs=sounds(80), edit=of_4),
    "plain_kernel": case(
        Wav2Vec2ForCTC, ONE_LAYER, inputs=sounds(80), edit=plain, reloads=False
    ),
    "no_architectures": case(
        Wav2Vec2ForCTC, ONE_LAYER, inputs=sounds(80), edit=without_architectures
    ),
    "f16": case(Wav2Vec2ForCTC, ONE_LAYER, inputs=sounds(80), dtype=torch.float16),
    "classification": case(
        Wav2Vec2ForSequenceClassification, {"num_labels": 4}, inputs=padded([88, 50, 31])
    ),
    "classification_weighted": case(
        Wav2Vec2ForSequenceClassification,
        STABLE | {"use_weighted_layer_sum": True, "num_labels": 3},
        inputs=sounds(77),
    ),
    "hubert": case(HubertModel, inputs=padded([95, 64])),
    "hubert_ctc": case(
        HubertForCTC, STABLE | {"feat_proj_layer_norm": False}, inputs=sounds(95)
    ),
    "hubert_classification": case(
        HubertForSequenceClassification,
        ONE_LAYER | {"num_labels": 5, "use_weighted_layer_sum": True},
        inputs=padded([90, 40]),
    ),
    "conformer": case(Wav2Vec2ConformerModel, CONFORMER, inputs=padded([95, 60])),
    "conformer_rotary": case(
        Wav2Vec2ConformerModel,
        CONFORMER | {"position_embeddings_type": "rotary", "rotary_embedding_base": 500},
        inputs=padded([95, 50]),
    ),
    "conformer_ctc": case(
        Wav2Vec2ConformerForCTC,
        CONFORMER | {"feat_extract_norm": "layer", "hidden_act": "swish", "conv_bias": True},
        inputs=sounds(100),
    ),
    "conformer_none": case(
        Wav2Vec2ConformerForCTC,
        CONFORMER | ONE_LAYER | {"position_embeddings_type": None},
        inputs=padded([90, 45]),
    ),
    "conformer_classification": case(
        Wav2Vec2ConformerForSequenceClassification,
        CONFORMER | {"use_weighted_layer_sum": True, "num_labels": 3},
        inputs=padded([80, 61]),
    ),
    "wavlm": case(WavLMModel, BUCKETS, inputs=padded([200, 131])),
    "wavlm_stable": case(
        WavLMForCTC, STABLE | {"num_buckets": 13, "max_bucket_distance": 9}, inputs=padded([170, 150])
    ),
    "wavlm_classification": case(
        WavLMForSequenceClassification,
        ONE_LAYER | BUCKETS | {"num_labels": 3, "use_weighted_layer_sum": True},
        inputs=padded([120, 50]),
    ),
    "bert": case(Wav2Vec2BertModel, NEAR, inputs=frames([13, 7])),
    "bert_ctc": case(Wav2Vec2BertForCTC, ONE_LAYER | NEAR, inputs=frames([12, 12])),
    "bert_relative": case(
        Wav2Vec2BertForCTC,
        ONE_LAYER | FRAMES | {"position_embeddings_type": "relative", "hidden_act": "gelu"},
        inputs=frames([11, 8]),
    ),
    "bert_rotary": case(
        Wav2Vec2BertModel,
        ONE_LAYER | FRAMES | {"position_embeddings_type": "rotary", "mask_time_prob": 0.0},
        inputs=frames([11, 8]),
    ),
    "bert_none": case(
        Wav2Vec2BertModel,
        ONE_LAYER | FRAMES | {"position_embeddings_type": None, "layer_norm_eps": 0.01},
        inputs=frames([9, 5]),
    ),
    "bert_classification": case(
        Wav2Vec2BertForSequenceClassification,
        NEAR | {"use_weighted_layer_sum": True, "num_labels": 3},
        inputs=frames([12, 8], holes=True),
    ),
}


def config(case, seed):
    sizes = SIZES
    if "feature_projection_input_dim" in case.config:
        # Nothing is convolved there.
        sizes = {key: value for key, value in SIZES.items() if "conv" not in key and "extract" not in key}
    return case.model.config_class(**(sizes | case.config), attn_implementation="eager")


def centre(name):
    if "gru_rel_pos" in name or name.endswith(("rel_attn_embed.weight", "distance_embedding.weight")):
        return (1, 0.5) if name.endswith("const") else (0, 0.8)
    if "norm" in name and name.endswith("weight"):
        return 1, 0.3
    if name.endswith("original0"):
        return 1.5, 0.4
    if name.endswith("layer_weights"):
        return 0, 1
    # Where a sound's vectors come from, and scores of a few units.
    large = ("conv.weight", "q_proj.weight", "k_proj.weight", "linear_q.weight", "linear_k.weight")
    return 0, 0.5 if name.endswith(large) else 0.3


def statistics(model):
    """Means and variances of batches, as training would have found some."""
    generator = torch.Generator().manual_seed(9)
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.copy_(0.3 * torch.randn(buffer.shape, generator=generator))
        if name.endswith("running_var"):
            buffer.copy_(0.5 + torch.rand(buffer.shape, generator=generator))


# Vocabularies of 13 characters, and what the tokenizer's config says beside them.
LETTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", "E", "T", "Ä", "O", "'", "ng", "N", "H"]
VOCABULARIES = [
    (LETTERS, {}),
    (LETTERS, {"pad_token": "|", "word_delimiter_token": "T", "do_lower_case": True}),
    (LETTERS[:9], {"replace_word_delimiter_char": "_"}),
    (LETTERS[::-1], {"target_lang": "eng"}),
]


def transcripts(folder):
    """The texts of random characters, some of them repeated, with each vocabulary."""
    ids = np.repeat(np.random.default_rng(5).integers(0, 13, (3, 14)), [1, 2] * 7, axis=1)
    found = []
    for words, settings in VOCABULARIES:
        vocabulary = {word: number for number, word in enumerate(words)}
        if "target_lang" in settings:
            vocabulary = {"deu": {"x": 0}, settings["target_lang"]: vocabulary}
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(vocabulary, file)
            file.flush()
            tokenizer = Wav2Vec2CTCTokenizer(file.name, **settings)
        texts = tokenizer.batch_decode(ids.tolist())
        found.append({"vocabulary": vocabulary, "settings": settings, "texts": texts})
    found = {"ids": ids.tolist(), "cases": found}
    (folder / "transcripts.json").write_text(json.dumps(found, indent=1) + "\n")


for name, found in CASES.items():
    if name.startswith("conformer"):
        found.adjust = statistics

if __name__ == "__main__":
    fixture.main(fixture.Family("wav2vec2", config, CASES, centre))
    if not sys.argv[1:] or "ctc" in sys.argv:
        transcripts(FIXTURES / "wav2vec2" / "ctc")
