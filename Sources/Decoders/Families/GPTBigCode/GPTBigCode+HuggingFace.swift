import Models

extension Dialect {
  /// GPT-BigCode as Hugging Face transformers stores it (models/gpt_bigcode/modeling_gpt_bigcode.py, 5.x):
  /// queries, keys and values are one layer, each head of keys behind the queries that share it.
  static let huggingFaceGPTBigCode = Dialect(
    name: "huggingface",
    architecture: GPTBigCode.name,
    rules: [
      .rename("transformer.wte", "embeddings.word"),
      .rename("transformer.wpe", "embeddings.position"),
      layer("ln_1", "attention_norm"),
      layer("ln_2", "feed_forward_norm"),
      .tensor("transformer.h.{i}.attn.c_attn.weight", .keyHeadByKeyHead(".weight")),
      .tensor("transformer.h.{i}.attn.c_attn.bias", .keyHeadByKeyHead(".bias")),
      layer("attn.c_proj", "attention.output"),
      layer("mlp.c_fc", "feed_forward.up"),
      layer("mlp.c_proj", "feed_forward.down"),
      .rename("transformer.ln_f", "decoder.norm"),
      .rename("lm_head", "lm_head"),
      .rename("score", "score"),
      .rename("classifier", "classifier"),
    ],
    prefixes: [OptionalPrefix(text: "transformer.") { $0 != "GPTBigCodeModel" }],
    evidence: [.name("transformer.h.0.attn.c_attn.weight")])

  private static func layer(_ stored: String, _ path: String) -> [Rule] {
    .rename("transformer.h.{i}." + stored, "decoder.blocks.{i}." + path)
  }
}
