"""Writes Fixtures/opennmttransformer: python Tools/oracle/opennmttransformer.py [CASE ...]

The models are those of OpenNMT-py 3.5.1 (requirements-opennmt.txt), built by its own builder, random, and saved by its own
saver, after which its own loader must take them. The goldens are those of its own modules, and of its own greedy search,
in float64 throughout.

What its transforms of texts import, which no model needs, is left out, and its tables of positions, of 5000 rows, have 24.
"""

import argparse
import json
import shutil
import sys
import zlib
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import torch

for name in ("ahocorasick", "fasttext", "rapidfuzz", "spacy"):
    sys.modules[name] = MagicMock()

import onmt.opts
import pyonmttok
from onmt.constants import DefaultTokens
from onmt.model_builder import build_base_model, load_test_model
from onmt.models.model_saver import ModelSaver
from onmt.modules.embeddings import PositionalEncoding
from onmt.translate import GNMTGlobalScorer
from onmt.translate.greedy_search import GreedySearch
from onmt.translate.translator import Translator
from onmt.utils.parse import ArgumentParser
from safetensors.torch import save_file

from exact import FIXTURES, golden, write_npz
from fixture import randomise

FOLDER = FIXTURES / "opennmttransformer"
TABLE = ["-position_encoding"]
SIZES = "-hidden_size 8 -word_vec_size 8 -heads 4 -transformer_ff 10 -layers 2".split()
# For each case the options, the words of both vocabularies, how many words are appended, and whether it is in safetensors.
CASES = {
    "table": ([*TABLE], (19, 23), 0, False),
    "table_generate": ([*TABLE, "-layers", "1", "-add_ffnbias", "-pos_ffn_activation_fn", "gelu"], (27, 43), 7, False),
    "shared": (
        "-position_encoding -position_encoding_type SinusoidalConcat -share_embeddings -share_decoder_embeddings"
        " -share_vocab -add_qkvbias -add_ffnbias -pos_ffn_activation_fn gelu -heads 2 -layers -1 -enc_layers 2"
        " -dec_layers 1 -norm_eps 1e-3".split(), (21, 21), 0, False,
    ),
    "gated": (
        "-position_encoding -layer_norm rms -pos_ffn_activation_fn silu -num_kv 2 -share_decoder_embeddings".split(),
        (19, 22), 0, False,
    ),
    "gated_safetensors": (
        "-position_encoding -pos_ffn_activation_fn gated-gelu -add_ffnbias -multiquery -share_vocab -share_embeddings".split(),
        (20, 20), 0, True,
    ),
    "rotary_training_state": (
        "-max_relative_positions -1 -rotary_interleave -layer_norm rms -pos_ffn_activation_fn silu -add_qkvbias"
        " -heads 2 -layers 1".split(), (19, 23), 0, False,
    ),
    "rotary_halves": (
        "-max_relative_positions -1 -rotary_dim 2 -rotary_theta 100 -heads 2 -layers 1".split(),
        (25, 36), 6, False,
    ),
}


def options(extra):
    parser = ArgumentParser()
    onmt.opts.train_opts(parser)
    usual = "-data data.yaml -src_vocab vocab -encoder_type transformer -decoder_type transformer".split()
    opt = parser.parse_args([*usual, *SIZES, *extra])
    opt.data = {"corpus_1": {"path_src": "a", "path_tgt": "b", "weight": 1}}  # as the program has read it
    ArgumentParser.update_model_opts(opt)
    ArgumentParser.validate_model_opts(opt)
    return opt


def vocabularies(opt, counts):
    def vocabulary(count, letter):
        words = [f"{letter}{number}" for number in range(count - 4)]
        vocabulary = pyonmttok.build_vocab_from_tokens(words, maximum_size=0, special_tokens=opt.default_specials)
        vocabulary.default_id = vocabulary[DefaultTokens.UNK]
        return vocabulary

    source = vocabulary(counts[0], "s")
    target = source if opt.share_vocab else vocabulary(counts[1], "t")
    return {"src": source, "tgt": target, "data_task": "seq2seq", "decoder_start_token": "<s>"}


