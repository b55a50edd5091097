"""Writes the fixtures of sentence embeddings: python Tools/oracle/sentences.py [CASE ...]

Each case is a folder as sentence-transformers saves it, or as its versions 2 to 5 did, with golden.npz (vectors and
hidden states for padded ids) and texts.json (the vectors of `encode` for texts), both in true float64. Needs
sentence-transformers (requirements-sentences.txt) and no network.
"""

import json
import os
import shutil
import sys
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

os.environ["HF_HUB_OFFLINE"] = "1"
warnings.filterwarnings("ignore")

import numpy as np
import sentence_transformers
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import (
    Dense,
    Dropout,
    LayerNorm,
    Normalize,
    Pooling,
    Transformer,
)
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertModel,
    BertTokenizerFast,
    DistilBertConfig,
    DistilBertModel,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from exact import FIXTURES, golden
from fixture import WORD_PIECES, norms_near_one, randomise

WIDTH = 16
BERT = {
    "vocab_size": len(WORD_PIECES),
    "hidden_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 40,
}
TEXTS = ["hello", "Two Words", "a much longer text that is cut somewhere", "x y z " * 20]


@dataclass
class Case:
    model: Callable  # () -> the Transformer
    modules: Callable  # () -> the modules behind it
    options: dict = field(default_factory=dict)  # of SentenceTransformer
    longest: int | None = None
    lowercase: bool = True  # what the tokenizer itself does
    edit: Callable | None = None  # of the saved folder
    prompts: tuple = (None,)  # names of prompts with which texts are read
    dtype: torch.dtype = torch.float32


def read(path):
    return json.loads(path.read_text())


def write(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


def of_2(longest, lower=False, settings="sentence_bert_config.json"):
    """As versions 2 to 5 saved it: other names of classes and settings, weights in pytorch_model.bin."""

    def edit(folder):
        modules = read(folder / "modules.json")
        for module in modules:
            module["type"] = "sentence_transformers.models." + module["type"].split(".")[-1]
            if module["path"].endswith("Normalize"):
                shutil.rmtree(folder / module["path"])
        write(folder / "modules.json", modules)
        (folder / "sentence_bert_config.json").unlink()
        write(folder / settings, {"max_seq_length": longest, "do_lower_case": lower})
        tokenizer = read(folder / "tokenizer_config.json")
        write(folder / "tokenizer_config.json", tokenizer | {"model_max_length": 512})
        pooling = read(folder / "1_Pooling" / "config.json")
        chosen = pooling["pooling_mode"]
        chosen = [chosen] if isinstance(chosen, str) else chosen
        flags = {
            "cls": "cls_token",
            "mean": "mean_tokens",
            "max": "max_tokens",
            "mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
            "weightedmean": "weightedmean_tokens",
            "lasttoken": "lasttoken",
        }
        old = {"word_embedding_dimension": pooling["embedding_dimension"]}
        old |= {f"pooling_mode_{flag}": mode in chosen for mode, flag in flags.items()}
        old |= {"include_prompt": pooling["include_prompt"]}
        write(folder / "1_Pooling" / "config.json", old)
        for path in folder.glob("[2-9]_*/model.safetensors"):
            from safetensors.torch import load_file

            torch.save(load_file(path), path.with_name("pytorch_model.bin"))
            path.unlink()

    return edit


def qwen():
    return Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(WORD_PIECES),
            hidden_size=WIDTH,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=8,
            intermediate_size=24,
            max_position_embeddings=40,
            tie_word_embeddings=True,
        )
    )


