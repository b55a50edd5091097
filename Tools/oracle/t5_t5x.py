"""Writes Fixtures/t5/t5x_*: python Tools/oracle/t5_t5x.py FOLDER [CASE ...]

FOLDER is a copy of the original code, google-research/t5x at cc342d419ec3 (2026-04-21):
t5x/examples/t5 and t5x/examples/scalable_t5 (network.py, layers.py), adafactor.py, optimizers.py
and train_state.py are run as they are with flax 0.10.2 and jax 0.4.35 (requirements-jax.txt), in
float64. They create the parameters, so that every name and shape is theirs, compute the logits and,
for the training state, train. The converters of transformers 4.46.3, for T5 and, where layers are
scanned, umT5, convert the same weights. Packages that these files import and do not need here
(jestimator, the rest of t5x) are empty.

The case t5x_scanned_flaxformer is made by google/flaxformer at 399ea3a85e98 (2024-04-12), whose
folder the environment names as FLAXFORMER: architectures/t5 (t5_architecture.py, t5_1_1.py,
t5_common_layers.py), run in the same way, scanned, each layer with its own table, as it demands of
scanned layers. Its kernels have the heads merged; they are split for the converter.

T5X masks by id: 0 is padding in the encoder's input and in the decoder's target.
"""

import importlib
import os
import shutil
import sys
import types
import zlib
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from unittest.mock import MagicMock, patch

import flax
import jax
import jax.numpy as jnp
import numpy as np
from absl import logging as absl_logging
from transformers import T5Config, T5ForConditionalGeneration
from transformers.utils import logging

from converted import original_folder, write_huggingface, write_original
from exact import FIXTURES, write_npz

absl_logging.set_verbosity(absl_logging.ERROR)
jax.config.update("jax_enable_x64", True)
FOLDER = original_folder("T5X", "google-research/t5x")


@contextmanager
def lifted():
    """A request for float32 gives float64, as in Tools/golden."""
    with patch.object(jnp, "float32", jnp.float64):
        yield


def package(name, **attributes):
    """A package whose initialiser does not run."""
    module = sys.modules[name] = types.ModuleType(name)
    module.__path__ = [str(FOLDER / name.replace(".", "/"))]
    module.__dict__.update(attributes)


def flatten(tree):
    return flax.traverse_util.flatten_dict(flax.core.unfreeze(tree), sep="/")


package("t5x", utils=types.SimpleNamespace(flatten_dict_string_keys=flatten), checkpoints=None)
package("t5x.examples")
sys.modules |= {"t5x.utils": sys.modules["t5x"].utils, "jestimator": MagicMock()}
sys.dont_write_bytecode = True
with lifted():
    plain = importlib.import_module("t5x.examples.t5.network")
    scalable = importlib.import_module("t5x.examples.scalable_t5.network")
    adafactor = importlib.import_module("t5x.adafactor")
    train_state = importlib.import_module("t5x.train_state")
converter = importlib.import_module("transformers.models.t5.convert_t5x_checkpoint_to_pytorch")
scanned_converter = importlib.import_module(
    "transformers.models.umt5.convert_umt5_checkpoint_to_pytorch"
)

logging.set_verbosity_error()  # the converters turn it up

SIZES = {"vocab_size": 37, "emb_dim": 12, "num_heads": 2, "head_dim": 5, "mlp_dim": 20}
V10 = {"mlp_activations": ("relu",), "logits_via_embedding": True}
V11 = {"mlp_activations": ("gelu", "linear")}


def inputs():
    """Rows of 9, 5 and 1 tokens; no target is padding."""
    random = np.random.default_rng(0)
    mask = (np.arange(9) < np.array([[9], [5], [1]])).astype(np.int64)
    decoder = random.integers(1, SIZES["vocab_size"], (3, 7))
    decoder[:, 0] = 0
    return {
        "input_ids": random.integers(1, SIZES["vocab_size"], (3, 9)) * mask,
        "attention_mask": mask,
        "decoder_input_ids": decoder,
    }


# --- The original model ----------------------------------------------------------------------


@dataclass
class Case:
    network: types.ModuleType
    options: dict
    encoder_layers: int = 2
    decoder_layers: int = 2
    own_tables: bool = False  # each layer its own relative positions, where scanned
    steps: int = 0  # of training


