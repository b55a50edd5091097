import Models

extension Dialect {
  /// XLNet as Hugging Face transformers stores it (models/xlnet/modeling_xlnet.py, 5.x).
  ///
  /// Matrices of heads are `[in, heads, size]`, that of the output `[out, heads, size]`.
  static let huggingFaceXLNet = Dialect(
    name: "huggingface",
    architecture: XLNet.name,
    rules: [
      .rename("transformer.word_embedding", "embeddings.word"),
      .tensor(
        "transformer.mask_emb", .unit(.unit(.weight("embeddings.unknown.weight"), axis: 0), axis: 0)
      ),
      heads("q", "query"), heads("k", "key"), heads("v", "value"), heads("r", "position"),
      .tensor(
        attention + "o",
        .divided(.weight(block + "attention.output.weight"), axis: 1, inner: "head_size")),
      .tensor(attention + "r_w_bias", .weight(block + "attention.content_bias")),
      .tensor(attention + "r_r_bias", .weight(block + "attention.position_bias")),
      .tensor(attention + "r_s_bias", .weight(block + "attention.kind_bias")),
      .tensor(attention + "seg_embed", .weight(block + "attention.kinds")),
      .encoderBlocks(
        "transformer.layer.{i}.",
        [
          "rel_attn.layer_norm": "attention_norm", "ff.layer_norm": "feed_forward_norm",
          "ff.layer_1": "feed_forward.up", "ff.layer_2": "feed_forward.down",
        ]),
      .rename("lm_loss", "lm_head"),
      .rename("sequence_summary.summary", "summary"),
      .rename("logits_proj", "score"),
      .rename("classifier", "classifier"),
      .rename("qa_outputs", "qa_head"),
    ],
    prefixes: [OptionalPrefix(text: "transformer.") { $0 != XLNetHead.base.rawValue }],
    evidence: [.name("transformer.mask_emb")])

  private static let attention = "transformer.layer.{i}.rel_attn."
  private static let block = "encoder.blocks.{i}."

  private static func heads(_ stored: String, _ path: String) -> [Rule] {
    .tensor(
      attention + stored,
      .divided(
        .transposed(.weight("\(block)attention.\(path).weight")), axis: 1, inner: "head_size"))
  }
}
