"""Writes Fixtures/FAMILY/gguf_names*: python Tools/oracle/gguf_names.py FOLDER [CASE ...]

FOLDER is a copy of llama.cpp, here the one inside the source distribution of llama-cpp-python
0.3.36 (vendor/llama.cpp, with gguf-py 0.19.0). Its converter (conversion/, a file or two a family)
makes a GGUF file of a random Hugging Face model, without a vocabulary; its reader gives names and
arrays back, in numpy's order of dimensions. They are stored as safetensors: tfkit reads these
names, not yet the container.

No forward pass of llama.cpp runs here: the golden is that of transformers for the same weights. For
GPT-2 and T5 transformers 5.23.0 also loads the GGUF file back (requirements-gguf.txt) and must find
the model that it was made of; it knows no BERT there.
"""

import json
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import (
    BertConfig,
    BertModel,
    BloomConfig,
    BloomForCausalLM,
    Cohere2ForCausalLM,
    CohereForCausalLM,
    FalconConfig,
    FalconForCausalLM,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextModel,
    GemmaForCausalLM,
    Glm4ForCausalLM,
    GlmForCausalLM,
    DeepseekV2ForCausalLM,
    DeepseekV3ForCausalLM,
    DistilBertModel,
    GPT2Config,
    GPT2LMHeadModel,
    GPTBigCodeConfig,
    GPTBigCodeForCausalLM,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    GraniteForCausalLM,
    GptOssForCausalLM,
    LlamaForCausalLM,
    Ministral3ForCausalLM,
    ModernBertModel,
    MptConfig,
    MptForCausalLM,
    NemotronForCausalLM,
    NomicBertModel,
    Olmo2ForCausalLM,
    Olmo3ForCausalLM,
    OlmoForCausalLM,
    Phi3ForCausalLM,
    PhiForCausalLM,
    MixtralForCausalLM,
    OlmoeForCausalLM,
    Qwen2ForCausalLM,
    Qwen2MoeForCausalLM,
    Qwen3ForCausalLM,
    SmolLM3ForCausalLM,
    StableLmForCausalLM,
    Starcoder2ForCausalLM,
    Qwen3MoeForCausalLM,
    RobertaModel,
    T5Config,
    T5EncoderModel,
    T5ForConditionalGeneration,
    UMT5ForConditionalGeneration,
    XLMRobertaModel,
)

import bert
import bloom
import cohere
import distilbert
import encoders
import falcon
import gemma
import glm
import gpt2
import gptbigcode
import gptneox
import granite
import deepseek
import gpt2
import gptbigcode
import gptneox
import gptoss
import llama
import modernbert
import mpt
import nemotron
import nomicbert
import olmo
import phi
import roberta
import stablelm
import starcoder2
import mixtral
import t5
from converted import original_folder, write_huggingface
from exact import FIXTURES, exact_outputs, write_golden
from fixture import randomise

FOLDER = original_folder("LLAMA_CPP", "llama.cpp (conversion/ and gguf-py/)")
sys.path[:0] = [str(FOLDER), str(FOLDER / "gguf-py")]
sys.dont_write_bytecode = True
import conversion  # noqa: E402
import gguf  # noqa: E402

BERT = {"vocab_size": 37, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 24}
BERT |= {"num_hidden_layers": 2, "max_position_embeddings": 20, "hidden_act": "gelu_new"}
GPT2 = {"vocab_size": 37, "n_embd": 12, "n_head": 3, "n_layer": 2, "n_positions": 20, "n_ctx": 20}
GPT2 |= {"bos_token_id": 36, "eos_token_id": 36}
T5 = {"vocab_size": 37, "d_model": 12, "num_heads": 2, "d_kv": 5, "d_ff": 20, "num_layers": 2}
T5 |= {"decoder_start_token_id": 0}
NEOX = gptneox.SIZES | {"num_hidden_layers": 1, "hidden_act": "gelu_new"}
FALCON = {"ffn_hidden_size": None, "activation": "gelu_new"}
LLAMA = llama.SIZES | {"num_hidden_layers": 1}
ONE_LAYER = {"num_hidden_layers": 1}
# What llama.cpp multiplies scores by, whatever the config says.
HEAD_SCALE = {"query_pre_attn_scalar": 8}
V11 = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}


