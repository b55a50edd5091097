import Models

extension Dialect {
  /// GPT-Neo as Hugging Face transformers stores it (models/gpt_neo/modeling_gpt_neo.py, 5.x).
  ///
  /// Older files have each layer's mask among the weights, with the layer's window.
  static let huggingFaceGPTNeo = Dialect(
    name: "huggingface",
    architecture: GPTNeo.name,
    rules: [
      .rename("transformer.wte", "embeddings.word"),
      .rename("transformer.wpe", "embeddings.position"),
      layer("ln_1", "attention_norm"),
      layer("attn.attention.q_proj", "attention.query"),
      layer("attn.attention.k_proj", "attention.key"),
      layer("attn.attention.v_proj", "attention.value"),
      layer("attn.attention.out_proj", "attention.output"),
      .tensor(
        "transformer.h.{i}.attn.attention.bias",
        .unit(.unit(.weight("decoder.blocks.{i}.attention.causal_mask"), axis: 0), axis: 0)),
      layer("attn.attention.masked_bias", "attention.masked_score"),
      layer("ln_2", "feed_forward_norm"),
      layer("mlp.c_fc", "feed_forward.up"),
      layer("mlp.c_proj", "feed_forward.down"),
      .rename("transformer.ln_f", "decoder.norm"),
      .rename("lm_head", "lm_head"),
      .rename("score", "score"),
      .rename("classifier", "classifier"),
      .rename("qa_outputs", "qa_head"),
    ],
    prefixes: [OptionalPrefix(text: "transformer.") { $0 != "GPTNeoModel" }],
    evidence: [.name("transformer.h.0.attn.attention.q_proj.weight")])

  private static func layer(_ stored: String, _ path: String) -> [Rule] {
    .rename("transformer.h.{i}." + stored, "decoder.blocks.{i}." + path)
  }
}
