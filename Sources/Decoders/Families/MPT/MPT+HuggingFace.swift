import Models

extension Dialect {
  /// MPT as Hugging Face transformers and llm-foundry store it (models/mpt/modeling_mpt.py, 5.x): queries,
  /// keys and values are one layer, block behind block.
  static let huggingFaceMPT = Dialect(
    name: "huggingface",
    architecture: MPT.name,
    rules: [
      .rename("transformer.wte", "embeddings.word"),
      layer("norm_1", "attention_norm"),
      layer("norm_2", "feed_forward_norm"),
      .tensor("transformer.blocks.{i}.attn.Wqkv.weight", .partByPart(".weight")),
      layer("attn.out_proj", "attention.output"),
      layer("ffn.up_proj", "feed_forward.up"),
      layer("ffn.down_proj", "feed_forward.down"),
      .rename("transformer.norm_f", "decoder.norm"),
      .rename("lm_head", "lm_head"),
      .rename("score", "score"),
      .rename("classifier", "classifier"),
      .rename("qa_outputs", "qa_head"),
    ],
    prefixes: [OptionalPrefix(text: "transformer.") { $0 != "MptModel" }],
    evidence: [.name("transformer.norm_f.weight")])

  private static func layer(_ stored: String, _ path: String) -> [Rule] {
    .rename("transformer.blocks.{i}." + stored, "decoder.blocks.{i}." + path)
  }
}
