"""Writes the fixtures of Whisper: python Tools/oracle/whisper.py [CASE ...]"""

import json
import sys

import numpy as np
import torch
from transformers import (
    GenerationConfig,
    GenerationMixin,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForAudioClassification,
    WhisperForConditionalGeneration,
    WhisperModel,
)

import fixture
from exact import FIXTURES, exact_generation, golden, write_golden, write_npz
from fixture import Case, rewrite_config, rewrite_weights
from stablelm import without_architectures

SIZES = {
    "vocab_size": 41,
    "num_mel_bins": 5,
    "d_model": 12,
    "encoder_layers": 2,
    "decoder_layers": 1,
    "encoder_attention_heads": 3,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 10,
    "decoder_ffn_dim": 7,
    "max_source_positions": 6,
    "max_target_positions": 20,
    "bos_token_id": 0,
    "pad_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 4,
    "suppress_tokens": None,
    "begin_suppress_tokens": None,
}

ONE_LAYER = {"encoder_layers": 1}


# --- Inputs ----------------------------------------------------------------------------------


def sounds(random, config, count=2):
    """Numbers that single precision holds, as large as an extractor makes them."""
    shape = (count, config.num_mel_bins, 2 * config.max_source_positions)
    return {"input_features": random.integers(-400, 400, shape) / 256}


def spoken(length, count=2):
    """Sounds, and the beginning of a text for each."""

    def inputs(random, config):
        ids = random.integers(5, config.vocab_size, (count, length))
        ids[:, 0] = config.decoder_start_token_id
        return sounds(random, config, count) | {"decoder_input_ids": ids}

    return inputs


def decoder_padded(random, config):
    """Masked rows of the decoder's text, at its beginning and in its middle."""
    inputs = spoken(7, 3)(random, config)
    mask = np.ones((3, 7), dtype=np.int64)
    mask[1, :3] = 0
    mask[2, [2, 5]] = 0
    return inputs | {"decoder_attention_mask": mask}


# --- Edits: turn what save_pretrained wrote into what others write ---------------------------


def of_4(folder):
    """As transformers 4 wrote it: the head's matrix beside the words', and keys of before."""

    def change(weights):
        words = weights["model.decoder.embed_tokens.weight"]
        return weights | {"proj_out.weight": words.clone()}

    rewrite_weights(folder, change)
    more = {"num_hidden_layers": 1, "forced_decoder_ids": [[1, 7], [2, 9]], "max_length": 448}
    rewrite_config(folder, lambda config: config | more)


def untied(model):
    with torch.no_grad():
        noise = torch.randn(model.proj_out.weight.shape, generator=torch.Generator().manual_seed(7))
        model.proj_out.weight = torch.nn.Parameter(0.3 * noise)


def case(model, config={}, **more):
    return Case(model, config, **more)


CASES = {
    "base": case(WhisperModel, inputs=spoken(7)),
    "generation": case(WhisperForConditionalGeneration, inputs=spoken(5)),
    "decoder_mask": case(WhisperForConditionalGeneration, ONE_LAYER, inputs=decoder_padded),
    # 128 bands, as the third large model has, and more layers of the decoder.
    "bands_128": case(
        WhisperForConditionalGeneration,
        ONE_LAYER | {"num_mel_bins": 128, "decoder_layers": 2, "max_source_positions": 3},
        inputs=spoken(4, 1),
    ),
    "relu": case(
        WhisperForConditionalGeneration,
        ONE_LAYER | {"activation_function": "relu", "scale_embedding": True},
        inputs=spoken(4),
    ),
    "untied": case(
        WhisperForConditionalGeneration,
        ONE_LAYER | {"tie_word_embeddings": False},
        inputs=spoken(4),
        adjust=untied,
    ),
    "of_4": case(WhisperForConditionalGeneration, ONE_LAYER, inputs=spoken(4), edit=of_4),
    "no_architectures": case(
        WhisperForConditionalGeneration, ONE_LAYER, inputs=spoken(4), edit=without_architectures
    ),
    "f16": case(
        WhisperForConditionalGeneration, ONE_LAYER, inputs=spoken(4), dtype=torch.float16
    ),
    "generate": case(
        WhisperForConditionalGeneration,
        {"decoder_layers": 2, "eos_token_id": 24, "pad_token_id": 24},
        inputs=spoken(3, 3),
        keep=("logits",),
    ),
    "classification": case(
        WhisperForAudioClassification,
        {"classifier_proj_size": 9, "num_labels": 3},
        inputs=sounds,
    ),
    "classification_weighted": case(
        WhisperForAudioClassification,
        {"classifier_proj_size": 9, "num_labels": 4, "use_weighted_layer_sum": True},
        inputs=sounds,
    ),
    "classification_no_architectures": case(
        WhisperForAudioClassification,
        ONE_LAYER | {"classifier_proj_size": 4, "num_labels": 3},
        inputs=sounds,
        edit=without_architectures,
    ),
}


