"""Writes adapters and the models that PEFT makes of them: python Tools/oracle/peft_adapters.py [CASE ...]

Each case is a folder `Fixtures/adapters/CASE`: `base/` is a tiny model, `adapter/` what PEFT saves, with every
parameter random (a fresh B is zero), and `merged.safetensors` the tensors that `merge_and_unload` has changed. Where
PEFT leaves the order of sums to a library (DoRA's norms), `exact.safetensors` has the same in float64.
"""

import json
import shutil
import sys
import zlib
from dataclasses import dataclass, field

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
    ViTConfig,
    ViTForImageClassification,
    Wav2Vec2Config,
    Wav2Vec2ForCTC,
)

from exact import FIXTURES, exact_outputs, write_golden

LLAMA = {
    "vocab_size": 41,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
GPT2 = {
    "vocab_size": 37,
    "n_embd": 16,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 24,
    "bos_token_id": 1,
    "eos_token_id": 1,
}
BERT = {
    "vocab_size": 41,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 24,
    "num_labels": 3,
}
T5 = {
    "vocab_size": 41,
    "d_model": 16,
    "d_kv": 4,
    "d_ff": 32,
    "num_layers": 1,
    "num_decoder_layers": 2,
    "num_heads": 4,
}
VIT = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 8,
    "patch_size": 4,
    "num_labels": 3,
}

WAV2VEC2 = {
    "vocab_size": 21,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "conv_dim": (8, 8),
    "conv_kernel": (10, 3),
    "conv_stride": (5, 2),
    "num_conv_pos_embeddings": 6,
    "num_conv_pos_embedding_groups": 2,
}


@dataclass
class Case:
    model: type
    config: object
    lora: dict
    dtype: torch.dtype = torch.float32
    exact: bool = False  # the same in float64
    golden: bool = False  # transformers' outputs of the merged model
    pickled: bool = False  # adapter_model.bin
    second: dict = field(default_factory=dict)  # another adapter, for what the first one has made


ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def llama(**changes):
    return LlamaConfig(**LLAMA | changes)


