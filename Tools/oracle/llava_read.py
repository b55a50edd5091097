"""Writes Fixtures/llava/read, a text with a picture as transformers' processor reads it: python Tools/oracle/llava_read.py"""

import json

import numpy as np
from clip_openclip import LIBRARY  # noqa: F401 (before transformers, which imports torchvision)
from exact import FIXTURES
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
from transformers import CLIPImageProcessorPil, LlavaProcessor, PreTrainedTokenizerFast
from transformers.image_utils import load_image

import encoders
import fixture
from llava import IMAGE, LOGITS, Case, config, count

TEXT = "w3 <image> w5 w2"
PICTURE = FIXTURES / "pictures" / "420.jpg"


def processor():
    """What makes tokens of words `w0`, `w1`, …, and numbers of a picture."""
    words = Tokenizer(models.WordLevel({f"w{n}": n for n in range(IMAGE) }, unk_token="w0"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words.add_special_tokens([AddedToken("<image>", special=True)])
    words = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="w0")
    return LlavaProcessor(
        CLIPImageProcessorPil(size={"shortest_edge": 6}, crop_size={"height": 6, "width": 6}),
        words,
        patch_size=2,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )


def read(random, config):
    """What transformers makes of a text and a picture."""
    found = processor()(images=load_image(str(PICTURE)), text=TEXT, return_tensors="np")
    ids = found["input_ids"].astype(np.int64)
    assert (ids == IMAGE).sum() == count(config)
    return {
        "input_ids": ids,
        "attention_mask": found["attention_mask"].astype(np.int64),
        "pixel_values": np.asarray(found["pixel_values"], dtype=np.float64),
    }


def with_processor(folder):
    own = processor()
    own.tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    settings = own.image_processor.to_dict()
    settings["image_processor_type"] = "CLIPImageProcessor"
    (folder / "preprocessor_config.json").write_text(json.dumps(settings, indent=2) + "\n")


if __name__ == "__main__":
    cases = {"read": Case(inputs=read, edit=with_processor, keep=LOGITS, generate=6)}
    fixture.main(fixture.Family("llava", config, cases, encoders.centre))
