"""Compares logits of llama.cpp with stored ones: python Tools/oracle/gguf_llama_cpp.py LIBRARY LLAMA_CPP FILE.gguf Y.npz

LIBRARY is a shared library with llama.cpp's functions, such as xllamacpp.abi3.so of the package xllamacpp, LLAMA_CPP a copy of
its source of about the same day, for the headers. Y.npz has `input_ids` and `logits`, as `tfverify run MODEL --inputs
X.npz -o Y.npz` leaves them beside X.npz: pass both, the inputs first. Needs gcc. Not part of any test: llama.cpp computes in
single precision, in another order on each machine, and keeps keys and values in half precision unless told otherwise.
"""

import ctypes
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

SHIM = r"""
#include "llama.h"
#include <string.h>

static void quiet(enum ggml_log_level level, const char *text, void *data) {
  if (level >= GGML_LOG_LEVEL_ERROR) { fputs(text, stderr); }
}

// Logits of `count` tokens at all positions; returns the number of words, or a negative number for an error.
int all_logits(const char *path, const int32_t *ids, int count, float *out, int room) {
  llama_log_set(quiet, 0);
  llama_backend_init();
  struct llama_model *model = llama_model_load_from_file(path, llama_model_default_params());
  if (!model) { return -1; }
  struct llama_context_params params = llama_context_default_params();
  params.n_ctx = params.n_batch = params.n_ubatch = count < 32 ? 32 : count;
  params.type_k = params.type_v = GGML_TYPE_F32;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  struct llama_context *context = llama_init_from_model(model, params);
  if (!context) { return -2; }
  int words = llama_vocab_n_tokens(llama_model_get_vocab(model));
  if (words * count > room) { return -3; }
  struct llama_batch batch = llama_batch_init(count, 0, 1);
  batch.n_tokens = count;
  for (int i = 0; i < count; i++) {
    batch.token[i] = ids[i];
    batch.pos[i] = i;
    batch.n_seq_id[i] = 1;
    batch.seq_id[i][0] = 0;
    batch.logits[i] = 1;
  }
  if (llama_decode(context, batch)) { return -4; }
  for (int i = 0; i < count; i++) {
    memcpy(out + (size_t)i * words, llama_get_logits_ith(context, i), sizeof(float) * words);
  }
  return words;
}
"""


def library(shared, source):
    """Functions in C around those of llama.cpp, whose structures only its headers know."""
    folder = Path(tempfile.mkdtemp())
    (folder / "shim.c").write_text("#include <stdio.h>\n" + SHIM)
    includes = [f"-I{source}/include", f"-I{source}/ggml/include"]
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-o", folder / "shim.so", folder / "shim.c", *includes], check=True
    )
    ctypes.CDLL(shared, ctypes.RTLD_GLOBAL)
    return ctypes.CDLL(str(folder / "shim.so"))


def main(shared, source, file, *arrays):
    arrays = [dict(np.load(path)) for path in arrays]
    found = {name.split("/")[-1]: array for group in arrays for name, array in group.items()}
    ids, expected = found["input_ids"], found["logits"]
    mask = found.get("attention_mask", np.ones_like(ids))
    call = library(shared, source).all_logits
    worst = 0.0
    for row, kept, theirs in zip(ids, mask, expected):
        count = int(kept.sum())
        if not kept[:count].all():
            continue  # padding on the left has positions that a batch of one text has not
        tokens = np.ascontiguousarray(row[:count], np.int32)
        room = count * theirs.shape[-1]
        mine = np.zeros((count, theirs.shape[-1]), np.float32)
        pointer = ctypes.POINTER(ctypes.c_float)
        words = call(
            file.encode(), tokens.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)), count,
            mine.ctypes.data_as(pointer), room,
        )  # fmt: skip
        assert words == theirs.shape[-1], words
        worst = max(worst, float(np.abs(mine - theirs[:count]).max() / np.abs(theirs).max()))
    print(f"largest |difference| / largest |logit|: {worst:.2e}")


if __name__ == "__main__":
    main(*sys.argv[1:])
