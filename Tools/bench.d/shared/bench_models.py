"""The models that benchmarks of arithmetic use: published configurations, random weights."""

from pathlib import Path

NAMES = {"bert": "BERT-base", "gpt2": "GPT-2 124M", "t5": "T5-base"}


def build(name):
    """A model of the published configuration. How long a pass takes does not depend on the weights."""
    import transformers as tf

    if name == "bert":
        return tf.BertModel(tf.BertConfig())
    if name == "gpt2":
        return tf.GPT2LMHeadModel(tf.GPT2Config())
    return tf.T5ForConditionalGeneration(tf.T5Config(
        d_model=768, d_ff=3072, num_layers=12, num_heads=12, decoder_start_token_id=0))


def save(names, folder):
    """Makes the models, writes each to a folder of its name, and gives them, in turn."""
    import torch
    import transformers as tf

    tf.logging.disable_progress_bar()
    for number, name in enumerate(names):
        torch.manual_seed(number)
        model = build(name).eval()
        model.save_pretrained(Path(folder, name))
        yield name, model