def config(case, seed):
    return WhisperConfig(**(SIZES | case.config), attn_implementation="eager")


def centre(name):
    if name.endswith("layer_weights"):
        return 0, 1
    if "layer_norm" in name and name.endswith("weight"):
        return 1, 0.3
    # Where a sound's vectors come from; scores of a few units.
    return 0, 0.5 if ".conv" in name or name.endswith(("q_proj.weight", "k_proj.weight")) else 0.3


# --- Generation ------------------------------------------------------------------------------

WORDS = {"<|en|>": 25, "<|de|>": 26, "<|fr|>": 27, "<|la|>": 33}
TASKS = {"translate": 28, "transcribe": 29}
KNOWN = {"lang_to_id": WORDS, "task_to_id": TASKS, "no_timestamps_token_id": 34}
TIMES = KNOWN | {"return_timestamps": True}
TOKENS = {"decoder_start_token_id": 4, "eos_token_id": 24, "pad_token_id": 24}
SETTINGS = [
    KNOWN,
    KNOWN | {"language": "German", "task": "translate"},
    KNOWN | {"language": "<|fr|>", "suppress_tokens": [6, 7, 8, 9], "begin_suppress_tokens": [24, 10, 11]},
    KNOWN | {"task": "transcribe", "forced_decoder_ids": [[1, 27]]},
    {"forced_decoder_ids": [[1, 26], [2, 29], [3, 34]], "suppress_tokens": list(range(25, 41))},
    KNOWN | {"forced_decoder_ids": [[1, None], [2, 29]], "is_multilingual": True},
    {"forced_decoder_ids": [[2, 26]], "no_timestamps_token_id": 34, "is_multilingual": False},
    TIMES | {"language": "en"},
    TIMES | {"max_initial_timestamp_index": 3},
    TIMES | {"suppress_tokens": list(range(5, 20)), "max_initial_timestamp_index": 0},
    TIMES | {"forced_decoder_ids": [[1, 25], [2, 29], [3, 34]], "begin_suppress_tokens": [35, 36, 37]},
    TIMES | {"language": "fr", "num_beams": 3},
    TIMES | {"language": "latin", "eos_token_id": 20},
    KNOWN | {"eos_token_id": [0, 20], "min_new_tokens": 2},
    {},
]


def generating(folder, model):
    """What transformers writes of the sounds of the golden, as each of SETTINGS says in generation_config.json, and as
    no such file says: the sequences of the one window, from their first token on."""
    with np.load(folder / "golden.npz") as file:
        features = file["inputs/input_features"]
    arrays = {"inputs/input_features": features}
    weights = {key: tensor.double() for key, tensor in model.state_dict().items()}
    found, plain = [], GenerationMixin.generate

    def recorded(*arguments, **options):
        found.append(plain(*arguments, **options))
        return found[-1]

    for number, settings in enumerate([*SETTINGS, None]):
        if settings is None:
            # What the texts of the first settings begin with behind what opens them, and what comes next there.
            first = arrays["outputs/sequences.0"][:, 3:5]
            settings = KNOWN | {"begin_suppress_tokens": sorted({int(token) for token in first.flat})}
        settings = TOKENS | settings
        text = json.dumps(settings)
        found.clear()
        GenerationMixin.generate = recorded
        try:
            with golden.lifted(), torch.no_grad():
                built = golden.rebuild(model, weights)
                built.generation_config = GenerationConfig(**settings)
                built.generate(
                    torch.from_numpy(features), max_new_tokens=9, force_unique_generate_call=True
                )
        finally:
            GenerationMixin.generate = plain
        arrays[f"settings.{number}"] = np.frombuffer(text.encode(), dtype=np.uint8)
        arrays[f"outputs/sequences.{number}"] = found[0].numpy()
    write_npz(folder / "settings.npz", arrays)


