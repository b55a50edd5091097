"""Runs unchanged TensorFlow 1 code under TensorFlow 2.15, in true float64.

The code imports a `tensorflow` that is `tensorflow.compat.v1`, plus what left it with version 2
(the layer norm of contrib lives on in tf_slim), minus float32: asking for it gives float64, as
`Tools/golden` does for torch.
"""

import importlib
import operator
import os
import sys
import types
import warnings
import zlib
from functools import partial
from unittest.mock import MagicMock, patch

import numpy as np

os.environ |= {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "",
    "TF_ENABLE_ONEDNN_OPTS": "0",
}
import tensorflow  # noqa: E402
import tf_slim  # noqa: E402

tf = tensorflow.compat.v1
tf.disable_v2_behavior()
tf.logging.set_verbosity(tf.logging.ERROR)
warnings.filterwarnings("ignore", message=".*is deprecated")
NARROW = {tf.float32, tf.float16, tf.bfloat16}


original_cast = tf.cast


def cast(x, dtype, name=None):
    """A plain number goes straight to its type, not through float32."""
    if isinstance(x, (int, float)):
        return tf.constant(x, dtype)
    return original_cast(x, dtype, name)


def lifted():
    """For code that imports tensorflow.compat.v1 itself."""
    return patch.multiple(tf, float32=tf.float64, cast=cast)


class HParams(types.SimpleNamespace):
    """contrib.training.HParams, as far as a model reads it."""


def filled(function):
    """tf.ones or tf.zeros, of float64 where nothing is said."""
    return lambda shape, dtype=tf.float64, name=None: function(shape, dtype, name)


def numbers(*bounds, **options):
    """tf.range, of float64 where a bound is no whole number."""
    if any(isinstance(bound, float) for bound in bounds):
        bounds = [cast(bound, tf.float64) for bound in bounds]
    return tf.range(*bounds, **options)


class TensorFlow1(types.ModuleType):
    float32 = tf.float64
    cast = staticmethod(cast)
    flags = MagicMock()  # several commands define the same ones
    multiply = staticmethod(operator.mul)  # a number times a tensor has the tensor's type
    sqrt = staticmethod(lambda x, name=None: tf.sqrt(cast(x, tf.float64), name))
    one_hot = partial(tf.one_hot, dtype=tf.float64)
    range = staticmethod(numbers)
    ones, zeros = staticmethod(filled(tf.ones)), staticmethod(filled(tf.zeros))
    contrib = types.SimpleNamespace(
        layers=types.SimpleNamespace(layer_norm=tf_slim.layers.layer_norm),
        training=types.SimpleNamespace(HParams=HParams),
        cluster_resolver=MagicMock(),
        tpu=MagicMock(),
    )

    def __getattr__(self, name):
        return getattr(tf, name)


def original(folder, *names, package=None):
    """Modules of a folder of TensorFlow 1 code, which may be what it calls a package."""
    stand_in = TensorFlow1("tensorflow")
    compat = types.ModuleType("tensorflow.compat")
    compat.__dict__.update(vars(tensorflow.compat))
    compat.v1, stand_in.compat = stand_in, compat
    modules = {"tensorflow": stand_in, "tensorflow.contrib": stand_in.contrib}
    modules |= {"tensorflow.compat": compat, "tensorflow.compat.v1": stand_in}
    modules["tensorflow.contrib.training"] = stand_in.contrib.training
    kept = {name: sys.modules.get(name) for name in modules}
    sys.modules |= modules
    if package:
        sys.modules[package] = types.ModuleType(package)
        sys.modules[package].__path__ = [str(folder)]
        names = [f"{package}.{name}" for name in names]
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    try:
        return [importlib.import_module(name) for name in names]
    finally:
        sys.path.remove(str(folder))
        for name, module in kept.items():
            sys.modules.pop(name) if module is None else sys.modules.update({name: module})


def random_values(variables, case, mean):
    """Random float32 values by name; `mean` gives a name's mean and standard deviation."""
    random = np.random.default_rng(zlib.crc32(case.encode()))
    values = {}
    for variable in variables:
        name, shape = variable.op.name, variable.shape.as_list()
        centre, deviation = mean(name)
        values[name] = (centre + deviation * random.standard_normal(shape)).astype(np.float32)
    return values


def graph():
    """A graph whose variables are float64 unless they say otherwise."""
    new = tf.Graph()
    new.seed = 0
    return new


def float64_scope():
    return tf.variable_scope(tf.get_variable_scope(), dtype=tf.float64)


def behind(tensors):
    """Every tensor that the given ones are computed from, and they themselves."""
    found, waiting = {}, list(tensors)
    while waiting:
        tensor = waiting.pop()
        if tensor.name not in found:
            found[tensor.name] = tensor
            waiting += tensor.op.inputs
    return found


def session(values, outputs):
    """A session of the current graph, its variables set; nothing behind its outputs is narrow."""
    tensors = behind(outputs.values())
    narrow = [name for name, tensor in tensors.items() if tensor.dtype.base_dtype in NARROW]
    assert not narrow, f"below float64: {sorted(narrow)[:5]}"
    options = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    running = tf.Session(config=options)
    running.run(tf.global_variables_initializer())
    load(values, running)
    return running


def load(values, running):
    for variable in tf.global_variables():
        if variable.op.name in values:
            variable.load(
                values[variable.op.name].astype(variable.dtype.base_dtype.as_numpy_dtype), running
            )


def run(case, forward, given, mean):
    """The variables of the original code, as float32, and its outputs: `forward` makes these of a list of inputs."""
    with graph().as_default(), float64_scope():
        outputs = forward([tf.constant(array, tf.int32) for array in given.values()])
        values = random_values(tf.trainable_variables(), case, mean)
        with session(values, outputs) as running:
            return values, running.run(outputs)


def write_checkpoint(values, path):
    """The values as a TensorFlow checkpoint, for transformers' loaders."""
    with tf.Graph().as_default(), tf.Session() as running:
        # names such as "NAME/adam_m" beside NAME are legal for variables
        variables = {name: tf.Variable(value) for name, value in values.items()}
        running.run(tf.global_variables_initializer())
        tf.train.Saver(variables).save(running, str(path), write_meta_graph=False)
