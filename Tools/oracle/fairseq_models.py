"""Writes Fixtures/roberta/fairseq, fairseq_of_2019, fairseq_classifier and Fixtures/bart/fairseq:

    python Tools/oracle/fairseq_models.py FAIRSEQ SCRIPT

FAIRSEQ is the unpacked source of fairseq 0.12.2 (PyPI; its Python suffices, nothing is compiled), SCRIPT the file
`convert_roberta_original_pytorch_checkpoint_to_pytorch.py` of transformers 4.44.2. Needs hydra-core 1.3.2, omegaconf
2.3.0, sacrebleu, bitarray and transformers 4.57.1. fairseq makes the models, loads every weight that is stored here, and
computes `golden-original.npz` in float64; transformers' script, or for BART the renaming of its kin
(`convert_bart_original_pytorch_checkpoint_to_pytorch.py`), makes `huggingface/`. Then: python Tools/oracle/converted.py.
"""

import dataclasses
import importlib.util
import sys
import types
import zlib
from argparse import Namespace

import numpy as np
import torch
import transformers

SOURCE, SCRIPT = sys.argv[1:3]
ORIGINAL = dataclasses.dataclass


def hashed(cls=None, **options):
    """Python 3.11 wants defaults that can be hashed, which fairseq's are not."""
    if sys._getframe(1).f_globals.get("__name__", "").startswith("fairseq"):
        options.setdefault("unsafe_hash", True)
    return ORIGINAL(cls, **options) if cls is not None else lambda cls: ORIGINAL(cls, **options)


dataclasses.dataclass = hashed
sys.path.insert(0, SOURCE)

from fairseq.data import Dictionary  # noqa: E402
from fairseq.models.bart import BARTModel  # noqa: E402
from fairseq.models.bart.model import bart_base_architecture  # noqa: E402
from fairseq.models.roberta import RobertaModel  # noqa: E402
from fairseq.models.roberta.model import base_architecture  # noqa: E402

from converted import write_huggingface, write_original  # noqa: E402
from exact import FIXTURES, golden  # noqa: E402

FACTS = {
    "encoder_embed_dim": 12,
    "encoder_ffn_embed_dim": 10,
    "encoder_attention_heads": 3,
    "dropout": 0.0,
    "attention_dropout": 0.0,
}


class Task:
    dictionary = Dictionary()
    for letter in "abcdefghijklmnopqrstuvwxyz":
        dictionary.add_symbol(letter)
    dictionary.add_symbol("<mask>")
    source_dictionary = target_dictionary = dictionary


def randomised(model, name):
    """Random weights; fairseq itself fills the copies that its fast path reads."""
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            mean, deviation = (1, 0.3) if "norm" in key and key.endswith("weight") else (0, 0.4)
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.copy_(mean + deviation * noise)
    model.train()
    return model.eval()


def loaded(model, stored):
    """The model with what is stored, which fairseq understands as it does old files."""
    state = dict(stored)
    model.upgrade_state_dict(state)
    model.load_state_dict(state, strict=True)
    return model


def save(folder, state):
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"args": None, "model": state, "extra_state": {"epoch": 1}}, folder / "pytorch_model.bin")


def ids(name, count):
    random = np.random.default_rng(zlib.crc32(name.encode()))
    given = random.integers(4, count, (2, 9))
    given[:, 0], given[:, -1] = 0, 2  # without padding, of which fairseq computes nothing
    return given


# --- RoBERTa ---------------------------------------------------------------------------------


def roberta(heads):
    args = Namespace(encoder_layers=2, max_positions=18, tokens_per_sample=18, **FACTS)
    base_architecture(args)
    model = RobertaModel.build_model(args, Task())
    if heads:
        model.register_classification_head("mnli", num_classes=3)
    return args, model


def of_2019(state):
    """The names of before 0.9: one projection, `decoder`, `emb_layer_norm`; nothing for the fast path."""
    old = {}
    for key, tensor in state.items():
        if any(f".{name}" in key for name in ("in_proj_", "out_proj_", "fc1_", "fc2_")):
            continue
        key = key.replace("encoder.", "decoder.", 1).replace("layernorm_embedding", "emb_layer_norm")
        if ".self_attn.q_proj." in key:
            prefix, kind = key.split(".q_proj.")
            parts = [f"{prefix}.{part}_proj.{kind}".replace("decoder.", "encoder.", 1) for part in "qkv"]
            old[f"{prefix}.in_proj_{kind}"] = torch.cat([state[part] for part in parts])
        elif not any(f".self_attn.{part}_proj." in key for part in "kv"):
            old[key] = tensor
    return old


