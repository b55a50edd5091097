"""What the scripts of the encoders share: sizes, edits of saved folders, a case."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

import fixture
from bert import choices, explicit_positions, right_padded  # noqa: F401 (for scripts of families)
from fixture import rewrite_config, rewrite_weights

SIZES = {
    "vocab_size": 17,
    "hidden_size": 6,
    "num_attention_heads": 2,
    "intermediate_size": 5,
    "num_hidden_layers": 2,
    "max_position_embeddings": 15,
}
ONE_LAYER = {"num_hidden_layers": 1}


@dataclass
class Case(fixture.Case):
    inputs: Callable | None = right_padded
    keep: tuple = ("logits",)
    sizes: type | None = None  # the class of the config, for a member that is not the family's first


def without_types(make):
    """The same inputs for a model that knows no types of tokens."""

    def inputs(random, config):
        config.type_vocab_size = 1
        made = make(random, config)
        del config.type_vocab_size, made["token_type_ids"]
        return made

    return inputs


def without_architectures(folder):
    rewrite_config(folder, lambda config: {k: v for k, v in config.items() if k != "architectures"})


def of_2019(model):
    """As the first releases wrote them: gamma and beta, and no prefix."""

    def change(weights):
        return {
            name.removeprefix(model + ".")
            .replace("LayerNorm.weight", "LayerNorm.gamma")
            .replace("LayerNorm.bias", "LayerNorm.beta"): tensor
            for name, tensor in weights.items()
        }

    return lambda folder: rewrite_weights(folder, change)


def of_4(model, tied=(), pooler=None, unread={"position_embedding_type": "absolute"}):
    """As transformers 4 left files: the position buffer, tied tensors stored, a pooler that the class does not
    have, and a config with keys that nobody reads any more and without newer ones."""

    def weights_of_4(weights):
        table = weights[f"{model}.embeddings.position_embeddings.weight"]
        width = table.shape[1]
        old = dict(weights)
        old[f"{model}.embeddings.position_ids"] = torch.arange(len(table)).unsqueeze(0)
        for copy, original in tied:
            old[copy] = weights[original].clone()
        if pooler:
            old[f"{pooler}.weight"] = torch.full((width, width), 0.25)
            old[f"{pooler}.bias"] = torch.full((width,), -0.5)
        return old

    def config_of_4(config):
        config["torch_dtype"] = config.pop("dtype")
        config["transformers_version"] = "4.30.2"
        for absent in ("add_cross_attention", "is_decoder", "tie_word_embeddings"):
            config.pop(absent, None)
        return config | {"gradient_checkpointing": False} | unread

    def edit(folder):
        rewrite_weights(folder, weights_of_4)
        rewrite_config(folder, config_of_4)

    return edit


def centre(name):
    return (1, 0.3) if "norm" in name.lower() and name.endswith("weight") else (0, 0.3)


def main(name, usual, cases, sizes=SIZES, epsilon="layer_norm_eps"):
    """Writes the cases of a family whose config's class is `usual`."""

    def config(case, seed):
        own = sizes | ({epsilon: 1e-3 if seed % 2 else 1e-5} if epsilon else {}) | case.config
        return (case.sizes or usual)(**own, attn_implementation="eager")

    fixture.main(fixture.Family(name, config, cases, centre))