@dataclass
class Case:
    model: type
    config: object
    family: object  # the script whose inputs and scales it takes
    inputs: object
    build: dict = field(default_factory=dict)
    adjust: object = None
    read_back: bool = True
    older: dict = field(default_factory=dict)  # what the converter reads under a key of old configs
    vocabulary: bool = False  # the converter counts the words of the tokenizer


def short_norms(model):
    """Weights of so few digits that 1 more is exact, as bfloat16 has them."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.copy_(parameter.bfloat16())


def of(model, family, *changes, **options):
    """A model of a family's sizes, with one layer unless told otherwise."""
    sizes = family.SIZES | ONE_LAYER
    for change in changes:
        sizes |= change
    options = {"read_back": False} | options
    return Case(model, model.config_class(**sizes), family, family.right_padded, **options)


# As DeepSeek's own configs have it, which is the only weight of both logarithms that llama.cpp knows.
YARN = deepseek.rope("yarn", mscale=0.707, mscale_all_dim=0.707, **deepseek.YARN)
# The only epsilon that llama.cpp has for latents and for the rest.
SMALL = {"rms_norm_eps": 1e-6}


def of_encoder(model, family, config, inputs, **options):
    """An encoder without heads, which the converter drops."""
    config = model.config_class(**family.SIZES | config)
    family = SimpleNamespace(centre=encoders.centre)
    return Case(model, config, family, inputs, read_back=False, **options)


def without_padding(rng, config):
    """Texts without the padding token, whose positions the converter drops."""
    ids = rng.integers(config.pad_token_id + 1, config.vocab_size, (2, 9))
    return {"input_ids": ids, "attention_mask": np.ones_like(ids)}


def without_padding_rows(model):
    """Zeros where the converter drops the rows of the table of positions."""
    with torch.no_grad():
        model.embeddings.position_embeddings.weight[: model.config.pad_token_id + 1] = 0


# What the converter reads of the model's own code's config, of the values that it wants there.
NOMIC = {
    "n_positions": 2048,
    "activation_function": "swiglu",
    "causal": False,
    "qkv_proj_bias": False,
    "mlp_fc1_bias": False,
    "mlp_fc2_bias": False,
    "prenorm": False,
    "rotary_emb_fraction": 1.0,
    "rotary_emb_interleaved": False,
    "rotary_emb_scale_base": None,
}


def of_experts(family, model, config=None, adjust=None, older={}):
    """A case of a family with experts, as its own script describes it."""
    case = family.Case(model, config or {})
    return Case(
        model,
        family.config(case, 0),
        family,
        family.right_padded,
        adjust=adjust,
        read_back=False,
        older=older,
    )


