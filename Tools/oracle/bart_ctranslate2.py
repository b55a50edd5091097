"""Writes the fixtures of BART and its kin as CTranslate2 stores them: python Tools/oracle/bart_ctranslate2.py [CASE ...]

A random model of transformers, converted by CTranslate2's own converter (`ctranslate2.converters.transformers`), with the
same model in `huggingface/` beside it, and what transformers computes of that in float64. CTranslate2 leaves out what no text reaches: those rows
are zero. Of a quantised file the model beside it has the numbers that CTranslate2's arithmetic makes of the codes
(`code * (1 / scale)` in float32, src/ops/dequantize_cpu.cc).
"""

import shutil
import sys
import zlib

import ctranslate2.converters.transformers as converters
import numpy as np
import torch
from transformers import (
    BartForConditionalGeneration,
    M2M100ForConditionalGeneration,
    MarianMTModel,
    MBartForConditionalGeneration,
    PegasusForConditionalGeneration,
)

import bart
from exact import FIXTURES, exact_outputs, write_golden
from fixture import randomise

WORDS = 23
SIZES = bart.SIZES | {
    "vocab_size": WORDS,
    "encoder_attention_heads": 3,
    "decoder_attention_heads": 3,
    "max_position_embeddings": 9,
    "decoder_start_token_id": 2,
}
BART = {"normalize_before": False, "normalize_embedding": True}
LAST = {"pad_token_id": WORDS - 1, "eos_token_id": 0, "bos_token_id": 0, "decoder_start_token_id": WORDS - 1}

# case: (class, what differs in the config, quantization)
CASES = {
    "ct2_bart": (BartForConditionalGeneration, BART, None),
    "ct2_mbart": (MBartForConditionalGeneration, {"normalize_before": True, "normalize_embedding": True, "scale_embedding": True}, None),
    "ct2_marian": (MarianMTModel, LAST | {"scale_embedding": True, "activation_function": "swish"}, None),
    "ct2_pegasus": (
        PegasusForConditionalGeneration,
        {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0, "activation_function": "relu"}
        | {"normalize_before": True, "normalize_embedding": False},
        None,
    ),
    "ct2_m2m100": (M2M100ForConditionalGeneration, {"activation_function": "relu", "scale_embedding": True}, None),
    "ct2_float16": (MarianMTModel, LAST | {"scale_embedding": True, "activation_function": "relu"}, "float16"),
    "ct2_untied": (BartForConditionalGeneration, BART | {"tie_word_embeddings": False}, None),
    "ct2_int8": (BartForConditionalGeneration, BART | {"encoder_layers": 2}, "int8"),
    "ct2_int16": (M2M100ForConditionalGeneration, {"activation_function": "relu"}, "int16"),
}


class Words:
    """What the converter asks a tokenizer."""

    bos_token, eos_token, unk_token, pad_token = "<s>", "</s>", "<unk>", "<pad>"
    model_max_length = 9
    special_tokens_map = {}

    def convert_ids_to_tokens(self, number):
        return f"w{number}"


def decoded(variables, name):
    """The numbers of a variable, as CTranslate2 has them in float32."""
    value = variables[name]
    if isinstance(value, str):
        return decoded(variables, value)
    numbers = value.numpy()
    if numbers.dtype in (np.int8, np.int16) and numbers.ndim > 1:
        scale = variables[name + "_scale"].numpy().astype(np.float32)
        factor = np.float32(1) / scale
        return numbers.astype(np.float32) * (factor.reshape(-1, *[1] * (numbers.ndim - 1)) if factor.ndim else factor)
    return numbers.astype(np.float32)


