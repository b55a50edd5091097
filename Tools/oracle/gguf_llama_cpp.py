"""Compares what llama.cpp computes with stored logits or states: python Tools/oracle/gguf_llama_cpp.py LIBRARY LLAMA_CPP FILE.gguf Y.npz

LIBRARY is a shared library with llama.cpp's functions, such as xllamacpp.abi3.so of the package xllamacpp, LLAMA_CPP a copy of
its source of about the same day, for the headers. Y.npz has `input_ids` and `logits`, as `tfverify run MODEL --inputs
X.npz -o Y.npz` leaves them beside X.npz: pass both, the inputs first; for an encoder `last_hidden_state`, and for an
encoder-decoder `decoder_input_ids` too. Needs gcc. Not part of any test: llama.cpp computes in
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

static void fill(struct llama_batch *batch, const int32_t *ids, int count) {
  batch->n_tokens = count;
  for (int i = 0; i < count; i++) {
    batch->token[i] = ids[i];
    batch->pos[i] = i;
    batch->n_seq_id[i] = 1;
    batch->seq_id[i][0] = 0;
    batch->logits[i] = 1;
  }
}

// Numbers of `count` tokens at all positions: logits, or the last states of an encoder alone. `source` are the ids that an
// encoder reads first. Returns how many a position has, or a negative number for an error.
int all_numbers(const char *path, const int32_t *source, int source_count, const int32_t *ids, int count, float *out, int room) {
  llama_log_set(quiet, 0);
  llama_backend_init();
  struct llama_model *model = llama_model_load_from_file(path, llama_model_default_params());
  if (!model) { return -1; }
  int is_encoder = llama_model_has_encoder(model) && !llama_model_has_decoder(model) || source_count < 0;
  struct llama_context_params params = llama_context_default_params();
  params.n_ctx = params.n_batch = params.n_ubatch = 64;
  params.type_k = params.type_v = GGML_TYPE_F32;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  params.pooling_type = LLAMA_POOLING_TYPE_NONE;
  struct llama_context *context = llama_init_from_model(model, params);
  if (!context) { return -2; }
  llama_set_embeddings(context, is_encoder);
  int width = is_encoder ? llama_model_n_embd(model) : llama_vocab_n_tokens(llama_model_get_vocab(model));
  if (width * count > room) { return -3; }
  struct llama_batch batch = llama_batch_init(64, 0, 1);
  if (source_count > 0) {
    fill(&batch, source, source_count);
    if (llama_encode(context, batch)) { return -5; }
  }
  fill(&batch, ids, count);
  if (is_encoder ? llama_encode(context, batch) : llama_decode(context, batch)) { return -4; }
  for (int i = 0; i < count; i++) {
    const float *row = is_encoder ? llama_get_embeddings_ith(context, i) : llama_get_logits_ith(context, i);
    memcpy(out + (size_t)i * width, row, sizeof(float) * width);
  }
  return width;
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
    is_encoder = "last_hidden_state" in found
    expected = found["last_hidden_state" if is_encoder else "logits"]
    sources = found["input_ids"] if "decoder_input_ids" in found else None
    ids = found["input_ids"] if sources is None else found["decoder_input_ids"]
    mask = found.get("attention_mask", np.ones_like(found["input_ids"]))
    call = library(shared, source).all_numbers
    integers, floats = ctypes.POINTER(ctypes.c_int32), ctypes.POINTER(ctypes.c_float)
    worst = 0.0
    for index, (row, kept, theirs) in enumerate(zip(ids, mask, expected)):
        count = int(kept.sum())
        if not kept[:count].all():
            continue  # padding on the left has positions that a batch of one text has not
        first, first_count = np.zeros(1, np.int32), -1 if is_encoder else 0
        if sources is not None:
            first, first_count = np.ascontiguousarray(sources[index][:count], np.int32), count
            count = len(row)
        tokens = np.ascontiguousarray(row[:count], np.int32)
        mine = np.zeros((count, theirs.shape[-1]), np.float32)
        width = call(
            file.encode(), first.ctypes.data_as(integers), first_count, tokens.ctypes.data_as(integers), count,
            mine.ctypes.data_as(floats), mine.size,
        )  # fmt: skip
        assert width == theirs.shape[-1], width
        worst = max(worst, float(np.abs(mine - theirs[:count]).max() / np.abs(theirs).max()))
    print(f"largest |difference| / largest |number|: {worst:.2e}")


if __name__ == "__main__":
    main(*sys.argv[1:])
