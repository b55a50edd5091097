"""The models that benchmarks of arithmetic use: published configurations, random weights."""

from pathlib import Path

NAMES = {"bert": "BERT-base", "gpt2": "GPT-2 124M", "t5": "T5-base", "llama": "Llama 3.2 1B",
         "vit": "ViT-L/16", "whisper": "Whisper small"}
# Llama takes 5 GB on disk, and as much again in the memory of each side; ViT and Whisper a fifth of that.
USUAL = ["bert", "gpt2", "t5"]


def build(name):
    """A model of the published configuration. How long a pass takes does not depend on the weights."""
    import transformers as tf

    if name == "bert":
        return tf.BertModel(tf.BertConfig())
    if name == "gpt2":
        return tf.GPT2LMHeadModel(tf.GPT2Config())
    if name == "llama":
        return tf.LlamaForCausalLM(tf.LlamaConfig(
            vocab_size=128256, hidden_size=2048, intermediate_size=8192, num_hidden_layers=16,
            num_attention_heads=32, num_key_value_heads=8, head_dim=64, rms_norm_eps=1e-5,
            max_position_embeddings=131072, tie_word_embeddings=True,
            rope_parameters={"rope_type": "llama3", "rope_theta": 500000.0, "factor": 32.0,
                             "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                             "original_max_position_embeddings": 8192}))
    if name == "vit":
        return tf.ViTModel(tf.ViTConfig(
            hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096))
    if name == "whisper":
        return tf.WhisperForConditionalGeneration(tf.WhisperConfig(
            d_model=768, encoder_layers=12, decoder_layers=12, encoder_attention_heads=12,
            decoder_attention_heads=12, encoder_ffn_dim=3072, decoder_ffn_dim=3072))
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