def take_over(model, spec):
    """Gives the model the numbers of a specification, by the names of its parts."""
    variables = spec.variables()
    width = model.config.d_model

    def linear(scope, modules):
        for key in ("weight", "bias"):
            rows = decoded(variables, f"{scope}/{key}").reshape(len(modules), width, -1) if len(modules) > 1 else [
                decoded(variables, f"{scope}/{key}")
            ]
            for module, part in zip(modules, rows):
                if getattr(module, key) is not None:
                    part = torch.from_numpy(np.ascontiguousarray(part))
                    getattr(module, key).copy_(part.reshape(getattr(module, key).shape))

    def norm(scope, module):
        module.weight.copy_(torch.from_numpy(decoded(variables, scope + "/gamma")))
        module.bias.copy_(torch.from_numpy(decoded(variables, scope + "/beta")))

    with torch.no_grad():
        tables = {"decoder/embeddings": model.model.decoder.embed_tokens, "decoder/projection": model.get_output_embeddings()}
        if "encoder/embeddings_0/weight" in variables:
            tables |= {"encoder/embeddings_0": model.model.encoder.embed_tokens}
        for scope, module in tables.items():
            table = torch.from_numpy(decoded(variables, scope + "/weight"))
            module.weight[: len(table)].copy_(table)
        if hasattr(model.model, "shared"):
            # Nobody looks at it where words are not tied, and it is not stored.
            model.model.shared.weight.copy_(model.model.encoder.embed_tokens.weight.clone())
        if "decoder/projection/bias" in variables:
            bias = decoded(variables, "decoder/projection/bias")
            model.final_logits_bias[0, : len(bias)].copy_(torch.from_numpy(bias))
        for name in ("encoder", "decoder"):
            stack = getattr(model.model, name)
            if isinstance(stack.embed_positions, torch.nn.Embedding):
                table = decoded(variables, f"{name}/position_encodings/encodings")
                first = getattr(stack.embed_positions, "offset", 0)
                stack.embed_positions.weight[first:].copy_(torch.from_numpy(table))
            for convolution in ("conv1", "conv2") if hasattr(stack, "conv1") else ():
                linear(f"{name}/{convolution}", [getattr(stack, convolution)])
            if hasattr(stack, "layernorm_embedding"):
                norm(f"{name}/layernorm_embedding", stack.layernorm_embedding)
            for number, layer in enumerate(stack.layers):
                scope = f"{name}/layer_{number}"
                own = layer.self_attn
                linear(f"{scope}/self_attention/linear_0", [own.q_proj, own.k_proj, own.v_proj])
                linear(f"{scope}/self_attention/linear_1", [own.out_proj])
                norm(f"{scope}/self_attention/layer_norm", layer.self_attn_layer_norm)
                if name == "decoder":
                    other = layer.encoder_attn
                    linear(f"{scope}/attention/linear_0", [other.q_proj])
                    linear(f"{scope}/attention/linear_1", [other.k_proj, other.v_proj])
                    linear(f"{scope}/attention/linear_2", [other.out_proj])
                    norm(f"{scope}/attention/layer_norm", layer.encoder_attn_layer_norm)
                linear(f"{scope}/ffn/linear_0", [layer.fc1])
                linear(f"{scope}/ffn/linear_1", [layer.fc2])
                norm(f"{scope}/ffn/layer_norm", layer.final_layer_norm)
            if getattr(stack, "layer_norm", None) is not None:
                norm(f"{name}/layer_norm", stack.layer_norm)


def convert(model, folder, quantization, words):
    """Writes a model as CTranslate2 has it, and gives its specification."""
    shutil.rmtree(folder, ignore_errors=True)
    loader = converters._MODEL_LOADERS[type(model.config).__name__]
    spec = loader.get_model_spec(model)
    loader.set_vocabulary(spec, [f"w{number}" for number in range(words)])
    loader.set_config(spec.config, model, Words())
    spec.validate()
    spec.optimize(quantization)
    folder.mkdir(parents=True)
    spec.save(str(folder))
    for path in folder.iterdir():
        if path.name not in ("model.bin", "config.json"):
            path.unlink()
    return spec


def write(name, root=FIXTURES / "bart"):
    model_class, changes, quantization = CASES[name]
    seed = zlib.crc32(name.encode())
    folder = root / name
    config = model_class.config_class(**SIZES | changes)
    model = model_class(config).eval()
    randomise(model, seed, bart.centre)
    with torch.no_grad():
        bart.computed_tables(model)
        if model_class is MarianMTModel:
            for stack in (model.model.encoder, model.model.decoder):
                stack.embed_tokens.weight[-1] = 0
            model.final_logits_bias[:, -1] = 0
        for stack in (model.model.encoder, model.model.decoder):
            if hasattr(stack.embed_positions, "offset") and hasattr(stack.embed_positions, "weight"):
                stack.embed_positions.weight[: stack.embed_positions.offset] = 0
    spec = convert(model, folder, quantization, WORDS - (model_class is MarianMTModel))
    take_over(model, spec)
    model.save_pretrained(folder / "huggingface")
    (folder / "huggingface" / "generation_config.json").unlink(missing_ok=True)
    inputs = bart.right_padded(np.random.default_rng(seed), config)
    outputs = exact_outputs(model, inputs)
    write_golden(folder / "golden.npz", model, inputs, {key: outputs[key] for key in bart.LOGITS}, seed=seed)


if __name__ == "__main__":
    bart.say_by_design()
    for name in sys.argv[1:] or CASES:
        write(name)
        size = sum(path.stat().st_size for path in (FIXTURES / "bart" / name).rglob("*") if path.is_file())
        print(f"{name:28}{size:8} bytes")