# --- Sounds that are longer than a window ----------------------------------------------------

# One second is a window: 12 frames.
EXTRACTOR = {"feature_size": 5, "hop_length": 1300, "chunk_length": 1}
PREVIOUS = {"condition_on_prev_tokens": True, "prev_sot_token_id": 30}
LONG = [
    TIMES | {"language": "en"},
    KNOWN | {"language": "fr", "task": "translate"},
    TIMES,
    TIMES | PREVIOUS | {"language": "de"},
    TIMES | {"condition_on_prev_tokens": True, "suppress_tokens": [7, 12, 9]},
    TIMES | PREVIOUS | {"begin_suppress_tokens": [24, 6, 35], "max_initial_timestamp_index": 1},
    TIMES | {"language": "en", "eos_token_id": 33, "pad_token_id": 33},
    TIMES | {"language": "en", "eos_token_id": 33, "pad_token_id": 1, "repetition_penalty": 1.2},
    {"no_timestamps_token_id": 34, "suppress_tokens": [5, 8], "no_repeat_ngram_size": 2},
    TIMES | {"forced_decoder_ids": [[1, 26], [2, 29], [3, 34]], "suppress_tokens": list(range(5, 24))},
]


def long(folder, model):
    """What transformers writes of a sound of 52 frames, more than four windows: `long.npz`. The sound is a period of
    samples, each time with another factor, in sixteenths."""
    random = np.random.default_rng(52)
    period = np.round(random.normal(0, 3000, 1300)).clip(-32768, 32767).astype(np.int16)
    factors = random.integers(0, 60, 52).astype(np.int64)
    factors[20:23] = 0
    sound = np.concatenate([(period.astype(np.int64) * factor) // 16 for factor in factors])
    sound = sound.clip(-32768, 32767).astype(np.float32) / 32768
    extractor = WhisperFeatureExtractor(**EXTRACTOR)
    features = extractor._np_extract_fbank_features(sound[None], "cpu").astype(np.float64)
    assert features.shape == (1, 5, 52)
    arrays = {"period": period, "factors": factors, "features": features[0]}
    weights = {key: tensor.double() for key, tensor in model.state_dict().items()}
    windows = set()
    for number, settings in enumerate(LONG):
        settings = TOKENS | settings
        calls, plain = [], GenerationMixin.generate

        def counted(*arguments, **options):
            calls.append(options["decoder_input_ids"].shape[1])
            return plain(*arguments, **options)

        GenerationMixin.generate = counted
        try:
            with golden.lifted(), torch.no_grad():
                built = golden.rebuild(model, weights)
                built.generation_config = GenerationConfig(**settings)
                found = built.generate(
                    torch.from_numpy(features), max_new_tokens=7, return_timestamps=True
                )
        finally:
            GenerationMixin.generate = plain
        windows.add(len(calls))
        arrays[f"settings.{number}"] = np.frombuffer(json.dumps(settings).encode(), dtype=np.uint8)
        arrays[f"sequences.{number}"] = found[0].numpy()
        arrays[f"windows.{number}"] = np.array(len(calls))
    # Some advance by times, some by whole windows.
    assert len(windows) > 1, windows
    write_npz(folder / "long.npz", arrays)


def continued(folder, model):
    """Greedy words behind a given beginning: `generated.npz`, as for other families."""
    with np.load(folder / "golden.npz") as file:
        inputs = {
            name.removeprefix("inputs/"): file[name] for name in file if name.startswith("inputs/")
        }
    # The framework's own generation for sounds takes other ways; a step is the same.
    model.generate = lambda **options: GenerationMixin.generate(model, **options)
    rebuild = golden.rebuild

    def twin(*arguments):
        built = rebuild(*arguments)
        built.generate = lambda **options: GenerationMixin.generate(built, **options)
        return built

    golden.rebuild = twin
    try:
        write_golden(
            folder / "generated.npz", model, inputs, exact_generation(model, inputs, 6), greedy=True
        )
    finally:
        golden.rebuild = rebuild


if __name__ == "__main__":
    fixture.main(fixture.Family("whisper", config, CASES, centre))
    if not sys.argv[1:] or "generate" in sys.argv:
        folder = FIXTURES / "whisper" / "generate"
        model = golden.load(folder, "WhisperForConditionalGeneration")
        continued(folder, model)
        generating(folder, model)
        long(folder, model)