CASES = {
    "bert/gguf_names": Case(
        BertModel,
        BertConfig(**BERT),
        bert,
        bert.right_padded,
        build={"add_pooling_layer": False},  # the converter drops it
        read_back=False,
    ),
    "gpt2/gguf_names": Case(GPT2LMHeadModel, GPT2Config(**GPT2), gpt2, gpt2.right_padded),
    "gpt2/gguf_names_untied": Case(
        GPT2LMHeadModel,
        GPT2Config(**GPT2, tie_word_embeddings=False),
        gpt2,
        gpt2.right_padded,
    ),
    "bloom/gguf_names": Case(
        BloomForCausalLM,
        BloomConfig(**bloom.SIZES | bloom.ONE_LAYER),
        bloom,
        bloom.right_padded,
        read_back=False,
    ),
    "mpt/gguf_names": Case(
        MptForCausalLM,
        MptConfig(**mpt.SIZES | mpt.ONE_LAYER | mpt.attention(clip_qkv=0.75)),
        mpt,
        mpt.right_padded,
        read_back=False,
        older={"architectures": ["MPTForCausalLM"]},
    ),
    "falcon/gguf_names": Case(
        FalconForCausalLM,
        FalconConfig(**falcon.SIZES | falcon.ONE_LAYER | FALCON),
        falcon,
        falcon.right_padded,
        read_back=False,
        older={"num_kv_heads": 1},
    ),
    "falcon/gguf_names_new": Case(
        FalconForCausalLM,
        FalconConfig(**falcon.SIZES | falcon.ONE_LAYER | falcon.NEW | FALCON),
        falcon,
        falcon.right_padded,
        read_back=False,
    ),
    "gptbigcode/gguf_names": Case(
        GPTBigCodeForCausalLM,
        GPTBigCodeConfig(**gptbigcode.SIZES | gptbigcode.ONE_LAYER | {"n_inner": None}),
        gptbigcode,
        gptbigcode.right_padded,
        read_back=False,
    ),
    "gptneox/gguf_names": Case(
        GPTNeoXForCausalLM,
        GPTNeoXConfig(**NEOX),
        gptneox,
        gptneox.right_padded,
        read_back=False,  # transformers knows none there
        older={"rotary_pct": 0.25},
    ),
    "gptneox/gguf_names_serial": Case(
        GPTNeoXForCausalLM,
        GPTNeoXConfig(**NEOX | gptneox.SERIAL | gptneox.rope(1.0, theta=10000.0)),
        gptneox,
        gptneox.right_padded,
        read_back=False,
        older={"rotary_pct": 1.0},
    ),
    "t5/gguf_names": Case(
        T5ForConditionalGeneration, T5Config(**T5, **V11), t5, t5.right_padded, adjust=t5.own_head
    ),
    "t5/gguf_names_v10": Case(
        T5ForConditionalGeneration, T5Config(**T5, num_decoder_layers=1), t5, t5.right_padded
    ),
    "llama/gguf_names": Case(
        LlamaForCausalLM,
        LlamaForCausalLM.config_class(
            **LLAMA, **llama.rope("llama3", original_max_position_embeddings=16, **llama.LLAMA3)
        ),
        llama,
        llama.right_padded,
        read_back=False,  # transformers does not take its factors back
    ),
    "llama/gguf_names_biases": Case(
        LlamaForCausalLM,
        LlamaForCausalLM.config_class(**LLAMA, attention_bias=True, tie_word_embeddings=True),
        llama,
        llama.right_padded,
        read_back=False,
    ),
    "llama/gguf_names_qwen2": Case(
        Qwen2ForCausalLM,
        Qwen2ForCausalLM.config_class(**LLAMA),
        llama,
        llama.right_padded,
        read_back=False,
    ),
    "llama/gguf_names_qwen3": Case(
        Qwen3ForCausalLM,
        Qwen3ForCausalLM.config_class(**LLAMA),
        llama,
        llama.right_padded,
        read_back=False,
    ),
    "phi/gguf_names": Case(
        PhiForCausalLM,
        PhiForCausalLM.config_class(**phi.SIZES | {"intermediate_size": 64}),
        phi,
        phi.right_padded,
        read_back=False,  # transformers knows none there, nor of those that follow
    ),
    "phi/gguf_names_phi3": Case(
        Phi3ForCausalLM,
        Phi3ForCausalLM.config_class(**phi.SIZES | phi.SHARED | phi.longrope(16, 0.75)),
        phi,
        phi.right_padded,
        read_back=False,
    ),
    "stablelm/gguf_names": Case(
        StableLmForCausalLM,
        StableLmForCausalLM.config_class(
            **stablelm.SIZES | stablelm.NORMS | stablelm.BIASES | stablelm.rope(0.5)
        ),
        stablelm,
        stablelm.right_padded,
        read_back=False,
    ),
    "stablelm/gguf_names_parallel": Case(
        StableLmForCausalLM,
        StableLmForCausalLM.config_class(
            **stablelm.SIZES | stablelm.PARALLEL | stablelm.rope(0.5)
        ),
        stablelm,
        stablelm.right_padded,
        read_back=False,
    ),
    "starcoder2/gguf_names": Case(
        Starcoder2ForCausalLM,
        Starcoder2ForCausalLM.config_class(**starcoder2.SIZES),
        starcoder2,
        starcoder2.right_padded,
        read_back=False,
    ),
    "llama/gguf_names_smollm3": of(SmolLM3ForCausalLM, llama),
    "llama/gguf_names_ministral3": of(Ministral3ForCausalLM, llama, llama.STEPS),
    "gemma/gguf_names": of(GemmaForCausalLM, gemma, adjust=short_norms),
    "gemma/gguf_names_gemma2": of(
        Gemma2ForCausalLM, gemma, gemma.CAPS, HEAD_SCALE, adjust=short_norms
    ),
    "gemma/gguf_names_gemma3": of(
        Gemma3ForCausalLM,
        gemma,
        HEAD_SCALE,
        {"tie_word_embeddings": False},
        vocabulary=True,
        adjust=short_norms,
    ),
    "gemma/gguf_names_both_ways": of(
        Gemma3TextModel,
        gemma,
        HEAD_SCALE,
        {"use_bidirectional_attention": True},
        vocabulary=True,
        adjust=short_norms,
    ),
    "olmo/gguf_names": of(OlmoForCausalLM, olmo),
    "olmo/gguf_names_olmo2": of(Olmo2ForCausalLM, olmo),
    "olmo/gguf_names_olmo3": of(Olmo3ForCausalLM, olmo),
    "granite/gguf_names": of(GraniteForCausalLM, granite, granite.MULTIPLIERS, granite.TIED),
    "cohere/gguf_names": of(CohereForCausalLM, cohere),
    "cohere/gguf_names_cohere2": of(Cohere2ForCausalLM, cohere, older={"rotary_pct": 1.0}),
    "glm/gguf_names": of(GlmForCausalLM, glm, {"hidden_size": 16, "head_dim": 4}),
    "glm/gguf_names_glm4": of(Glm4ForCausalLM, glm),
    "nemotron/gguf_names": of(
        NemotronForCausalLM, nemotron, nemotron.rope(0.5), adjust=short_norms
    ),
    "nemotron/gguf_names_biases": of(
        NemotronForCausalLM,
        nemotron,
        nemotron.BIASES,
        nemotron.rope(1.0, "linear", factor=2.5),
        adjust=short_norms,
    ),
    "mixtral/gguf_names": of_experts(mixtral, MixtralForCausalLM),
    "mixtral/gguf_names_qwen2": of_experts(mixtral, Qwen2MoeForCausalLM),
    "mixtral/gguf_names_qwen3": of_experts(mixtral, Qwen3MoeForCausalLM, mixtral.NORMAL),
    "mixtral/gguf_names_olmoe": of_experts(
        mixtral, OlmoeForCausalLM, {"num_key_value_heads": None}
    ),
    "gptoss/gguf_names": of_experts(
        gptoss,
        GptOssForCausalLM,
        gptoss.rope("yarn", factor=8.0, original_max_position_embeddings=8),
    ),
    "deepseek/gguf_names": of_experts(
        deepseek, DeepseekV3ForCausalLM, deepseek.TWO_LAYERS | SMALL, adjust=deepseek.biased,
        older={"scoring_func": "sigmoid"},
    ),
    "deepseek/gguf_names_v2": of_experts(deepseek, DeepseekV2ForCausalLM, deepseek.LITE | SMALL),
    "deepseek/gguf_names_yarn": of_experts(
        deepseek, DeepseekV2ForCausalLM, SMALL | YARN, older={"scoring_func": "softmax"}
    ),
    "distilbert/gguf_names": of_encoder(
        DistilBertModel, distilbert, {"activation": "gelu_new"}, distilbert.right_padded
    ),
    "roberta/gguf_names": of_encoder(
        RobertaModel, roberta, {"hidden_act": "gelu_new"}, without_padding,
        build={"add_pooling_layer": False}, adjust=without_padding_rows,
    ),
    "roberta/gguf_names_xlm": of_encoder(
        XLMRobertaModel, roberta, {"hidden_act": "gelu_new"}, without_padding,
        build={"add_pooling_layer": False}, adjust=without_padding_rows,
    ),
    "nomicbert/gguf_names": of_encoder(
        NomicBertModel, nomicbert, {}, encoders.right_padded, older=NOMIC, vocabulary=True
    ),
    "modernbert/gguf_names": of_encoder(
        ModernBertModel,
        modernbert,
        {"num_hidden_layers": 4, "global_attn_every_n_layers": 2},
        modernbert.right_padded,
        older={"global_attn_every_n_layers": 2},
    ),
    "t5/gguf_names_umt5": Case(
        UMT5ForConditionalGeneration,
        UMT5ForConditionalGeneration.config_class(**T5 | {"num_decoder_layers": 1}),
        t5,
        t5.right_padded,
        read_back=False,
    ),
    "t5/gguf_names_encoder": Case(T5EncoderModel, T5Config(**T5, **V11), t5, t5.encoder_padded),
}


