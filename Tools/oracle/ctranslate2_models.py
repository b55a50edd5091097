"""Writes the fixtures of models other than BART's kin as CTranslate2 stores them: python Tools/oracle/ctranslate2_models.py
[FAMILY/CASE ...]

As bart_ctranslate2.py does: a random model of transformers, converted by CTranslate2's own converter, the same model in
`huggingface/` beside it, and what transformers computes of that in float64.
"""

import copy
import sys
import zlib

import numpy as np
import torch
from transformers import (
    BertModel,
    GPT2LMHeadModel,
    LlamaForCausalLM,
    MistralForCausalLM,
    Qwen2ForCausalLM,
    Qwen3ForCausalLM,
    T5ForConditionalGeneration,
    WhisperForConditionalGeneration,
)

import bert
import gpt2
import llama
import t5
import whisper
from bart_ctranslate2 import convert, decoded, take_over
from exact import FIXTURES, exact_outputs, write_golden
from fixture import randomise

ROTARY = {"rope_type": "default", "rope_theta": 500.0}
LLAMA = llama.SIZES | {"vocab_size": 23, "hidden_size": 16, "head_dim": 4, "rope_parameters": ROTARY, "rms_norm_eps": 1e-5}
WIDE = LLAMA | {"head_dim": 8}
BERT = bert.SIZES | {"vocab_size": 23, "hidden_size": 12, "intermediate_size": 20, "max_position_embeddings": 9}
BERT |= {"layer_norm_eps": 1e-3}
GPT2 = gpt2.SIZES | {"vocab_size": 23, "n_embd": 12, "n_inner": 20, "n_positions": 9, "bos_token_id": 22, "eos_token_id": 22}
T5 = t5.SIZES | {"vocab_size": 23, "d_model": 12, "pad_token_id": 0, "eos_token_id": 1}
T5 |= {"relative_attention_num_buckets": 8, "relative_attention_max_distance": 9, "layer_norm_epsilon": 1e-6}
KEPT = ("logits", "last_hidden_state", "pooler_output")


def said_positions(model):
    """What the converter asks of configs of transformers 4."""
    model.config.position_embedding_type = "absolute"


def said_ties(model):
    """Likewise: whether states are scaled before words are scored, which transformers 5 says elsewhere."""
    model.config.tie_word_embeddings = model.config.scale_decoder_outputs


# case: (script of the family, class, config, inputs, quantization)
CASES = {
    "whisper/ct2_whisper": (whisper, WhisperForConditionalGeneration, whisper.SIZES, whisper.spoken(5), None),
    "whisper/ct2_int8": (whisper, WhisperForConditionalGeneration, whisper.SIZES, whisper.spoken(5), "int8_float16"),
    "gpt2/ct2_gpt2": (gpt2, GPT2LMHeadModel, GPT2, gpt2.left_padded, None),
    "t5/ct2_t5": (t5, T5ForConditionalGeneration, T5, t5.right_padded, None),
    "t5/ct2_gated": (t5, T5ForConditionalGeneration, T5 | t5.V11, t5.both_sides_padded, None),
    "bert/ct2_bert": (bert, BertModel, BERT, bert.right_padded, None),
    "llama/ct2_llama": (llama, LlamaForCausalLM, LLAMA, llama.right_padded, None),
    "llama/ct2_linear": (
        llama,
        LlamaForCausalLM,
        LLAMA
        | {"num_hidden_layers": 1, "tie_word_embeddings": True, "attention_bias": True, "num_key_value_heads": 4}
        | {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}},
        llama.right_padded,
        None,
    ),
    "llama/ct2_mistral": (llama, MistralForCausalLM, WIDE | {"sliding_window": 4}, llama.right_padded, None),
    "llama/ct2_qwen2": (llama, Qwen2ForCausalLM, LLAMA, llama.right_padded, "int8"),
    "llama/ct2_qwen3": (llama, Qwen3ForCausalLM, WIDE, llama.right_padded, "float16"),
}


def take_over_decoder(model, spec):
    """Gives a decoder with gates the numbers of a specification."""
    variables = spec.variables()

    def take(module, *names):
        for key, other in (("weight", "weight"), ("bias", "bias"), ("weight", "gamma")):
            if f"{names[0]}/{other}" in variables:
                part = decoded(variables, f"{names[0]}/{other}")
                getattr(module, key).copy_(torch.from_numpy(part[slice(*names[1:])] if names[1:] else part))

    with torch.no_grad():
        take(model.model.embed_tokens, "decoder/embeddings")
        take(model.lm_head, "decoder/projection")
        take(model.model.norm, "decoder/layer_norm")
        for number, layer in enumerate(model.model.layers):
            scope = f"decoder/layer_{number}"
            own, start = layer.self_attn, 0
            for projection in (own.q_proj, own.k_proj, own.v_proj):
                take(projection, f"{scope}/self_attention/linear_0", start, start + projection.out_features)
                start += projection.out_features
            take(own.o_proj, f"{scope}/self_attention/linear_1")
            take(layer.input_layernorm, f"{scope}/self_attention/layer_norm")
            take(layer.post_attention_layernorm, f"{scope}/ffn/layer_norm")
            take(layer.mlp.gate_proj, f"{scope}/ffn/linear_0")
            take(layer.mlp.up_proj, f"{scope}/ffn/linear_0_noact")
            take(layer.mlp.down_proj, f"{scope}/ffn/linear_1")
            if hasattr(own, "q_norm"):
                take(own.q_norm, f"{scope}/self_attention/q_norm")
                take(own.k_norm, f"{scope}/self_attention/k_norm")


def write(name, root=FIXTURES, case=None):
    script, model_class, sizes, inputs, quantization = case or CASES[name]
    seed = zlib.crc32(name.encode())
    folder = root / name
    config = model_class.config_class(**sizes, attn_implementation="eager")
    model = model_class(config).eval()
    randomise(model, seed, script.centre)
    # The converter takes apart what it has read.
    source = copy.deepcopy(model)
    if script is bert:
        said_positions(source)
    if script is t5:
        if not config.scale_decoder_outputs:
            t5.own_head(model)
            source = copy.deepcopy(model)
        said_ties(source)
    spec = convert(source, folder, quantization, config.vocab_size)
    if quantization:
        (take_over if script is whisper else take_over_decoder)(model, spec)
    model.save_pretrained(folder / "huggingface")
    (folder / "huggingface" / "generation_config.json").unlink(missing_ok=True)
    given = inputs(np.random.default_rng(seed), config)
    outputs = exact_outputs(model, given)
    kept = {key: outputs[key] for key in KEPT if key in outputs}
    write_golden(folder / "golden.npz", model, given, kept, seed=seed)


if __name__ == "__main__":
    for name in sys.argv[1:] or CASES:
        write(name)
        size = sum(path.stat().st_size for path in (FIXTURES / name).rglob("*") if path.is_file())
        print(f"{name:28}{size:8} bytes")
