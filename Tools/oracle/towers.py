"""What the scripts of models of texts and pictures share: texts that end, pictures, sizes."""

import numpy as np

import images

END = 15  # the id at the end of a text, of 17

TEXT = {
    "vocab_size": 17,
    "hidden_size": 8,
    "num_attention_heads": 2,
    "intermediate_size": 5,
    "num_hidden_layers": 2,
    "max_position_embeddings": 11,
    "bos_token_id": 14,
    "eos_token_id": END,
}
VISION = images.SIZES | {"intermediate_size": 5}


def texts(random, config, end=END):
    """Three texts, of which the end is not where padding begins, and one has another one in its padding."""
    config = getattr(config, "text_config", config)
    lengths = np.array([7, 5, 3])
    mask = (np.arange(7) < lengths[:, None]).astype(np.int64)
    ids = random.integers(0, END - 1, mask.shape)
    ids[np.arange(3), [6, 3, 2]] = end
    ids[2, 5] = end
    return {"input_ids": ids, "attention_mask": mask}


def unmasked(random, config):
    """Texts as most pass them: nothing says what is padding."""
    return {"input_ids": texts(random, config)["input_ids"]}


def placed(random, config):
    """Texts with positions of their own."""
    ids = texts(random, config)["input_ids"]
    return {"input_ids": ids, "position_ids": random.permutation(11)[None, :7]}


def both(random, config):
    """Texts, and pictures, which are fewer."""
    return texts(random, config) | images.pictures(random, config.vision_config, 2)


def pictures(random, config):
    return images.pictures(random, getattr(config, "vision_config", config), 2)