def give_what_is_returned(converter):
    """Repairs StableLM's converter, which returns the joined norms from a generator, where they are
    lost."""
    modify = converter.modify_tensors

    def repaired(self, *arguments):
        joined = yield from modify(self, *arguments)
        yield from joined or ()

    converter.modify_tensors = repaired
def with_vocabulary(source, folder, words):
    """A copy beside a tokenizer with so many words."""
    shutil.copytree(source, folder)
    vocabulary = {str(id): id for id in range(words)}
    tokenizer = {"model": {"type": "WordPiece", "vocab": vocabulary}, "added_tokens": []}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    return folder


def write_gguf(source, file, older):
    """By llama.cpp's converter, as f32."""
    hparams = conversion.ModelBase.load_hparams(source, False) | older
    kind = conversion.ModelType.TEXT
    architecture = conversion.get_model_architecture(hparams, kind)
    converter = conversion.get_model_class(architecture)
    if hparams["model_type"] == "stablelm":
        give_what_is_returned(converter)
    converter.set_vocab = lambda self: None
    with torch.inference_mode():
        converter = conversion.get_model_class(architecture)(
            source,
            gguf.LlamaFileType.ALL_F32,
            file,
            eager=True,
            model_name="tiny",
            hparams=hparams,
        )
        getattr(converter, "impl", converter).set_vocab = lambda: None
        converter.write()