CASES = {
    # An alpha that is no multiple of the rank, and patterns that are regular expressions.
    "llama": Case(
        LlamaForCausalLM,
        llama(),
        {
            "r": 4,
            "lora_alpha": 6,
            "target_modules": ALL,
            "rank_pattern": {r"model\.layers\.1\.self_attn\.q_proj": 7, "down_proj": 2},
            "alpha_pattern": {r"layers\.0\.\w+\.[qk]_proj": 5, "q_proj": -3},
        },
        golden=True,
    ),
    "llama_rank_stabilised": Case(
        LlamaForCausalLM,
        llama(),
        {"r": 5, "lora_alpha": 16, "use_rslora": True, "target_modules": ["q_proj", "v_proj"]},
        dtype=torch.bfloat16,
    ),
    # What is added to embeddings is rounded to the base's type before it is added.
    "llama_embeddings": Case(
        LlamaForCausalLM,
        llama(),
        {"r": 3, "lora_alpha": 4, "target_modules": ["embed_tokens", "lm_head", "v_proj"]},
        dtype=torch.float16,
    ),
    "llama_tied": Case(
        LlamaForCausalLM,
        llama(tie_word_embeddings=True),
        {"r": 3, "lora_alpha": 4, "target_modules": ["embed_tokens", "k_proj"]},
    ),
    "llama_dora": Case(
        LlamaForCausalLM,
        llama(),
        {
            "r": 4,
            "lora_alpha": 6,
            "use_dora": True,
            "target_modules": ["q_proj", "down_proj", "embed_tokens"],
        },
        exact=True,
    ),
    "llama_doubles": Case(
        LlamaForCausalLM,
        llama(),
        {"r": 4, "lora_alpha": 6, "target_modules": ["q_proj", "down_proj"]},
        dtype=torch.float64,
    ),
    "llama_two": Case(
        LlamaForCausalLM,
        llama(),
        {"r": 4, "lora_alpha": 6, "target_modules": ["q_proj", "v_proj"]},
        second={"r": 2, "lora_alpha": 3, "target_modules": ["q_proj", "o_proj"]},
    ),
    # c_attn is not square, c_proj is.
    "gpt2": Case(
        GPT2LMHeadModel,
        GPT2Config(**GPT2),
        {
            "r": 3,
            "lora_alpha": 8,
            "lora_bias": True,
            "fan_in_fan_out": True,
            "target_modules": ["c_attn", "c_proj"],
        },
    ),
    "gpt2_dora": Case(
        GPT2LMHeadModel,
        GPT2Config(**GPT2),
        {
            "r": 3,
            "lora_alpha": 8,
            "use_dora": True,
            "fan_in_fan_out": True,
            "target_modules": ["c_attn", "c_proj"],
        },
        exact=True,
    ),
    "bert": Case(
        BertForSequenceClassification,
        BertConfig(**BERT),
        {
            "r": 4,
            "lora_alpha": 8,
            "target_modules": ["query", "value"],
            "modules_to_save": ["classifier"],
            "bias": "lora_only",
        },
    ),
    "t5": Case(
        T5ForConditionalGeneration,
        T5Config(**T5),
        {"r": 4, "lora_alpha": 1, "target_modules": ["q", "v", "wo"]},
        pickled=True,
    ),
    # transformers 5 calls modules otherwise than files.
    "vit": Case(
        ViTForImageClassification,
        ViTConfig(**VIT),
        {
            "r": 4,
            "lora_alpha": 8,
            "target_modules": ["q_proj", "fc1"],
            "modules_to_save": ["classifier"],
        },
    ),
    # The kernel of the positions is stored as directions and lengths, which no adapter changes.
    "wav2vec2": Case(
        Wav2Vec2ForCTC,
        Wav2Vec2Config(**WAV2VEC2),
        {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj", "output_dense"]},
    ),
}


def randomise(parameters, generator, deviation):
    with torch.no_grad():
        for parameter in parameters:
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.copy_(deviation * noise)


def adapt(model, settings, folder, generator):
    """Saves an adapter in which nothing is as a fresh one has it."""
    adapted = get_peft_model(model, LoraConfig(**settings))
    trained = [(name, value) for name, value in adapted.named_parameters() if value.requires_grad]
    for name, value in trained:
        randomise([value], generator, 0.4)
        if "magnitude" in name:
            value.data.abs_().add_(0.5)
    adapted.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    config["base_model_name_or_path"] = "tiny"
    config["target_modules"] = sorted(config["target_modules"])  # a set
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def merged(model, *adapters):
    for adapter in adapters:
        model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    return model


def changed(model, base, folder):
    """The tensors that are not the base's, under the names of its file."""
    scratch = folder / "scratch"
    model.save_pretrained(scratch)
    found = load_file(scratch / "model.safetensors")
    shutil.rmtree(scratch)
    assert set(found) == set(base)
    return {
        name: value
        for name, value in found.items()
        if not torch.equal(value, base[name].to(value.dtype))
    }


def write(name):
    case, seed = CASES[name], zlib.crc32(name.encode())
    folder = FIXTURES / "adapters" / name
    shutil.rmtree(folder, ignore_errors=True)
    generator = torch.Generator().manual_seed(seed)
    model = case.model(case.config)
    randomise(model.parameters(), generator, 0.4)
    model = model.to(case.dtype).eval()
    model.save_pretrained(folder / "base")
    (folder / "base" / "generation_config.json").unlink(missing_ok=True)
    base = load_file(folder / "base" / "model.safetensors")
    adapters = [folder / "adapter"]
    adapt(model, case.lora, adapters[0], generator)
    load = lambda dtype: case.model.from_pretrained(folder / "base", dtype=dtype).eval()
    if case.second:
        adapters.append(folder / "second")
        adapt(merged(load(case.dtype), adapters[0]), case.second, adapters[1], generator)
    if case.pickled:
        path = folder / "adapter" / "adapter_model.safetensors"
        torch.save(load_file(path), path.with_suffix(".bin"))
        path.unlink()
    result = merged(load(case.dtype), *adapters)
    save_file(changed(result, base, folder), folder / "merged.safetensors")
    if case.exact:
        exact = merged(load(torch.float64), *adapters)
        save_file(changed(exact, base, folder), folder / "exact.safetensors")
    if case.golden:
        ids = np.random.default_rng(seed).integers(0, case.config.vocab_size, (2, 9))
        inputs = {"input_ids": ids}
        write_golden(
            folder / "golden.npz", result, inputs, exact_outputs(result, inputs), seed=seed
        )
    print(name, sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()), "bytes")


if __name__ == "__main__":
    for name in sys.argv[1:] or CASES:
        write(name)
