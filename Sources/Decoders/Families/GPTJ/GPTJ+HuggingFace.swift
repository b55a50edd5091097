import Models

extension Dialect {
  /// GPT-J as Hugging Face transformers stores it (models/gptj/modeling_gptj.py, 5.x).
  ///
  /// Older files have each layer's mask among the weights.
  static let huggingFaceGPTJ = Dialect(
    name: "huggingface",
    architecture: GPTJ.name,
    rules: [
      .rename("transformer.wte", "embeddings.word"),
      layer("ln_1", "attention_norm"),
      layer("attn.q_proj", "attention.query"),
      layer("attn.k_proj", "attention.key"),
      layer("attn.v_proj", "attention.value"),
      layer("attn.out_proj", "attention.output"),
      .tensor(
        "transformer.h.{i}.attn.bias",
        .unit(.unit(.weight("decoder.blocks.{i}.attention.causal_mask"), axis: 0), axis: 0)),
      layer("attn.masked_bias", "attention.masked_score"),
      layer("mlp.fc_in", "feed_forward.up"),
      layer("mlp.fc_out", "feed_forward.down"),
      .rename("transformer.ln_f", "decoder.norm"),
      .rename("lm_head", "lm_head"),
      .rename("score", "score"),
      .rename("qa_outputs", "qa_head"),
    ],
    prefixes: [OptionalPrefix(text: "transformer.") { $0 != "GPTJModel" }],
    evidence: [.name("transformer.h.0.attn.q_proj.weight")])

  private static func layer(_ stored: String, _ path: String) -> [Rule] {
    .rename("transformer.h.{i}." + stored, "decoder.blocks.{i}." + path)
  }
}
