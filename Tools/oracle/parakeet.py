"""Writes the fixtures of Parakeet: python Tools/oracle/parakeet.py [CASE ...]

Archives of NeMo are made of a model of transformers: its weights under the names that its own conversion
(models/parakeet/convert_nemo_to_hf.py) reads, in a file of torch's, with a config and a tokenizer in a tar. No code of NeMo
is needed, and none was run.
"""

import gzip
import io
import json
import re
import sys
import tarfile

import numpy as np
import torch
import yaml
from safetensors.torch import load_file
from tokenizers import AddedToken
from transformers import ParakeetCTCConfig, ParakeetEncoder, ParakeetForCTC
from transformers.convert_slow_tokenizer import ParakeetConverter
from transformers.models.parakeet.tokenization_parakeet import ParakeetTokenizer

import fixture
from exact import FIXTURES
from fixture import Case
from stablelm import without_architectures
from wav2vec2 import statistics

SIZES = {
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 10,
    "conv_kernel_size": 5,
    "subsampling_factor": 4,
    "subsampling_conv_channels": 5,
    "num_mel_bins": 8,
}
ONE_LAYER = {"num_hidden_layers": 1}


# --- Inputs ----------------------------------------------------------------------------------


def bands(length, count=2):
    """Frames that single precision holds."""

    def inputs(random, config):
        width = getattr(config, "encoder_config", config).num_mel_bins
        return {"input_features": random.integers(-512, 512, (count, length, width)) / 256}

    return inputs


def padded(lengths):
    """Sounds of several lengths, filled up with zeros behind."""

    def inputs(random, config):
        found = bands(max(lengths), len(lengths))(random, config)["input_features"]
        mask = np.zeros((len(lengths), max(lengths)), dtype=np.int64)
        for row, length in enumerate(lengths):
            mask[row, :length] = 1
        return {"input_features": found * mask[:, :, None], "attention_mask": mask}

    return inputs


def noise_behind(lengths):
    """The same, with numbers in the padding, too."""

    def inputs(random, config):
        found = padded(lengths)(random, config)
        whole = bands(max(lengths), len(lengths))(random, config)["input_features"]
        kept = found["attention_mask"][:, :, None] == 1
        return found | {"input_features": np.where(kept, found["input_features"], whole)}

    return inputs


# --- Edits: turn what save_pretrained wrote into what others write ---------------------------

# What transformers' conversion does to names, the other way round.
NAMES = [
    (r"encoder\.subsampling\.layers\.", "encoder.pre_encode.conv."),
    (r"encoder\.subsampling\.linear\.", "encoder.pre_encode.out."),
    (r"(encoder\.layers\.\d+)\.conv\.norm\.", r"\1.conv.batch_norm."),
    (r"ctc_head\.", "decoder.decoder_layers.0."),
    (r"self_attn\.([kqv])_proj", r"self_attn.linear_\1"),
    (r"self_attn\.o_proj", "self_attn.linear_out"),
    (r"self_attn\.bias_([uv])", r"self_attn.pos_bias_\1"),
    (r"self_attn\.relative_k_proj", "self_attn.linear_pos"),
]
TOKENIZER = FIXTURES / "tokenizers" / "sentencepiece-unigram" / "tokenizer.model"


