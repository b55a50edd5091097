import Models

extension Dialect {
  /// GPT-1 as Hugging Face transformers stores it (models/openai/modeling_openai.py, 5.x).
  ///
  /// Its `Conv1D` layers are `[in, out]`, and queries, keys and values are one layer's columns. Older
  /// files have each layer's mask among the weights.
  static let huggingFaceGPT1 = Dialect(
    name: "huggingface",
    architecture: GPT1.name,
    rules: [
      .rename("transformer.tokens_embed", "embeddings.word"),
      .rename("transformer.positions_embed", "embeddings.position"),
      .tensor("transformer.h.{i}.attn.c_attn.weight", .transposed(queryKeyValue(".weight"))),
      .tensor("transformer.h.{i}.attn.c_attn.bias", queryKeyValue(".bias")),
      .tensor(
        "transformer.h.{i}.attn.bias",
        .unit(.unit(.weight("decoder.blocks.{i}.attention.causal_mask"), axis: 0), axis: 0)),
      conv1D("attn.c_proj", "attention.output"),
      .rename("transformer.h.{i}.ln_1", "decoder.blocks.{i}.attention_norm"),
      conv1D("mlp.c_fc", "feed_forward.up"),
      conv1D("mlp.c_proj", "feed_forward.down"),
      .rename("transformer.h.{i}.ln_2", "decoder.blocks.{i}.feed_forward_norm"),
      .rename("lm_head", "lm_head"),
      .rename("score", "score"),
      .rename("multiple_choice_head.summary", "choice_head"),
    ],
    prefixes: [OptionalPrefix(text: "transformer.") { $0 != "OpenAIGPTModel" }],
    evidence: [.name("transformer.positions_embed.weight")])

  private static func queryKeyValue(_ ending: String) -> Layout {
    .joined(
      ["query", "key", "value"].map { .weight("decoder.blocks.{i}.attention.\($0)\(ending)") },
      axis: 0)
  }

  private static func conv1D(_ stored: String, _ path: String) -> [Rule] {
    .tensor(
      "transformer.h.{i}.\(stored).weight",
      .transposed(.weight("decoder.blocks.{i}.\(path).weight")))
      + .tensor("transformer.h.{i}.\(stored).bias", .weight("decoder.blocks.{i}.\(path).bias"))
  }
}