def centre(name):
    if "norm" in name and name.endswith("weight"):
        return 1, 0.3
    return 0, 0.5 if "linear_query" in name or "linear_keys" in name else 0.35


class Optimiser:
    """What the saver asks of one: the state of Adam, which has done a step if it is wanted."""

    def __init__(self, model, has_run):
        self.model, self.has_run = model, has_run

    def state_dict(self):
        adam = torch.optim.Adam([self.model.generator.bias])
        if not self.has_run:
            return {"training_step": 1, "decay_step": 1, "optimizer": adam.state_dict()}
        self.model.generator.bias.grad = torch.ones_like(self.model.generator.bias)
        kept = self.model.generator.bias.detach().clone()
        adam.step()
        self.model.generator.bias.data.copy_(kept)
        return {"training_step": 2, "decay_step": 1, "optimizer": adam.state_dict()}


def save(folder, model, opt, vocabs, in_safetensors):
    base = str(folder / "model")
    format = "safetensors" if in_safetensors else "pytorch"
    saver = ModelSaver(base, model, opt, vocabs, Optimiser(model, folder.name.endswith("_training_state")), -1, format, 0)
    if in_safetensors:
        state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        save_file(state, folder / "model.safetensors")  # the saver's own refuses tensors that are one
        return None
    saver.save(1)
    path = folder / "pytorch_model.bin"
    Path(base + "_step_1.pt").rename(path)
    usual = argparse.Namespace(precision="fp32", world_size=1, parallel_mode="data_parallel", gpu=-1, gpu_ranks=[], self_attn_type="scaled-dot")
    _, again, _ = load_test_model(usual, model_path=str(path))
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in model.state_dict().items())
    return path


def inputs(random, vocabs):
    """Texts of several lengths, and what is written, with padding at its end and once between its words."""
    count = {side: len(vocabs[side]) for side in ("src", "tgt")}
    source = random.integers(4, count["src"], (3, 8))
    mask = np.array([[1] * 8, [1] * 5 + [0] * 3, [1] * 7 + [0]])
    source[mask == 0] = 1
    target = random.integers(4, count["tgt"], (3, 6))
    target[:, 0] = 2
    target[1, 4:] = 1
    target[2, 2] = 1
    return {"input_ids": source, "attention_mask": mask, "decoder_input_ids": target}


def twin_of(opt, vocabs, state):
    twin = build_base_model(opt, vocabs).double().eval()
    torch.nn.Module.load_state_dict(twin, {name: tensor.double() for name, tensor in state.items()})
    for module in twin.modules():
        if hasattr(module, "dropout_p"):
            module.dropout_p = 0.0
    return twin


def outputs(twin, arrays):
    given = {name: torch.from_numpy(array) for name, array in arrays.items()}
    states = {"encoder": [], "decoder": []}

    def keep(name):
        return lambda module, arguments: states[name].append(arguments[0].detach().clone())

    for name, layers in (("encoder", twin.encoder.transformer), ("decoder", twin.decoder.transformer_layers)):
        for layer in layers:
            layer.register_forward_pre_hook(keep(name))
    source, lengths = given["input_ids"].unsqueeze(-1), given["attention_mask"].sum(1)
    encoded, _, _ = twin.encoder(source, lengths)
    twin.decoder.init_state(source, encoded, None)
    decoded, _ = twin.decoder(given["decoder_input_ids"].unsqueeze(-1), encoded, src_len=lengths)
    results = {"logits": twin.generator(decoded), "encoder_last_hidden_state": encoded}
    for name, last in (("encoder", encoded), ("decoder", decoded)):
        for number, state in enumerate([*states[name], last]):
            results[f"{name}_hidden_states.{number}"] = state
    return {name: tensor.detach().numpy() for name, tensor in results.items()}


