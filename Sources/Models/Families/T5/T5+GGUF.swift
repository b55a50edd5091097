import Kernels

extension Dialect {
  /// T5 under the tensor names of GGUF (gguf's `tensor_mapping`, architecture `t5`): nothing is
  /// transposed, `ffn_gate` is `wi_0` of gated models, and `ffn_up` is `wi` or `wi_1`. What llama.cpp
  /// computes stands in src/models/t5.cpp and in llama_relative_position_bucket of src/llama-graph.cpp.
  static let ggufT5 = Dialect(
    name: "gguf",
    architecture: "t5",
    rules: [
      .rename("token_embd", "embeddings.word"),
      ggufStack("enc", "encoder"),
      ggufStack("dec", "decoder"),
      .rename("output", "lm_head"),
    ],
    limits: [
      .fact("relative_attention_max_distance", "128"), .fact("scale_decoder_outputs", "false"),
      .of(T5.self, "activation") {
        let code = $0.isGated ? Activation.geluTanh : .relu
        return $0.activation == code
          ? nil : ("\($0.activation.rawValue) in the config", code.rawValue)
      },
    ],
    evidence: [.name("enc.blk.0.attn_q.weight")],
    ownFiles: .gguf)

  private static func ggufStack(_ stored: String, _ stack: String) -> [Rule] {
    func layer(_ name: String, _ path: String) -> [Rule] {
      .rename("\(stored).blk.{i}.\(name)", "\(stack).blocks.{i}.\(path)")
    }
    func attention(_ name: String, _ path: String) -> [Rule] {
      layer(name + "_q", path + ".query") + layer(name + "_k", path + ".key")
        + layer(name + "_v", path + ".value") + layer(name + "_o", path + ".output")
    }
    return layer("attn_norm", "attention_norm") + attention("attn", "attention")
      + layer("cross_attn_norm", "cross_attention_norm")
      + attention("cross_attn", "cross_attention")
      + .rename("\(stored).blk.0.attn_rel_b", "\(stack).relative_bias")
      + layer("ffn_norm", "feed_forward_norm") + layer("ffn_gate", "feed_forward.gate")
      + layer("ffn_up", "feed_forward.up") + layer("ffn_down", "feed_forward.down")
      + .rename("\(stored).output_norm", "\(stack).norm")
  }
}