def nemo_config(config):
    """What model_config.yaml of a published model says, with other sizes and a few lines less."""
    own = config["encoder_config"]
    words = config["vocab_size"] - 1
    encoder = {
        "_target_": "nemo.collections.asr.modules.ConformerEncoder",
        "feat_in": own["num_mel_bins"],
        "feat_out": -1,
        "n_layers": own["num_hidden_layers"],
        "d_model": own["hidden_size"],
        "use_bias": own["attention_bias"],
        "subsampling": "dw_striding",
        "subsampling_factor": own["subsampling_factor"],
        "subsampling_conv_channels": own["subsampling_conv_channels"],
        "causal_downsampling": False,
        "reduction": None,
        "reduction_position": None,
        "reduction_factor": 1,
        "ff_expansion_factor": 4,
        "self_attention_model": "rel_pos",
        "n_heads": own["num_attention_heads"],
        "att_context_size": [-1, -1],
        "att_context_style": "regular",
        "xscaling": own["scale_input"],
        "untie_biases": True,
        "pos_emb_max_len": own["max_position_embeddings"],
        "conv_kernel_size": own["conv_kernel_size"],
        "conv_norm_type": "batch_norm",
        "conv_context_size": None,
        "dropout": 0.1,
        "dropout_pre_encoder": 0.1,
        "dropout_emb": 0.0,
        "dropout_att": 0.1,
        "stochastic_depth_drop_prob": 0.0,
        "stochastic_depth_mode": "linear",
        "stochastic_depth_start_layer": 1,
    }
    return {
        "sample_rate": 16000,
        "log_prediction": True,
        "train_ds": {"manifest_filepath": None, "labels": ["<unk>", "'", '"', "- a", "?:", "\u2581"]},
        "preprocessor": {
            "_target_": "nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor",
            "sample_rate": 16000,
            "normalize": "per_feature",
            "window_size": 0.025,
            "window_stride": 0.01,
            "window": "hann",
            "features": own["num_mel_bins"],
            "n_fft": 512,
            "log": True,
            "frame_splicing": 1,
            "dither": 1e-05,
            "pad_to": 0,
            "pad_value": 0.0,
        },
        "encoder": encoder,
        "decoder": {
            "_target_": "nemo.collections.asr.modules.ConvASRDecoder",
            "feat_in": own["hidden_size"],
            "num_classes": words,
            "vocabulary": [f"\u2581{chr(97 + i)}" for i in range(words - 2)] + ["'", '"'],
        },
        "tokenizer": {"dir": None, "type": "bpe", "model_path": "nemo:0123456789abcdef_tokenizer.model"},
        "target": "nemo.collections.asr.models.ctc_bpe_models.EncDecCTCModelBPE",
        "nemo_version": "1.20.0rc0",
    }