def generated(twin, vocabs, arrays, count):
    """The program's own greedy search, which finds no end, and the logits of each step."""
    logits = []
    twin.generator.register_forward_hook(lambda module, arguments, result: logits.append(result.detach().clone()))
    scorer = GNMTGlobalScorer(alpha=0.0, beta=0.0, length_penalty="none", coverage_penalty="none")
    translator = Translator(twin, vocabs, max_length=count, beam_size=1, global_scorer=scorer)
    source, mask = torch.from_numpy(arrays["input_ids"]), torch.from_numpy(arrays["attention_mask"])
    batch = {"src": source.unsqueeze(-1), "srclen": mask.sum(1), "batch_size": len(source)}
    search = GreedySearch(
        pad=1, bos=2, eos=3, unk=0, start=2, n_best=1, batch_size=len(source), global_scorer=scorer, min_length=0,
        block_ngram_repeat=0, exclusion_tokens=set(), return_attention=False, max_length=count, sampling_temp=1.0,
        keep_topk=1, keep_topp=0.0, beam_size=1, ban_unk_token=False,
    )
    results = translator._translate_batch_with_strategy(batch, search)
    words = np.array([[int(word) for word in texts[0]] for texts in results["predictions"]])
    assert words.shape == (len(source), count) and not (words == 3).any(), words
    assert len(set(words.flat)) > 3, words
    sequences = np.concatenate([np.full((len(source), 1), 2), words], axis=1)
    steps = torch.stack([step.reshape(len(source), -1) for step in logits], dim=1)
    best = steps.topk(2).values
    assert (best[..., 0] - best[..., 1]).min() > 1e-3, "a greedy choice is too close"
    return {"sequences": sequences.astype(np.int64), "logits": steps.numpy()}


def write_arrays(path, arrays, results, seed, **facts):
    assert all(array.dtype in (np.float64, np.int64) and np.isfinite(array).all() for array in results.values())
    facts = {"framework": f"OpenNMT-py {onmt.__version__}", "class": "NMTModel", "precision": "exact-f64", "seed": seed} | facts
    stored = {f"inputs/{name}": array for name, array in arrays.items()}
    stored |= {f"outputs/{name}": array for name, array in results.items()}
    stored["__golden__"] = np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8)
    write_npz(path, stored)


def config_of(opt, vocabs):
    """What tfkit has beside safetensors: the options, and what else the checkpoint's words and tables say."""
    names = "heads num_kv transformer_ff enc_layers dec_layers add_qkvbias add_ffnbias pos_ffn_activation_fn norm_eps"
    names += " hidden_size position_encoding share_embeddings share_decoder_embeddings"
    config = {"model_type": "opennmt_transformer", "architectures": ["NMTModel"], "max_position_embeddings": 24,
              "norm_type": opt.layer_norm}
    config |= {name: getattr(opt, name) for name in names.split()}
    return config | {"src_vocab_size": len(vocabs["src"]), "tgt_vocab_size": len(vocabs["tgt"])}


def write(name, root=FOLDER, change=0):
    extra, counts, tokens, in_safetensors = CASES[name]
    seed, folder = zlib.crc32(name.encode()) + change, root / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    opt = options(extra)
    vocabs = vocabularies(opt, counts)
    model = build_base_model(opt, vocabs).eval()
    randomise(model, seed, centre)
    state = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    save(folder, model, opt, vocabs, in_safetensors)
    if in_safetensors:
        (folder / "config.json").write_text(json.dumps(config_of(opt, vocabs), indent=2, sort_keys=True) + "\n")
    arrays = inputs(np.random.default_rng(seed), vocabs)
    with golden.lifted() as offenders, torch.no_grad():
        results = outputs(twin_of(opt, vocabs, state), arrays)
        assert not offenders - {"aten._to_copy.default"}, offenders  # tables for kernels of other devices, in half precision
        write_arrays(folder / "golden.npz", arrays, results, seed)
        if tokens:
            prompt = {key: arrays[key] for key in ("input_ids", "attention_mask")}
            results = generated(twin_of(opt, vocabs, state), vocabs, prompt, tokens)
            write_arrays(folder / "generated.npz", prompt, results, seed, greedy=True)


if __name__ == "__main__":
    PositionalEncoding.__init__.__defaults__ = (24,)
    load = torch.load
    torch.load = lambda *arguments, **named: load(*arguments, **named, weights_only=False)
    for name in sys.argv[1:] or CASES:
        write(name)
        size = sum(path.stat().st_size for path in (FOLDER / name).iterdir())
        print(f"{name:28}{size:8} bytes")