CASES = {
    "t5x_v10": Case(plain, V10, decoder_layers=3),
    "t5x_v11": Case(plain, V11, encoder_layers=3),
    "t5x_scanned": Case(scalable, V11),
    "t5x_scanned_own_tables": Case(scalable, V11, own_tables=True),  # no T5 of transformers
    "t5x_scanned_flaxformer": Case(None, V11),
    "t5x_training_state": Case(plain, V10, 1, 1, steps=2),
}


def random_parameters(case, shapes):
    random = np.random.default_rng(zlib.crc32(case.encode()))
    values = {}
    for name, leaf in flatten(shapes).items():
        noise = random.standard_normal(leaf.shape)
        if name.endswith("relpos_bias/rel_embedding"):
            if noise.ndim == 3 and not CASES[case].own_tables:
                noise[:] = noise[:, :1]
        elif name.endswith("scale"):
            noise = 1 + 0.3 * noise
        elif not name.endswith("embedding"):
            noise *= 0.2 if "query" in name or "key" in name else 0.3
        values[name] = noise.astype(np.float32)
    return values


def tree(values):
    """As the network takes it, in float64."""
    wide = {name: jnp.asarray(value, jnp.float64) for name, value in values.items()}
    return flax.traverse_util.unflatten_dict(wide, sep="/")


def narrow(jaxpr):
    """The types below float64 in a program, subprograms included."""
    found = set()
    for equation in jaxpr.eqns:
        for variable in (*equation.invars, *equation.outvars):
            dtype = getattr(variable.aval, "dtype", None)
            if dtype in (np.float32, np.float16, jnp.bfloat16):
                found.add(str(equation.primitive))
        for value in jax.tree_util.tree_leaves(list(equation.params.values())):
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                found |= narrow(inner)
    return found


def t5x_model(case):
    config = case.network.T5Config(
        **SIZES,
        **case.options,
        num_encoder_layers=case.encoder_layers,
        num_decoder_layers=case.decoder_layers,
        dropout_rate=0.0,
        dtype=jnp.float64,
    )
    return case.network.Transformer(config=config)


def flaxformer_model(case):
    """T5 1.1, its stacks scanned, in float64 where it says "float32"."""
    sys.path.insert(0, os.environ["FLAXFORMER"])
    quantization = ("flax_layers", "quant_config", "quantization")
    names = ["aqt", "aqt.jax_legacy", "aqt.jax_legacy.jax"]
    names += [f"aqt.jax_legacy.jax.{name}" for name in quantization]
    sys.modules |= {name: MagicMock() for name in names}
    folder = "flaxformer.architectures.t5"
    architecture = importlib.import_module(f"{folder}.t5_architecture")
    common = importlib.import_module(f"{folder}.t5_common_layers")
    t5_1_1 = importlib.import_module(f"{folder}.t5_1_1")
    table = partial(common.relative_position_bias, num_heads=SIZES["num_heads"], dtype=jnp.float64)

    def layer(original, shared_relative_position_bias, **options):
        return original(**options, scanned=True, relative_position_bias_factory=table)

    def stack(original, shared_relative_position_bias_factory, **options):
        return original(**options, scan_layers=True)

    def head(original, dtype, **options):
        return original(dtype=jnp.float64, **options)

    scanned = types.SimpleNamespace(
        EncoderLayer=partial(layer, architecture.EncoderLayer),
        DecoderLayer=partial(layer, architecture.DecoderLayer),
        Encoder=partial(stack, architecture.Encoder),
        Decoder=partial(stack, architecture.Decoder),
    )
    common.t5_architecture = scanned
    t5_1_1.dense = types.SimpleNamespace(DenseGeneral=partial(head, t5_1_1.dense.DenseGeneral))
    return t5_1_1.encoder_decoder(
        SIZES["emb_dim"],
        SIZES["mlp_dim"],
        SIZES["num_heads"],
        case.encoder_layers,
        case.decoder_layers,
        head_dim=SIZES["head_dim"],
        vocabulary_size=SIZES["vocab_size"],
        dtype=jnp.float64,
    )