CASES = {
    "mean": Case(
        lambda: BertModel(BertConfig(**BERT)),
        lambda: [Pooling(WIDTH, "mean"), Normalize()],
        longest=12,
        edit=of_2(12),
    ),
    "several": Case(
        lambda: BertModel(BertConfig(**BERT | {"num_hidden_layers": 1}), add_pooling_layer=False),
        lambda: [
            Pooling(WIDTH, ("mean", "cls", "lasttoken", "max", "mean_sqrt_len_tokens", "weightedmean")),
            Dense(6 * WIDTH, 12),
            Dense(12, 12, activation_function=torch.nn.GELU(), use_residual=True),
            Dense(12, 8, activation_function=None, use_residual=True),
            LayerNorm(8),
            Dropout(0.3),
            Normalize(),
        ],
        options={"truncate_dim": 7},
        longest=16,
    ),
    "prompt": Case(
        lambda: DistilBertModel(
            DistilBertConfig(
                vocab_size=len(WORD_PIECES),
                dim=WIDTH,
                n_layers=1,
                n_heads=2,
                hidden_dim=24,
                max_position_embeddings=40,
            )
        ),
        lambda: [
            Pooling(WIDTH, ("cls", "max", "mean", "weightedmean"), include_prompt=False),
            Dense(4 * WIDTH, 6, bias=False, activation_function=torch.nn.Identity()),
        ],
        options={
            "prompts": {"query": "find this ", "document": "", "title": "q"},
            "default_prompt_name": "query",
        },
        longest=24,
        lowercase=False,
        edit=of_2(24, lower=True, settings="sentence_distilbert_config.json"),
        prompts=(None, "document", "title"),
    ),
    "last_token": Case(
        qwen, lambda: [Pooling(WIDTH, "lasttoken"), Normalize()], dtype=torch.bfloat16
    ),
    "masked_lm": Case(
        lambda: BertForMaskedLM(BertConfig(**BERT | {"num_hidden_layers": 1})),
        lambda: [Pooling(WIDTH, "cls")],
        longest=10,
    ),
}


def save(case, seed, folder):
    """The folder, with random weights everywhere."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = case.model().eval()
    randomise(model, seed, norms_near_one)
    model.to(case.dtype).save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    words = folder / "vocab.txt"
    words.write_text("\n".join(WORD_PIECES) + "\n")
    BertTokenizerFast(vocab=str(words), do_lower_case=case.lowercase).save_pretrained(folder)
    words.unlink(missing_ok=True)
    weights = (folder / "model.safetensors").read_bytes()
    config = (folder / "config.json").read_bytes()
    modules = case.modules()
    for module in modules:
        randomise(module, seed, norms_near_one)
    transformer = Transformer(str(folder), max_seq_length=case.longest)
    whole = SentenceTransformer(modules=[transformer, *modules], device="cpu", **case.options)
    whole.save(str(folder), create_model_card=False)
    # What the hub has is what transformers saved, with the class of the whole model.
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "config.json").write_bytes(config)
    if case.edit:
        case.edit(folder)


def exact(folder):
    """The folder as sentence-transformers loads it, in double precision throughout."""
    model = SentenceTransformer(
        str(folder),
        device="cpu",
        model_kwargs={"dtype": torch.float64, "attn_implementation": "eager"},
    ).eval()
    weights = {
        name: tensor.double() if tensor.is_floating_point() else tensor
        for name, tensor in model[0].model.state_dict().items()
    }
    return model, weights


def vectors(folder, case, seed):
    """golden.npz and texts.json."""
    model, weights = exact(folder)
    random = np.random.default_rng(seed)
    lengths = np.array([[9], [6], [3]])
    mask = (np.arange(9) < lengths).astype(np.int64)
    ids = random.integers(5, len(WORD_PIECES), mask.shape) * mask
    inputs = {"input_ids": ids, "attention_mask": mask, "prompt_length": np.array([2, 2, 2])}
    texts = []
    with golden.lifted() as offenders, torch.inference_mode():
        model[0].model = golden.rebuild(model[0].model, weights)
        for module in list(model)[1:]:
            module.double()
        features = {name: torch.from_numpy(array) for name, array in inputs.items()}
        out = model(features | {"modality": "text"})
        outputs = {
            "last_hidden_state": out["token_embeddings"].numpy(),
            "sentence_embedding": out["sentence_embedding"][:, : model.truncate_dim].numpy(),
        }
        for text in TEXTS:
            for prompt in case.prompts:
                vector = model.encode(text, prompt_name=prompt)
                assert vector.dtype == np.float64
                texts.append({"text": text, "prompt": prompt, "vector": vector.tolist()})
    assert not offenders, offenders
    facts = {"framework": f"sentence-transformers {sentence_transformers.__version__}"}
    (folder / "golden.npz").write_bytes(
        golden.golden_bytes(model[0].model, inputs, outputs, "exact-f64", **facts, seed=seed)
    )
    (folder / "texts.json").write_text(json.dumps(texts, indent=1) + "\n")


def main():
    for name in sys.argv[1:] or CASES:
        case, seed = CASES[name], zlib.crc32(name.encode())
        folder = FIXTURES / "sentences" / name
        save(case, seed, folder)
        vectors(folder, case, seed)
        files = [path for path in folder.rglob("*") if path.is_file()]
        print(f"{name:16}{sum(path.stat().st_size for path in files):8} bytes, {len(files)} files")


if __name__ == "__main__":
    main()
