import Models

extension Dialect {
  /// gpt-oss as Hugging Face transformers stores it (models/gpt_oss/modeling_gpt_oss.py, 4.55 to 5.x): the experts
  /// of a layer in one tensor, each matrix `[in, out]`, the columns of gate and up by turns. As published, in
  /// MXFP4, they are `[out, in]`, in blocks along `in`.
  static let huggingFaceGPTOSS = Dialect(
    name: "huggingface",
    architecture: GPTOSS.name,
    rules: [
      .rename("model.embed_tokens", "embeddings.word"),
      layer("self_attn.q_proj", "attention.query"), layer("self_attn.k_proj", "attention.key"),
      layer("self_attn.v_proj", "attention.value"), layer("self_attn.o_proj", "attention.output"),
      layer("self_attn.sinks", "attention.sinks"),
      layer("input_layernorm", "attention_norm"),
      layer("post_attention_layernorm", "feed_forward_norm"),
      layer("mlp.router", "feed_forward.router"),
      experts("gate_up_proj", gateAndUp("weight")),
      .tensor(stored + "gate_up_proj_bias", ofAll(gateAndUp("bias"))),
      experts("down_proj", .weight(expert + "down.weight")),
      .tensor(stored + "down_proj_bias", ofAll(.weight(expert + "down.bias"))),
      .rename("model.norm", "decoder.norm"),
      .rename("lm_head", "lm_head"),
      .with("score.weight", .rename("score", "score")),
      .with("classifier.weight", .rename("score", "classifier")),
    ],
    prefixes: [OptionalPrefix(text: "model.") { $0 != "GptOssModel" }],
    otherEndings: [
      ("experts.gate_up_proj_blocks", "experts.gate_up_proj"),
      ("experts.down_proj_blocks", "experts.down_proj"),
    ],
    evidence: [.name("model.layers.0.mlp.experts.gate_up_proj")])

  private static let stored = "model.layers.{i}.mlp.experts."
  private static let expert = "decoder.blocks.{i}.feed_forward.experts.{e}."

  private static func layer(_ stored: String, _ path: String) -> [Rule] {
    .rename("model.layers.{i}." + stored, "decoder.blocks.{i}." + path)
  }

  /// A matrix of all experts: `[experts, in, out]`, or `[experts, out, blocks, 32]`.
  private static func experts(_ name: String, _ matrix: Layout) -> [Rule] {
    .tensor(
      stored + name, ofAll(.transposed(matrix)), ofAll(.divided(matrix, axis: 1, inner: "block")))
  }

  private static func ofAll(_ layout: Layout) -> Layout {
    .stacked(layout, over: "e", axis: 0)
  }

  /// The rows of gate and up by turns.
  private static func gateAndUp(_ part: String) -> Layout {
    .merged(
      .joined(
        ["gate", "up"].map { .unit(.weight("\(expert)\($0).\(part)"), axis: 1) }, axis: 1),
      axis: 0)
  }
}
