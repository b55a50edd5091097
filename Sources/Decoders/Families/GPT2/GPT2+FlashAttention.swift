import Models

extension Dialect {
  /// GPT-2 as the package flash_attn names it (Dao-AILab/flash-attention: flash_attn/models/gpt.py, 2.8): ordinary linear
  /// layers `[out, in]`, and a head that is stored although it is tied.
  static let flashAttentionGPT2 = Dialect(
    name: "flash-attn",
    architecture: GPT2.name,
    rules: [
      .rename("transformer.embeddings.word_embeddings", "embeddings.word"),
      .rename("transformer.embeddings.position_embeddings", "embeddings.position"),
      .rename("transformer.layers.{i}.norm1", "decoder.blocks.{i}.attention_norm"),
      .rename("transformer.layers.{i}.norm2", "decoder.blocks.{i}.feed_forward_norm"),
      .tensor("transformer.layers.{i}.mixer.Wqkv.weight", .queryKeyValue(".weight")),
      .tensor("transformer.layers.{i}.mixer.Wqkv.bias", .queryKeyValue(".bias")),
      .rename("transformer.layers.{i}.mixer.out_proj", "decoder.blocks.{i}.attention.output"),
      .rename("transformer.layers.{i}.mlp.fc1", "decoder.blocks.{i}.feed_forward.up"),
      .rename("transformer.layers.{i}.mlp.fc2", "decoder.blocks.{i}.feed_forward.down"),
      .rename("transformer.ln_f", "decoder.norm"),
      .rename("lm_head", "lm_head", writesTie: .always),
    ],
    limits: [.activation("gelu", "gelu_new", "relu"), .headOfWords(GPT2.self)],
    evidence: [.name("transformer.layers.0.mixer.Wqkv.weight")])
}
