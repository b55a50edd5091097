"""Writes Fixtures/t5/mesh_*: python Tools/oracle/t5_mesh.py [CASE ...]

The original code is the package mesh-tensorflow 0.1.21 (transformer/transformer.py,
transformer_layers.py, attention.py), with TensorFlow 2.15.1 (requirements-tf.txt), in float64,
configured as t5's gin files do. It creates the variables, so that every name and shape is its own,
computes the logits and, for the training state, trains. `load_tf_weights_in_t5` of transformers
4.46.3 converts the same weights. The initialiser of mesh_tensorflow.transformer, which wants data
sets, does not run, and one function is where TensorFlow had it before.

Mesh TensorFlow masks by id: 0 is padding in the encoder's input and in the decoder's target.
"""

import importlib
import importlib.util
import sys
import tempfile
import types
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tf1
from tensorflow.python.framework import ops, tensor_conversion_registry
from tf1 import tf
from transformers import T5Config, T5ForConditionalGeneration
from transformers.models.t5.modeling_t5 import load_tf_weights_in_t5

from converted import write_huggingface, write_original
from exact import FIXTURES, write_npz


def original_modules():
    ops.register_tensor_conversion_function = (
        tensor_conversion_registry.register_tensor_conversion_function
    )
    name = "mesh_tensorflow.transformer"
    package = sys.modules[name] = types.ModuleType(name)
    found = importlib.util.find_spec("mesh_tensorflow")
    package.__path__ = [str(Path(found.submodule_search_locations[0]) / "transformer")]
    modules = ("mesh_tensorflow", f"{name}.transformer", f"{name}.transformer_layers")
    return [importlib.import_module(module) for module in modules]


with tf1.lifted():
    mtf, transformer, layers = original_modules()

SIZES = {"vocab_size": 37, "d_model": 12, "num_heads": 2, "d_kv": 5, "d_ff": 20}
RELATIVE = {"relative_attention_type": "bias_shared"}


@dataclass
class Case:
    gated: bool
    tied: bool
    legacy: bool = False  # the names of the first releases' norms
    encoder_layers: int = 2
    decoder_layers: int = 3
    steps: int = 0


CASES = {
    "mesh_v10": Case(gated=False, tied=True),
    "mesh_v11": Case(gated=True, tied=False),
    "mesh_legacy_norm": Case(gated=False, tied=True, legacy=True),
    "mesh_training_state": Case(False, True, encoder_layers=1, decoder_layers=1, steps=2),
}


def inputs():
    """Rows of 9, 5 and 1 tokens; the targets, without padding, follow the decoder's input."""
    random = np.random.default_rng(0)
    mask = (np.arange(9) < np.array([[9], [5], [1]])).astype(np.int64)
    targets = random.integers(1, SIZES["vocab_size"], (3, 7))
    shifted = np.concatenate([np.zeros((3, 1), np.int64), targets[:, :-1]], axis=1)
    ids = random.integers(1, SIZES["vocab_size"], (3, 9)) * mask
    return {"input_ids": ids, "attention_mask": mask, "decoder_input_ids": shifted}, targets


def stack(case, kinds, count):
    """Blocks of layers, as make_layer_stack builds them."""
    attention = {"num_heads": SIZES["num_heads"], "key_value_size": SIZES["d_kv"]}
    options = {
        layers.SelfAttention: attention | RELATIVE,
        layers.EncDecAttention: attention,
        layers.DenseReluDense: {
            "hidden_size": SIZES["d_ff"],
            "activation": ["gelu", "linear"] if case.gated else "relu",
        },
    }
    sublayers = {
        "sublayers_initial": [],
        "sublayers_per_layer": [
            transformer.sublayer_rms_norm,
            transformer.sublayer_call_layer,
            transformer.sublayer_residual,
        ],
        "sublayers_final": [transformer.sublayer_rms_norm],
    }
    if case.legacy:
        sublayers = {"dropout_rate": 0.0, "norm_epsilon": 1e-6}
    return transformer.make_layer_stack(
        layers=[[kind, options[kind]] for kind in kinds],
        layer_stack_cls=lambda blocks: transformer.LayerStack(blocks, **sublayers),
        num_layers=count,
    )


def bitransformer(case):
    common = {
        "d_model": SIZES["d_model"],
        "input_vocab_size": SIZES["vocab_size"],
        "vocab_divisor": 1,
        "max_length": 512,
        "positional_embedding": False,
    }
    encoder = transformer.Unitransformer(
        stack(case, [layers.SelfAttention, layers.DenseReluDense], case.encoder_layers),
        output_vocab_size=None,
        autoregressive=False,
        name="encoder",
        **common,
    )
    kinds = [layers.SelfAttention, layers.EncDecAttention, layers.DenseReluDense]
    decoder = transformer.Unitransformer(
        stack(case, kinds, case.decoder_layers),
        output_vocab_size=SIZES["vocab_size"],
        autoregressive=True,
        shared_embedding_and_softmax_weights=case.tied,
        name="decoder",
        **common,
    )
    return transformer.Bitransformer(encoder, decoder, shared_embedding=True)


