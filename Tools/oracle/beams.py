"""Texts that transformers continues by beam search, for models that other scripts have made.

    python Tools/oracle/beams.py [CASE ...]

The prompts are those of the folder's `generated.npz`, or `continued.npz`. Passes are in true float64; transformers
takes the logarithms of probabilities in float32 all the same. Writes `Fixtures/FAMILY/CASE/beams.npz`: the inputs,
and for each of the settings below `sequences` and `sequences_scores`, numbered.
"""

import sys

import numpy as np
import torch

from bart import FORCED
from exact import FIXTURES, golden, write_npz

# (num_beams, length_penalty, early_stopping, max_new_tokens)
SETTINGS = [(2, 1.0, False, 9), (3, 2.0, False, 9), (4, 0.0, True, 9), (5, -1.5, False, 7),
            (3, 4.0, False, 16), (3, 4.0, True, 16)]

CASES = {
    "bart/fsmt_generate": ("FSMTForConditionalGeneration", "generated.npz", {}),
    "bart/forced": ("BartForConditionalGeneration", "continued.npz", FORCED),
    "t5/generate": ("T5ForConditionalGeneration", "generated.npz", {}),
    "t5/switch_generate": ("SwitchTransformersForConditionalGeneration", "generated.npz", {}),
    "xlnet/generate": ("XLNetLMHeadModel", "generated.npz", {}),
    "gpt2/generate_left_padded": ("GPT2LMHeadModel", "generated.npz", {}),
    "llama/mistral_generate": ("MistralForCausalLM", "generated.npz", {}),
    "bloom/generate": ("BloomForCausalLM", "generated.npz", {}),
    "encoderdecoderpair/bert_bert_generate": ("EncoderDecoderModel", "generated.npz", {}),
    "encoderdecoderpair/bert_gpt2_generate": ("EncoderDecoderModel", "generated.npz", {}),
}


def write(name):
    class_name, prompts, limits = CASES[name]
    folder = FIXTURES / name
    with np.load(folder / prompts) as file:
        inputs = {
            key.removeprefix("inputs/"): file[key] for key in file if key.startswith("inputs/")
        }
    model = golden.load(folder, class_name)
    weights = {key: tensor.double() for key, tensor in model.state_dict().items()}
    arrays = {f"inputs/{key}": array for key, array in inputs.items()}
    for number, (beams, penalty, early, count) in enumerate(SETTINGS):
        with golden.lifted(), torch.no_grad():
            result = golden.rebuild(model, weights).generate(
                **{key: torch.from_numpy(array) for key, array in inputs.items()},
                do_sample=False,
                num_beams=beams,
                length_penalty=penalty,
                early_stopping=early,
                max_new_tokens=count,
                return_dict_in_generate=True,
                output_scores=True,
                **limits,
            )
        arrays[f"outputs/sequences.{number}"] = result.sequences.numpy()
        arrays[f"outputs/sequences_scores.{number}"] = result.sequences_scores.double().numpy()
    write_npz(folder / "beams.npz", arrays)


if __name__ == "__main__":
    for name in sys.argv[1:] or CASES:
        write(name)