def training_state(model, variables, values, tokens, steps):
    """Parameters and state after a few steps of the original optimiser. It factors its state from
    11 rows and columns on, where the default is 128, so that both kinds of state are here."""
    rules = adafactor.standard_logical_factor_rules()
    optimiser = adafactor.Adafactor(
        decay_rate=0.8, min_dim_size_to_factor=11, logical_factor_rules=rules
    )
    start = variables | {"params": tree(values)}
    state = train_state.FlaxOptimTrainState.create(optimiser, start)

    def loss(params):
        logits = jax.nn.log_softmax(model.apply({"params": params}, *tokens, enable_dropout=False))
        return -jnp.take_along_axis(logits, tokens[2][..., None], axis=-1).mean()

    for _ in range(steps):
        state = state.apply_gradient(jax.grad(loss)(state.params), learning_rate=0.01)
    return flatten(state.state_dict())


def run_original(name):
    """What the original code stores, as float32, and its logits."""
    case, given = CASES[name], inputs()
    model = t5x_model(case) if case.network else flaxformer_model(case)
    target = np.roll(given["decoder_input_ids"], -1, axis=1)
    target[:, -1] = 1
    tokens = given["input_ids"], given["decoder_input_ids"], target
    variables = flax.core.unfreeze(model.init(jax.random.key(0), *tokens, enable_dropout=False))
    values = random_parameters(name, variables["params"])
    stored = {f"target/{key}": value for key, value in values.items()}
    if case.steps:
        stored = training_state(model, variables, values, tokens, case.steps)
        stored = {key: np.asarray(value) for key, value in stored.items()}
        stored = {
            key: value.astype(np.float32) if value.dtype == np.float64 else value
            for key, value in stored.items()
        }

    def forward(params):
        return model.apply({"params": params}, *tokens, enable_dropout=False)

    params = tree({k[7:]: value for k, value in stored.items() if k.startswith("target/")})
    assert not narrow(jax.make_jaxpr(forward)(params).jaxpr)
    return dict(sorted(stored.items())), {"logits": np.asarray(forward(params))}


def with_heads(name, value):
    """[…, layer, heads × size] and [heads × size, layer, …] with the heads apart."""
    heads = SIZES["num_heads"], SIZES["head_dim"]
    if name.endswith(("query/kernel", "key/kernel", "value/kernel")):
        return value.reshape(*value.shape[:2], *heads)
    if name.endswith("out/kernel"):
        joined = value.reshape(*heads, *value.shape[1:])
        return np.moveaxis(joined, 2, 1)
    return value


def convert(case, stored):
    """The same weights by the converters of transformers."""
    own_head = "logits_via_embedding" not in case.options
    config = T5Config(
        vocab_size=SIZES["vocab_size"],
        d_model=SIZES["emb_dim"],
        d_kv=SIZES["head_dim"],
        d_ff=SIZES["mlp_dim"],
        num_heads=SIZES["num_heads"],
        num_layers=case.encoder_layers,
        num_decoder_layers=case.decoder_layers,
        feed_forward_proj="gated-gelu" if case.options is V11 else "relu",
        tie_word_embeddings=not own_head,
        decoder_start_token_id=0,
    )
    if case.network is None:
        stored = {name: with_heads(name, value) for name, value in stored.items()}
    variables = flax.traverse_util.unflatten_dict(stored, sep="/")
    if case.network is not plain:
        weights = scanned_converter.convert_t5x_to_pytorch(
            variables, num_layers=case.encoder_layers, is_encoder_only=False
        )
    else:
        weights = converter.convert_t5x_to_pytorch(
            variables,
            num_layers=case.encoder_layers,
            num_decoder_layers=case.decoder_layers,
            is_encoder_only=False,
        )
    model = T5ForConditionalGeneration(config)
    model.load_state_dict(converter.make_state_dict(weights, is_encoder_only=False), strict=True)
    return model


def write(name):
    case, folder = CASES[name], FIXTURES / "t5" / name
    with lifted():
        stored, outputs = run_original(name)
    write_npz(folder / "model.npz", stored)
    with redirect_stdout(None):
        model = convert(case, stored)
    write_huggingface(folder, model)
    original = (
        "google-research/t5x cc342d419ec3" if case.network else "google/flaxformer 399ea3a85e98"
    )
    framework = f"{original}, flax {flax.__version__}, jax {jax.__version__}"
    code = case.network.__name__ if case.network else "flaxformer.architectures.t5.t5_1_1"
    if case.own_tables:
        shutil.rmtree(folder / "huggingface")
    else:
        write_original(folder, inputs(), outputs, framework=framework, code=code)


if __name__ == "__main__":
    for name in sys.argv[2:] or CASES:
        write(name)