def mean(name):
    if name.endswith("scale"):
        return 1, 0.3
    if name.endswith(("embedding", "relative_attention_bias")):
        return 0, 1
    return 0, 0.2 if name.endswith(("/q", "/k")) else 0.3


def run_original(name):
    """What the original code stores, as float32, and its logits."""
    case = CASES[name]
    given, targets = inputs()
    with tf1.graph().as_default(), tf1.lifted():
        graph = mtf.Graph()
        mesh = mtf.Mesh(graph, "mesh")
        batch = mtf.Dimension("batch", 3)

        def ids(array):
            shape = mtf.Shape([batch, mtf.Dimension("length", array.shape[1])])
            return mtf.import_tf_tensor(mesh, tf.constant(array, tf.int32), shape)

        logits, loss = bitransformer(case).call_simple(
            ids(given["input_ids"]),
            ids(targets),
            compute_loss=True,
            mode=tf.estimator.ModeKeys.EVAL,
            variable_dtype=mtf.VariableDType(tf.float64, tf.float64, tf.float64),
        )
        updates = training(graph, loss) if case.steps else []
        devices = mtf.placement_mesh_impl.PlacementMeshImpl([], [], [""])
        lowering = mtf.Lowering(graph, {mesh: devices})
        outputs = {"logits": lowering.export_to_tf_tensor(logits)}
        weights = [v for v in tf.global_variables() if "slot" not in v.op.name]
        values = tf1.random_values(weights, name, mean)
        return run(case, lowering, updates, outputs, values)


def training(graph, loss):
    """The operations of a step of Adafactor. It factors its state from 11 rows and columns on,
    where the default is 128, so that both kinds of state are here."""
    gradients = mtf.gradients([loss], [v.outputs[0] for v in graph.trainable_variables])
    optimiser = mtf.optimize.AdafactorOptimizer(learning_rate=0.01, min_dim_size_to_factor=11)
    return optimiser.apply_grads(gradients, graph.trainable_variables)


def step(session, updates):
    """Assigns what the optimiser computes, once all of it is computed: the order in which
    TensorFlow would run its assignments, beside the reading of the same variables, is not fixed."""
    masters = {v.op.name: session.run(v) for v in tf.global_variables()}
    changed = {}
    for update, value in session.run(updates).items():
        name = update.variables[0].name
        subtract = update.assign_fn is mtf.ops.assign_sub_slice
        changed[name] = masters[name] - value if subtract else value
    tf1.load(changed, session)


def run(case, lowering, updates, outputs, values):
    updates = {update: lowering.export_to_tf_tensor(update.inputs[0]) for update in updates}
    with tf1.session(values, outputs) as session:
        for _ in range(case.steps):
            session.run(lowering.copy_masters_to_slices())
            step(session, updates)
        stored = {v.op.name: session.run(v).astype(np.float32) for v in tf.global_variables()}
        if case.steps:
            stored["global_step"] = np.array(case.steps, np.int64)
        tf1.load(stored, session)
        session.run(lowering.copy_masters_to_slices())
        return dict(sorted(stored.items())), session.run(outputs)


def convert(case, stored):
    config = T5Config(
        **SIZES,
        num_layers=case.encoder_layers,
        num_decoder_layers=case.decoder_layers,
        feed_forward_proj="gated-gelu" if case.gated else "relu",
        tie_word_embeddings=case.tied,
        decoder_start_token_id=0,
    )
    model = T5ForConditionalGeneration(config)
    for parameter in model.parameters():
        parameter.data.fill_(float("nan"))
    with tempfile.TemporaryDirectory() as folder:
        tf1.write_checkpoint(stored, Path(folder) / "model.ckpt")
        load_tf_weights_in_t5(model, config, Path(folder) / "model.ckpt")
    assert not any(parameter.isnan().any() for parameter in model.parameters())
    return model


def write(name):
    case, folder = CASES[name], FIXTURES / "t5" / name
    stored, outputs = run_original(name)
    write_npz(folder / "model.npz", stored)
    framework = f"mesh-tensorflow 0.1.21, tensorflow {tf.__version__}"
    write_original(folder, inputs()[0], outputs, framework=framework, code="Bitransformer")
    write_huggingface(folder, convert(case, stored))


if __name__ == "__main__":
    for name in sys.argv[1:] or CASES:
        write(name)
