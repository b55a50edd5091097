"""Texts that transformers continues as a generation_config.json says, for models that other scripts have made.

    python Tools/oracle/generation_settings.py

The prompts are those of the folder's `generated.npz`, or `continued.npz`. Each of the settings below is written beside
the model and read by `from_pretrained`; passes are in true float64. Writes `Fixtures/FAMILY/CASE/settings.npz`: the
inputs, for each of the settings the file's text as bytes (`settings.N`) and the `sequences`, numbered.
"""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers

from exact import FIXTURES, golden, write_npz

SETTINGS = [
    {"eos_token_id": 5, "pad_token_id": 0},
    {"repetition_penalty": 1.7},
    {"no_repeat_ngram_size": 2},
    {"no_repeat_ngram_size": 1, "eos_token_id": [3, 5, 9], "pad_token_id": 1},
    {"min_length": 12, "eos_token_id": list(range(30)), "pad_token_id": 31},
    {"min_new_tokens": 4, "min_length": 40, "eos_token_id": list(range(30)), "pad_token_id": 31},
    {"suppress_tokens": list(range(0, 40, 3)), "begin_suppress_tokens": list(range(20))},
    {"num_beams": 3, "repetition_penalty": 1.3, "length_penalty": 2.0, "early_stopping": True,
     "eos_token_id": [3, 5, 9], "pad_token_id": 1},
    {"num_beams": 2, "no_repeat_ngram_size": 3, "min_new_tokens": 5, "eos_token_id": list(range(30)),
     "pad_token_id": 31},
    {"forced_bos_token_id": 7, "begin_suppress_tokens": list(range(0, 40, 2)), "forced_eos_token_id": 4,
     "bad_words_ids": [[7, 3], [11]], "eos_token_id": 4, "pad_token_id": 1},
]

CASES = {
    "bart/generate": ("BartForConditionalGeneration", 4),
    "t5/generate": ("T5ForConditionalGeneration", 0),
    "gpt2/generate_left_padded": ("GPT2LMHeadModel", None),
    "llama/mistral_generate": ("MistralForCausalLM", None),
}


def write(name):
    class_name, start = CASES[name]
    folder = FIXTURES / name
    with np.load(folder / "generated.npz") as file:
        inputs = {
            key.removeprefix("inputs/"): file[key] for key in file if key.startswith("inputs/")
        }
    arrays = {f"inputs/{key}": array for key, array in inputs.items()}
    for number, settings in enumerate(SETTINGS):
        if start is not None:
            settings = settings | {"decoder_start_token_id": start}
        text = json.dumps(settings)
        with tempfile.TemporaryDirectory() as scratch:
            for path in folder.iterdir():
                shutil.copy(path, scratch)
            (Path(scratch) / "generation_config.json").write_text(text)
            stored = getattr(transformers, class_name).from_pretrained(scratch).generation_config
            model = golden.load(Path(scratch), class_name)
            weights = {key: tensor.double() for key, tensor in model.state_dict().items()}
            with golden.lifted(), torch.no_grad():
                built = golden.rebuild(model, weights)
                built.generation_config = stored
                result = built.generate(
                    **{key: torch.from_numpy(array) for key, array in inputs.items()},
                    max_new_tokens=9,
                )
        arrays[f"settings.{number}"] = np.frombuffer(text.encode(), dtype=np.uint8)
        arrays[f"outputs/sequences.{number}"] = result.numpy()
    write_npz(folder / "settings.npz", arrays)


if __name__ == "__main__":
    for name in CASES:
        write(name)