def archive(files, kind):
    """A tar of files, each a name and bytes, the same on every run."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=kind) as tar:
        folder = tarfile.TarInfo(".")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, content in files.items():
            entry = tarfile.TarInfo(f"./{name}")
            entry.size = len(content)
            # A fraction of a second is said in a block of its own.
            entry.mtime = 1700000000.25 if kind == tarfile.PAX_FORMAT else 1700000000
            tar.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def nemo(kind, compresses=False):
    def edit(folder):
        config = json.loads((folder / "config.json").read_text())
        weights = {}
        for name, value in load_file(folder / "model.safetensors").items():
            for pattern, other in NAMES:
                name = re.sub(pattern, other, name)
            weights[name] = value
        bands = config["encoder_config"]["num_mel_bins"]
        weights["preprocessor.featurizer.window"] = torch.hann_window(400, periodic=False)
        weights["preprocessor.featurizer.fb"] = torch.rand(1, bands, 257, generator=torch.Generator().manual_seed(3))
        stored = io.BytesIO()
        torch.save(weights, stored)
        files = {
            "model_config.yaml": yaml.dump(
                nemo_config(config), allow_unicode=True, sort_keys=False
            ).encode(),
            "model_weights.ckpt": stored.getvalue(),
            "0123456789abcdef_tokenizer.model": TOKENIZER.read_bytes(),
            "0123456789abcdef_vocab.txt": b"a\nb\n",
        }
        found = archive(files, kind)
        (folder / "model.nemo").write_bytes(gzip.compress(found, mtime=0) if compresses else found)
        for name in ["config.json", "model.safetensors"]:
            (folder / name).unlink()

    return edit


def config(case, seed):
    sizes, classes = SIZES | case.config, case.model.config_class
    if classes is ParakeetCTCConfig:
        own = {key: sizes.pop(key) for key in ["vocab_size", "pad_token_id"] if key in sizes}
        return ParakeetCTCConfig(
            **({"vocab_size": 11, "pad_token_id": 10} | own),
            encoder_config=sizes,
            attn_implementation="eager",
        )
    return classes(**sizes, attn_implementation="eager")


def centre(name):
    if "norm" in name and name.endswith("weight"):
        return 1, 0.3
    # What is read through ReLUs shows in what follows.
    if "subsampling.layers" in name:
        return (0.3, 0.3) if name.endswith("bias") else (0, 0.6)
    return 0, 0.5 if name.endswith(("q_proj.weight", "k_proj.weight")) else 0.3


def case(model, config={}, **more):
    return Case(model, config, adjust=statistics, **more)


# transformers gives the mask of what is left of a sound, too.
KEPT = ("last_hidden_state", "hidden_states.0", "hidden_states.1")
CASES = {
    "encoder": case(ParakeetEncoder, inputs=bands(33)),
    "encoder_padded": case(ParakeetEncoder, inputs=noise_behind([37, 20, 9]), keep=KEPT),
    "ctc": case(ParakeetForCTC, inputs=padded([50, 41])),
    "ctc_plain": case(
        ParakeetForCTC,
        {"attention_bias": False, "convolution_bias": False, "scale_input": False, "hidden_act": "relu"},
        inputs=noise_behind([45, 23]),
    ),
    "ctc_deep": case(
        ParakeetForCTC,
        ONE_LAYER | {"subsampling_factor": 8, "num_mel_bins": 16, "conv_kernel_size": 9},
        inputs=padded([70, 50]),
    ),
    "ctc_wide": case(
        ParakeetForCTC,
        ONE_LAYER
        | {"subsampling_conv_stride": 3, "subsampling_conv_kernel_size": 5, "num_mel_bins": 9}
        | {"attention_bias": False},
        inputs=padded([50, 31]),
    ),
    "one_convolution": case(
        ParakeetForCTC, ONE_LAYER | {"subsampling_factor": 2}, inputs=padded([20, 11])
    ),
    "f16": case(ParakeetForCTC, ONE_LAYER, inputs=bands(30), dtype=torch.float16),
    "no_architectures": case(
        ParakeetForCTC, ONE_LAYER, inputs=bands(30), edit=without_architectures
    ),
    "nemo": case(
        ParakeetForCTC,
        ONE_LAYER,
        inputs=padded([40, 31]),
        edit=nemo(tarfile.PAX_FORMAT),
        reloads=False,
    ),
    "nemo_gzip": case(
        ParakeetForCTC,
        ONE_LAYER
        | {"attention_bias": False, "convolution_bias": False, "scale_input": False}
        | {"subsampling_factor": 2, "hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 6},
        inputs=padded([24, 13]),
        edit=nemo(tarfile.GNU_FORMAT, compresses=True),
        reloads=False,
    ),
}


def transcripts(folder):
    """The texts of random tokens, some of them repeated, of which one stands for none."""
    tokenizer = ParakeetTokenizer(
        tokenizer_object=ParakeetConverter(str(TOKENIZER)).converted(),
        clean_up_tokenization_spaces=False,
    )
    blank = tokenizer.convert_ids_to_tokens(10)
    tokenizer.add_special_tokens({"pad_token": AddedToken(blank, normalized=False, special=True)})
    assert tokenizer.pad_token_id == 10
    random = np.random.default_rng(6)
    ids = random.integers(0, len(tokenizer), (4, 16))
    ids = np.repeat(np.where(random.random(ids.shape) < 0.2, 10, ids), [1, 2] * 8, axis=1)
    found = {
        "ids": ids.tolist(),
        "count": len(tokenizer),
        "texts": tokenizer.batch_decode(ids.tolist()),
        "tokenizer": json.loads(tokenizer.backend_tokenizer.to_str()),
    }
    (folder / "transcripts.json").write_text(json.dumps(found, ensure_ascii=False) + "\n")

if __name__ == "__main__":
    fixture.main(fixture.Family("parakeet", config, CASES, centre))
    if not sys.argv[1:] or "ctc" in sys.argv:
        transcripts(FIXTURES / "parakeet" / "ctc")
