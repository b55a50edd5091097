import Models

extension Dialect {
  /// GPT-2 as Apple's mlx-lm stores it (mlx_lm 0.32: models/gpt2.py): Hugging Face's names behind `model.`, and
  /// ordinary linear layers `[out, in]`. The head is the embedding, and not stored.
  static let mlxGPT2 = Dialect(
    name: "mlx",
    architecture: GPT2.name,
    rules: [
      .rename("model.wte", "embeddings.word"),
      .rename("model.wpe", "embeddings.position"),
      .rename("model.h.{i}.ln_1", "decoder.blocks.{i}.attention_norm"),
      .rename("model.h.{i}.ln_2", "decoder.blocks.{i}.feed_forward_norm"),
      .tensor("model.h.{i}.attn.c_attn.weight", .queryKeyValue(".weight")),
      .tensor("model.h.{i}.attn.c_attn.bias", .queryKeyValue(".bias")),
      .rename("model.h.{i}.attn.c_proj", "decoder.blocks.{i}.attention.output"),
      .rename("model.h.{i}.mlp.c_fc", "decoder.blocks.{i}.feed_forward.up"),
      .rename("model.h.{i}.mlp.c_proj", "decoder.blocks.{i}.feed_forward.down"),
      .rename("model.ln_f", "decoder.norm"),
    ],
    limits: gpt2Limits(activation: "gelu_new") + [gpt2InnerWidth, .headOfWords(GPT2.self)],
    evidence: [.name("model.h.0.attn.c_attn.weight")])
}
