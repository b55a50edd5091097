import Models

extension ToyMember {
  static var dialects: [Dialect] { [joined, apart] }

  /// Query, key and value in one matrix, every matrix `[in, out]`.
  private static var joined: Dialect {
    let block = "decoder.blocks.{i}."
    func matrix(_ stored: String, _ path: String) -> [Rule] {
      .tensor("h.{i}.\(stored).kernel", .transposed(.weight(block + path + ".weight")))
        + .tensor("h.{i}.\(stored).offset", .weight(block + path + ".bias"))
    }
    func parts(_ ending: String) -> Layout {
      let parts = ["query", "key", "value"]
      return .joined(parts.map { .weight(block + "attention." + $0 + ending) }, axis: 0)
    }
    return Dialect(
      name: "joined", architecture: name,
      rules: [
        .tensor("words", .weight("embeddings.word.weight")),
        .tensor("h.{i}.qkv.kernel", .transposed(parts(".weight"))),
        .tensor("h.{i}.qkv.offset", parts(".bias")),
        matrix("out", "attention.output"), matrix("gate", "feed_forward.gate"),
        matrix("up", "feed_forward.up"), matrix("down", "feed_forward.down"),
        .tensor("h.{i}.gain", .weight(block + "norm.weight")),
        .tensor("gain", .weight("decoder.norm.weight")),
        .tensor("scores", .transposed(.weight("lm_head.weight"))),
      ],
      evidence: [.name("h.0.qkv.kernel")])
  }

  /// Every weight by itself; the head is written although it is tied.
  private static var apart: Dialect {
    Dialect(
      name: "apart", architecture: name,
      rules: [
        .rename("model.words", "embeddings.word"),
        .rename("model.norm", "decoder.norm"),
        .rename("model.scores", "lm_head", writesTie: .always),
      ]
        + ["norm", "attention", "feed_forward"].flatMap { module in
          ["", ".query", ".key", ".value", ".output", ".gate", ".up", ".down"].map { part in
            .rename("model.{i}.\(module)\(part)", "decoder.blocks.{i}.\(module)\(part)")
          }
        },
      evidence: [.name("model.0.attention.query.weight")])
  }
}
