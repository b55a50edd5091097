"""Writes Fixtures/containers/gguf/models: python Tools/oracle/gguf_models.py FOLDER

FOLDER is a copy of llama.cpp, as for gguf_names.py, whose Hugging Face models are converted here by llama.cpp's own
converter to whole GGUF files, without a vocabulary, in single precision. The goldens are those beside the Hugging Face models.
"""

import tempfile
from pathlib import Path

from exact import FIXTURES
from gguf_names import CASES, with_vocabulary, write_gguf

FOLDER = FIXTURES / "containers" / "gguf" / "models"
# Those whose key-values are read.
NAMES = [
    "llama/gguf_names", "llama/gguf_names_biases", "llama/gguf_names_qwen2", "llama/gguf_names_qwen3",
    "llama/gguf_names_smollm3", "gpt2/gguf_names", "gpt2/gguf_names_untied", "bloom/gguf_names",
    "falcon/gguf_names", "falcon/gguf_names_new", "gptneox/gguf_names", "gptneox/gguf_names_serial",
    "phi/gguf_names", "phi/gguf_names_phi3", "stablelm/gguf_names", "stablelm/gguf_names_parallel",
    "starcoder2/gguf_names", "gemma/gguf_names", "gemma/gguf_names_gemma2", "gemma/gguf_names_gemma3",
    "mixtral/gguf_names", "mixtral/gguf_names_qwen2", "mixtral/gguf_names_qwen3", "mixtral/gguf_names_olmoe",
    "gptoss/gguf_names", "olmo/gguf_names", "olmo/gguf_names_olmo2", "olmo/gguf_names_olmo3", "granite/gguf_names",
    "cohere/gguf_names", "cohere/gguf_names_cohere2", "glm/gguf_names_glm4",
    "nemotron/gguf_names", "nemotron/gguf_names_biases", "mpt/gguf_names", "gptbigcode/gguf_names",
    "llama/gguf_names_ministral3", "deepseek/gguf_names", "deepseek/gguf_names_v2", "deepseek/gguf_names_yarn",
    "t5/gguf_names", "t5/gguf_names_v10", "t5/gguf_names_encoder", "t5/gguf_names_umt5", "bert/gguf_names",
    "distilbert/gguf_names", "nomicbert/gguf_names", "modernbert/gguf_names",
]  # fmt: skip


def write(name):
    case, source = CASES[name], FIXTURES / name / "huggingface"
    target = FOLDER / (name.replace("/gguf_names", "") + ".gguf")
    with tempfile.TemporaryDirectory() as temporary:
        if case.vocabulary:
            source = with_vocabulary(source, Path(temporary) / "source", case.config.vocab_size)
        write_gguf(source, target, case.older)
    print(f"{target.name:32}{target.stat().st_size:8} bytes")


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        write(name)