def conversion():
    """transformers' script, which is given a model instead of a file, and sizes for those that it has written down."""
    spec = importlib.util.spec_from_file_location("conversion", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    own = transformers.RobertaConfig
    module.RobertaConfig = lambda **facts: own(**facts | {"max_position_embeddings": 20})
    return module


def write_roberta(name, heads=False, edit=dict):
    folder = FIXTURES / "roberta" / name
    args, model = roberta(heads)
    stored = edit(randomised(model, name).state_dict())
    _, again = roberta(heads)
    model = loaded(again.train(), stored).eval()
    # The scores of words, which the class of transformers has not.
    save(folder, {key: tensor for key, tensor in stored.items() if not (heads and "lm_head" in key)})
    given = ids(name, 31)
    module = conversion()
    # The script knows it under its first name.
    encoder = type(model.encoder.sentence_encoder)
    encoder.emb_layer_norm = property(lambda self: self.layernorm_embedding)
    kept = []
    hub = types.SimpleNamespace(
        model=model,
        args=args,
        eval=lambda: None,
        encode=lambda text: torch.from_numpy(given[1]),
        extract_features=lambda tokens: model(tokens, features_only=True)[0],
    )
    module.FairseqRobertaModel = types.SimpleNamespace(from_pretrained=lambda path: hub)
    for kind in (module.RobertaForMaskedLM, module.RobertaForSequenceClassification):
        kind.save_pretrained = lambda self, path: kept.append(self)
    module.convert_roberta_checkpoint_to_pytorch("", folder / "huggingface", heads)
    for kind in (module.RobertaForMaskedLM, module.RobertaForSequenceClassification):
        del kind.save_pretrained
    write_huggingface(folder, kept[0])
    model.double()
    with golden.lifted(), torch.no_grad():  # its gelu asks for single precision
        tokens = torch.from_numpy(given)
        if heads:
            logits = model.classification_heads["mnli"](model(tokens, features_only=True)[0])
        else:
            logits = model(tokens)[0]
    write_original(
        folder,
        {"input_ids": given, "attention_mask": (given != 1).astype(np.int64)},
        {"logits": logits.numpy()},
        framework="fairseq 0.12.2",
        code="roberta",
    )


# --- BART ------------------------------------------------------------------------------------


def bart():
    facts = FACTS | {"decoder_ffn_embed_dim": 7, "decoder_attention_heads": 2}
    args = Namespace(
        encoder_layers=1, decoder_layers=2, max_source_positions=18, max_target_positions=18,
        task="denoising", **facts
    )
    bart_base_architecture(args)
    return BARTModel.build_model(args, Task())


def write_bart(name):
    folder = FIXTURES / "bart" / name
    stored = randomised(bart(), name).state_dict()
    model = loaded(bart().train(), stored).eval()
    save(folder, stored)
    config = transformers.BartConfig(
        vocab_size=31,
        d_model=12,
        encoder_layers=1,
        decoder_layers=2,
        encoder_ffn_dim=10,
        decoder_ffn_dim=7,
        encoder_attention_heads=3,
        decoder_attention_heads=2,
        max_position_embeddings=18,
        attn_implementation="eager",
    )
    converted = transformers.BartForConditionalGeneration(config).eval()
    state = {key: tensor for key, tensor in stored.items() if key in converted.model.state_dict()}
    state["shared.weight"] = state["decoder.embed_tokens.weight"]
    converted.model.load_state_dict(state, strict=True)
    write_huggingface(folder, converted)
    source, target = ids(name, 31), ids(name + "_", 31)[:, :7]
    model.double()
    with golden.lifted(), torch.no_grad():  # its gelu asks for single precision
        tokens = torch.from_numpy(source)
        logits, _ = model(tokens, None, torch.from_numpy(target))
    write_original(
        folder,
        {
            "input_ids": source,
            "attention_mask": (source != 1).astype(np.int64),
            "decoder_input_ids": target,
        },
        {"logits": logits.numpy()},
        framework="fairseq 0.12.2",
        code="bart",
    )


if __name__ == "__main__":
    write_roberta("fairseq")
    write_roberta("fairseq_of_2019", edit=of_2019)
    write_roberta("fairseq_classifier", heads=True)
    write_bart("fairseq")
