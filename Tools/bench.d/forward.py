"""The forward pass in single precision against PyTorch's eager mode.

    Tools/bench forward                       BERT-base, GPT-2 124M and T5-base at 128 and 512 tokens
    Tools/bench forward --models gpt2 --lengths 128 1024 --rounds 9
    Tools/bench forward --models llama --rounds 3 --repeat 3 --tokens 20     a model of 1.2 G parameters
    Tools/bench forward --models vit whisper --lengths 128 --rounds 3 --repeat 3   a picture; 30 s of a sound and a text
    Tools/bench forward --json                one JSON object instead of tables
    Tools/bench forward --write               also puts the tables into docs/performance.md

The models have the published configurations and random weights, made here by transformers; what time a
pass takes does not depend on the weights. Both sides have the weights in memory, two threads (--threads),
one text without padding, and the outputs of BertModel, GPT2LMHeadModel, T5ForConditionalGeneration and
LlamaForCausalLM (ViTModel, WhisperForConditionalGeneration); T5's decoder reads as many tokens as its encoder. In each round every case is timed by the one and then by
the other, several passes each, of which the median counts; the ratio of a round is that of its two
medians, and the tables have the median of the rounds, the least and the most. *Products* is the time of
the matrix products alone, as tfverify counts it.

Decoding: GPT-2, or Llama, continues a prompt of --prompt tokens one token at a time with its keys and values kept.
The bound is reading every weight that a token needs once from memory, at the speed of a plain sum over
a large array by as many threads.

Long texts: GPT2Model with two layers and 1000 words, up to 8192 positions, by tfverify alone. The scores of
one layer, of which no more than tiles are ever in memory, would take the last column.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "shared"))
from bench_models import NAMES, USUAL, save
from bench_page import machine, write_section

BIN = Path(os.environ["BENCH_BIN"])
START, END = "<!-- Tools/bench forward --write -->", "<!-- end of forward -->"


def framework_inputs(model, length):
    """A text, or a picture, or frames of a sound with a text."""
    import torch

    config, random = model.config, torch.Generator().manual_seed(length)
    if model.main_input_name == "pixel_values":
        size = (1, config.num_channels, config.image_size, config.image_size)
        return {"pixel_values": torch.randn(size, generator=random)}
    ids = torch.randint(1, 30000, (1, length), generator=random)
    if model.main_input_name == "input_features":
        size = (1, config.num_mel_bins, 2 * config.max_source_positions)
        return {"input_features": torch.randn(size, generator=random), "decoder_input_ids": ids}
    inputs = {"input_ids": ids}
    if model.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = ids
    return inputs


def framework_times(model, length, repeat):
    """Milliseconds of each pass."""
    import torch

    inputs = framework_inputs(model, length)
    times = []
    with torch.inference_mode():
        for number in range(repeat + 1):
            start = time.perf_counter()
            model(**inputs, use_cache=False) if hasattr(model.config, "use_cache") else model(**inputs)
            if number:
                times.append(1e3 * (time.perf_counter() - start))
    return times


def own(folder, options, repeat, threads):
    command = [BIN / "tfverify", "bench", folder, "--json", "-T", str(threads),
               "--repeat", str(repeat), *map(str, options)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def forward_round(loaded, lengths, folder, options, results):
    for name, model in loaded.items():
        for length in lengths:
            ours = own(Path(folder, name), ["--length", length], options.repeat, options.threads)
            theirs = statistics.median(framework_times(model, length, options.repeat))
            results.setdefault((name, length), []).append({
                "tfverify_ms": ours["median_ms"], "matmul_ms": ours["matmul_ms"], "torch_ms": theirs,
                "peak_rss_bytes": ours["peak_rss_bytes"]})


def framework_decoding(model, prompt, tokens):
    """Milliseconds of each step but the first, which makes the cache."""
    import torch

    ids = torch.randint(1, 30000, (1, prompt), generator=torch.Generator().manual_seed(prompt))
    times = []
    with torch.inference_mode():
        done = model(input_ids=ids, use_cache=True)
        for _ in range(tokens):
            ids = done.logits[:, -1].argmax(-1, keepdim=True)
            start = time.perf_counter()
            done = model(input_ids=ids, past_key_values=done.past_key_values, use_cache=True)
            times.append(1e3 * (time.perf_counter() - start))
    return times


def bytes_per_second(threads):
    """The speed of reading memory: sums over 512 MB, a part for each thread, by numpy."""
    import numpy as np

    parts = np.array_split(np.ones(1 << 26, dtype=np.float64), threads)
    best = float("inf")
    for _ in range(5):
        workers = [threading.Thread(target=part.sum) for part in parts]
        start = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        best = min(best, time.perf_counter() - start)
    return sum(part.nbytes for part in parts) / best


def weight_bytes(model):
    """What a token needs of the weights: all but the positions of GPT-2, of which it needs one row."""
    total = sum(p.numel() * 4 for p in model.parameters())
    positions = [p for name, p in model.named_parameters() if "wpe" in name]
    return total - sum(p.numel() * 4 for p in positions)


DECODERS = ("gpt2", "llama")


def decoding_round(model, folder, options, results):
    ours = own(folder, ["--length", options.prompt, "--decode"], options.tokens, options.threads)
    theirs = statistics.median(framework_decoding(model, options.prompt, options.tokens))
    bound = 1e3 * weight_bytes(model) / bytes_per_second(options.threads)
    results.append({"tfverify_ms": ours["median_ms"], "torch_ms": theirs, "bound_ms": bound})


LONG = (512, 1024, 2048, 4096, 8192)


def long_texts(folder, options):
    """Seconds of a pass and peak memory by length."""
    import transformers as tf

    model = tf.GPT2Model(tf.GPT2Config(
        n_layer=2, vocab_size=1000, n_positions=LONG[-1], bos_token_id=None, eos_token_id=None))
    model.save_pretrained(Path(folder, "long"))
    for length in LONG:
        yield length, own(Path(folder, "long"), ["--length", length], 1, options.threads)


def long_table(results):
    yield "| positions | a pass, s | peak memory | scores of a layer |"
    yield "|---|---|---|---|"
    for length, result in results:
        yield (f"| {length} | {result['median_ms'] / 1e3:.2f} | {result['peak_rss_bytes'] / 1e6:.0f} MB"
               f" | {12 * length * length * 4 / 1e6:.0f} MB |")


def spread(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def middle(rounds, key):
    return statistics.median(one[key] for one in rounds)


def shares(rounds, above, below):
    return [one[above] / one[below] for one in rounds]


def geometric_means(results):
    """One of each round."""
    for cases in zip(*results.values()):
        yield statistics.geometric_mean(one["tfverify_ms"] / one["torch_ms"] for one in cases)


def forward_table(results):
    yield "| model | tokens | tfverify, ms | PyTorch, ms | against PyTorch | against its products |"
    yield "|---|---|---|---|---|---|"
    for (name, length), rounds in results.items():
        yield (f"| {NAMES[name]} | {length} | {middle(rounds, 'tfverify_ms'):.1f}"
               f" | {middle(rounds, 'torch_ms'):.1f}"
               f" | {spread(shares(rounds, 'tfverify_ms', 'torch_ms'))}"
               f" | {spread(shares(rounds, 'tfverify_ms', 'matmul_ms'))} |")
    yield f"| geometric mean | | | | {spread(list(geometric_means(results)))} | |"


def decoding_table(rounds):
    yield "| | ms a token | tfverify takes |"
    yield "|---|---|---|"
    yield f"| tfverify | {middle(rounds, 'tfverify_ms'):.2f} | |"
    for label, key in (("PyTorch", "torch_ms"), ("reading the weights once", "bound_ms")):
        ratio = spread(shares(rounds, "tfverify_ms", key))
        yield f"| {label} | {middle(rounds, key):.2f} | {ratio} × |"


def main():
    parser = argparse.ArgumentParser(
        prog="bench forward", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=NAMES, default=USUAL)
    parser.add_argument("--lengths", nargs="+", type=int, default=[128, 512], metavar="N")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--repeat", type=int, default=7, help="passes of each in a round; %(default)s")
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--prompt", type=int, default=128, help="of decoding; default: %(default)s")
    parser.add_argument("--tokens", type=int, default=40, help="decoded a round; default: %(default)s")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()

    import torch

    torch.set_num_threads(options.threads)
    where = machine()
    results, decoding = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        loaded = dict(save(options.models, folder))
        long = list(long_texts(folder, options)) if "gpt2" in loaded else []
        for number in range(options.rounds + 1):
            kept = number > 0  # the first round warms up
            forward_round(loaded, options.lengths, folder, options, results if kept else {})
            for name in loaded.keys() & set(DECODERS):
                rounds = decoding.setdefault(name, []) if kept else []
                decoding_round(loaded[name], Path(folder, name), options, rounds)
    core = os.environ.get("OPENBLAS_CORETYPE")
    kernels = f" OPENBLAS_CORETYPE={core}," if core else ""
    described = (f"{where['processor']}, {where['cores']} cores, {options.threads} threads,{kernels} PyTorch"
                 f" {torch.__version__}, {options.rounds} rounds of {options.repeat} passes; load of the"
                 f" machine at the start {where['load']:.1f}.")
    if options.json:
        cases = [{"model": name, "length": length, "rounds": rounds}
                 for (name, length), rounds in results.items()]
        print(json.dumps({"schema": "bench.forward/1", "machine": described, "cases": cases,
                          "decoding": decoding, "long_texts": dict(long)}))
        return
    lines = [described, "", *forward_table(results)]
    for name, rounds in decoding.items():
        lines += ["", f"Decoding with {NAMES[name]}, {options.tokens} tokens after {options.prompt}:", "",
                  *decoding_table(rounds)]
    if long:
        lines += ["", "Long texts:", "", *long_table(long)]
    print("\n".join(lines))
    if options.write:
        write_section(lines, START, END)


if __name__ == "__main__":
    main()
