"""Compares ids of llama.cpp's tokenizers: python Tools/oracle/gguf_tokens_llama_cpp.py LIBRARY LLAMA_CPP

LIBRARY and LLAMA_CPP are those of gguf_llama_cpp.py. Of each tokenizer in Fixtures/containers/gguf/tokenizers, llama.cpp cuts the
texts by what is in model.gguf; texts.json has the ids of the tokenizer that the file was made of. Prints where they
differ. Needs gcc; writes nothing.
"""

import ctypes
import json
import sys

from exact import FIXTURES
import gguf_llama_cpp

gguf_llama_cpp.SHIM = r"""
#include "llama.h"

static void quiet(enum ggml_log_level level, const char *text, void *data) { }

int ids(const char *path, const char *text, int length, int32_t *out, int room) {
  static const char *last;
  static struct llama_model *model;
  llama_log_set(quiet, 0);
  if (path != last) {
    struct llama_model_params params = llama_model_default_params();
    params.vocab_only = true;
    model = llama_model_load_from_file(path, params);
    last = path;
  }
  return model ? llama_tokenize(llama_model_get_vocab(model), text, length, out, room, true, true) : -1;
}
"""


def main(shared, source):
    call = gguf_llama_cpp.library(shared, source).ids
    for folder in sorted((FIXTURES / "containers" / "gguf" / "tokenizers").iterdir()):
        path, same = ctypes.c_char_p(str(folder / "model.gguf").encode()), 0
        texts = json.loads((folder / "texts.json").read_text())
        for text in texts:
            data, out = text["text"].encode(), (ctypes.c_int32 * 1000)()
            count = call(path, data, len(data), out, 1000)
            found = list(out[: max(count, 0)])
            same += found == text["ids"]
            if found != text["ids"]:
                print(folder.name, repr(text["text"]), found, text["ids"])
        print(f"{folder.name}: {same} of {len(texts)} texts")


if __name__ == "__main__":
    main(*sys.argv[1:])
