import Models

extension Dialect {
  /// CodeGen as Hugging Face transformers stores it (models/codegen/modeling_codegen.py, 5.x).
  ///
  /// The projection has four parts. Each has the queries of a quarter of the heads, then their values, then
  /// their keys. Older files have each layer's mask among the weights.
  static let huggingFaceCodeGen = Dialect(
    name: "huggingface",
    architecture: CodeGen.name,
    rules: [
      .rename("transformer.wte", "embeddings.word"),
      layer("ln_1", "attention_norm"),
      .tensor("transformer.h.{i}.attn.qkv_proj.weight", queryValueKey),
      layer("attn.out_proj", "attention.output"),
      .tensor(
        "transformer.h.{i}.attn.causal_mask",
        .unit(.unit(.weight("decoder.blocks.{i}.attention.causal_mask"), axis: 0), axis: 0)),
      layer("mlp.fc_in", "feed_forward.up"),
      layer("mlp.fc_out", "feed_forward.down"),
      .rename("transformer.ln_f", "decoder.norm"),
      .rename("lm_head", "lm_head"),
    ],
    prefixes: [OptionalPrefix(text: "transformer.") { $0 != "CodeGenModel" }],
    evidence: [.name("transformer.h.0.attn.qkv_proj.weight")])

  private static let queryValueKey = Layout.merged(
    .joined(
      ["query", "value", "key"].map {
        .divided(
          .weight("decoder.blocks.{i}.attention.\($0).weight"), axis: 0, inner: "part_width")
      }, axis: 1), axis: 0)

  private static func layer(_ stored: String, _ path: String) -> [Rule] {
    .rename("transformer.h.{i}." + stored, "decoder.blocks.{i}." + path)
  }
}
