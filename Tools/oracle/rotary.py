"""Rotary frequencies as transformers computes them, in true float64: Fixtures/kernels/rotary.json.

For each case the settings, and for each length of a text the inverse frequencies, the attention factor, and
cosines and sines at its last position. Fixtures/kernels/rotary_partial.json has configs of models that turn a
part of each head, as old and new versions write them, and a query's head before and after it was turned.
"""

import importlib
import json
import sys

import numpy as np
import torch
from exact import FIXTURES, golden
from transformers import GPTNeoXConfig, LlamaConfig, Phi3Config, PhiConfig, StableLmConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

LONG = {
    "short_factor": [1.0, 1.05, 1.1, 1.35, 1.7, 2.0],
    "long_factor": [1.1, 1.5, 3.25, 8.0, 20.5, 41.0],
}

# name: head size, longest, settings, lengths
CASES = {
    "default": (16, 64, {"rope_theta": 10000.0}, [9]),
    "base": (10, 64, {"rope_theta": 500000.0}, [1000]),
    "linear": (16, 64, {"rope_type": "linear", "factor": 2.5}, [9]),
    "dynamic": (12, 16, {"rope_type": "dynamic", "factor": 3.0}, [4, 16, 17, 100]),
    "llama3": (
        64,
        131072,
        {
            "rope_type": "llama3",
            "rope_theta": 500000.0,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
        [9000],
    ),
    "yarn": (64, 4096, {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024}, [3000]),
    "yarn-gpt-oss": (
        64,
        131072,
        {
            "rope_type": "yarn",
            "rope_theta": 150000.0,
            "factor": 32.0,
            "beta_fast": 32.0,
            "beta_slow": 1.0,
            "truncate": False,
            "original_max_position_embeddings": 4096,
        },
        [5000],
    ),
    "yarn-deepseek": (
        64,
        163840,
        {
            "rope_type": "yarn",
            "factor": 40.0,
            "beta_fast": 32.0,
            "beta_slow": 2.0,
            "mscale": 1.0,
            "mscale_all_dim": 0.707,
            "original_max_position_embeddings": 4096,
        },
        [77],
    ),
    "yarn-given": (
        16,
        256,
        {
            "rope_type": "yarn",
            "factor": 2.0,
            "attention_factor": 0.75,
            "mscale": 0.5,
            "beta_fast": 0,
            "original_max_position_embeddings": 128,
        },
        [200],
    ),
    # both bounds of the ramp are the same pair
    "yarn-narrow": (
        8,
        64,
        {
            "rope_type": "yarn",
            "factor": 2.0,
            "beta_fast": 1.0,
            "beta_slow": 1.0,
            "truncate": False,
            "original_max_position_embeddings": 32,
        },
        [40],
    ),
    "longrope": (
        12,
        256,
        {"rope_type": "longrope", "factor": 8.0, "original_max_position_embeddings": 32, **LONG},
        [20, 32, 33, 200],
    ),
    "longrope-ratio": (12, 128, {"rope_type": "longrope", "original_max_position_embeddings": 32, **LONG}, [33]),
    "longrope-given": (
        12,
        128,
        {
            "rope_type": "longrope",
            "factor": 4.0,
            "attention_factor": 1.25,
            "original_max_position_embeddings": 32,
            **LONG,
        },
        [5],
    ),
    "proportional": (
        16,
        64,
        {"rope_type": "proportional", "rope_theta": 1000000.0, "partial_rotary_factor": 0.25, "factor": 2.0},
        [50],
    ),
}


# name: class of config, config.json, lengths. Two heads.
PARTIAL = {
    "neox-silent": (GPTNeoXConfig, {"hidden_size": 64}, [9]),
    "neox-old": (GPTNeoXConfig, {"hidden_size": 48, "rotary_pct": 0.5, "rotary_emb_base": 25000}, [100]),
    "neox-both": (
        GPTNeoXConfig,
        {
            "hidden_size": 48,
            "rotary_pct": 0.5,
            "rotary_emb_base": 25000,
            "rope_theta": 7,
            "partial_rotary_factor": 0.75,
        },
        [100],
    ),
    "neox-new": (
        GPTNeoXConfig,
        {
            "hidden_size": 48,
            "rotary_pct": 1.0,
            "rope_parameters": {"rope_type": "default", "rope_theta": 500.0, "partial_rotary_factor": 0.75},
        },
        [50],
    ),
    # an odd count: 7 of 14
    "neox-odd": (GPTNeoXConfig, {"hidden_size": 28, "rotary_pct": 0.5}, [30]),
    "neox-odd-dynamic": (
        GPTNeoXConfig,
        {
            "hidden_size": 28,
            "rotary_pct": 0.5,
            "max_position_embeddings": 16,
            "rope_scaling": {"type": "dynamic", "factor": 2.0},
        },
        [16, 70],
    ),
    "phi-silent": (PhiConfig, {"hidden_size": 32}, [9]),
    "phi-old": (PhiConfig, {"hidden_size": 160, "partial_rotary_factor": 0.4, "rope_theta": 10000.0}, [2000]),
    # 0.29 · 100 is 28.999999999999996
    "phi-rounded": (PhiConfig, {"hidden_size": 200, "partial_rotary_factor": 0.29}, [33]),
    "phi-yarn": (
        PhiConfig,
        {
            "hidden_size": 128,
            "max_position_embeddings": 4096,
            "rope_parameters": {
                "rope_type": "yarn",
                "rope_theta": 10000.0,
                "partial_rotary_factor": 0.5,
                "factor": 4.0,
                "original_max_position_embeddings": 1024,
            },
        },
        [3000],
    ),
    "phi-llama3": (
        PhiConfig,
        {
            "hidden_size": 128,
            "partial_rotary_factor": 0.5,
            "rope_theta": 500000.0,
            "max_position_embeddings": 131072,
            "rope_scaling": {
                "rope_type": "llama3",
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 8192,
            },
        },
        [9000],
    ),
    "phi3-longrope": (
        Phi3Config,
        {
            "hidden_size": 32,
            "partial_rotary_factor": 0.75,
            "rope_theta": 10000.0,
            "max_position_embeddings": 256,
            "original_max_position_embeddings": 32,
            "rope_scaling": {"type": "longrope", **LONG},
        },
        [32, 33],
    ),
    "stablelm-silent": (StableLmConfig, {"hidden_size": 32}, [9]),
    "stablelm-linear": (
        StableLmConfig,
        {"hidden_size": 32, "partial_rotary_factor": 0.5, "rope_scaling": {"type": "linear", "factor": 2.5}},
        [40],
    ),
}


def config(head_size, longest, settings):
    parameters = {"rope_type": "default", "rope_theta": 10000.0, **settings}
    return LlamaConfig(
        hidden_size=2 * head_size,
        num_attention_heads=2,
        head_dim=head_size,
        max_position_embeddings=longest,
        rope_parameters=parameters,
    )


def run(config, length):
    """What a text of that length gets from an embedding that has seen no other."""
    with golden.lifted() as offenders, torch.no_grad():
        embedding = LlamaRotaryEmbedding(config)
        cosines, sines = embedding(torch.zeros(1), torch.arange(length)[None])
    assert not offenders and cosines.dtype == torch.float64, offenders
    pairs = cosines.shape[-1] // 2
    return {
        "length": length,
        "inverse": embedding.inv_freq.tolist(),
        "attention_factor": float(embedding.attention_scaling),
        "cosines": cosines[0, -1, :pairs].tolist(),
        "sines": sines[0, -1, :pairs].tolist(),
    }


def run_partial(config, length, query):
    """The same of a class of its own, and a head of a query at the last position, turned as its attention does it."""
    module = sys.modules[type(config).__module__.replace("configuration", "modeling")]
    embed = getattr(module, type(config).__name__.replace("Config", "RotaryEmbedding"))
    with golden.lifted() as offenders, torch.no_grad():
        embedding = embed(config)
        cosines, sines = embedding(torch.zeros(1), torch.arange(length)[None])
        part = cosines.shape[-1]
        turned, _ = module.apply_rotary_pos_emb(query[..., :part], query[..., :part], cosines[:, -1:], sines[:, -1:])
    assert not offenders and turned.dtype == torch.float64, offenders
    return {
        "length": length,
        "inverse": embedding.inv_freq.tolist(),
        "attention_factor": float(embedding.attention_scaling),
        "turned": torch.cat([turned, query[..., part:]], dim=-1).flatten().tolist(),
    }


def partial_case(cls, written, lengths, random):
    importlib.import_module(cls.__module__.replace("configuration", "modeling"))
    written = {"num_attention_heads": 2, **written}
    query = torch.from_numpy(random.standard_normal((1, 1, 1, written["hidden_size"] // 2)))
    # a config is changed by who reads it
    texts = [run_partial(cls.from_dict(json.loads(json.dumps(written))), length, query) for length in lengths]
    return {"config": written, "query": query.flatten().tolist(), "texts": texts}


def write(name, cases):
    path = FIXTURES / "kernels" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(cases, indent=1) + "\n")


def main():
    random = np.random.default_rng(23)
    partial = {name: partial_case(*case, random) for name, case in PARTIAL.items()}
    write("rotary_partial.json", partial)
    cases = {}
    for name, (head_size, longest, settings, lengths) in CASES.items():
        results = [run(config(head_size, longest, settings), length) for length in lengths]
        cases[name] = {"size": head_size, "longest": longest, "settings": settings, "texts": results}
    write("rotary.json", cases)


main()