def tensors(file):
    """Name to array."""
    return {
        tensor.name: torch.from_numpy(np.array(tensor.data))
        for tensor in gguf.GGUFReader(file).tensors
    }


def check_read_back(case, model, file):
    again = case.model.from_pretrained(
        file.parent, gguf_file=file.name, config=model.config, dtype=torch.float32
    )
    theirs, ours = again.state_dict(), model.state_dict()
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(theirs[name], ours[name]) for name in ours)


def write(name):
    case, folder = CASES[name], FIXTURES / name
    folder.mkdir(parents=True, exist_ok=True)
    case.config._attn_implementation = "eager"
    model = case.model(case.config, **case.build).eval()
    randomise(model, len(name), case.family.centre)
    if case.adjust:
        case.adjust(model)
    write_huggingface(folder, model)
    with tempfile.TemporaryDirectory() as temporary:
        file, source = Path(temporary) / "model.gguf", folder / "huggingface"
        if case.vocabulary:
            source = with_vocabulary(source, Path(temporary) / "source", model.config.vocab_size)
        write_gguf(source, file, case.older)
        save_file(tensors(file), folder / "model.safetensors", metadata={"format": "pt"})
        if case.read_back:
            check_read_back(case, model, file)
    inputs = case.inputs(np.random.default_rng(0), model.config)
    write_golden(folder / "golden.npz", model, inputs, exact_outputs(model, inputs))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{name:36}{size:8} bytes")


if __name__ == "__main__":
    for given in sys.argv[2:] or CASES:
        write(given)
