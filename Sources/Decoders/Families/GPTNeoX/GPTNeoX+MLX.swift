import Models
import TensorCore

extension Dialect {
  /// GPT-NeoX as Apple's mlx-lm stores it (mlx_lm 0.32: models/gpt_neox.py): its layers are `model.h`.
  static let mlxGPTNeoX = Dialect(
    name: "mlx",
    architecture: GPTNeoX.name,
    rules: [
      .rename("model.embed_in", "embeddings.word"),
      layer("input_layernorm", "attention_norm"),
      layer("post_attention_layernorm", "feed_forward_norm"),
      .tensor("model.h.{i}.attention.query_key_value.weight", .keyHeadByKeyHead(".weight")),
      .tensor("model.h.{i}.attention.query_key_value.bias", .keyHeadByKeyHead(".bias")),
      layer("attention.dense", "attention.output"),
      layer("mlp.dense_h_to_4h", "feed_forward.up"),
      layer("mlp.dense_4h_to_h", "feed_forward.down"),
      .rename("model.final_layer_norm", "decoder.norm"),
      .rename("model.embed_out", "lm_head", writesTie: .always),
    ],
    limits: [
      .fact("activation", "gelu_new"),
      .rotaryScaling(GPTNeoX.self, known: []),
      .evenRotaryPart(GPTNeoX.self),
      .gptNeoXHasBiases,
      .of(GPTNeoX.self, "intermediate_size") { model in
        let usual = 4 * model.form.width
        let other = model.form.blocks.map(\.feedForward.hidden).first { $0 != usual }
        return other.map { ("\($0) in the config", "4 × hidden_size, \(usual),") }
      },
      Limit("rotary_emb_base") { graph in
        graph.config["rotary_emb_base"] == nil || graph.config["rotary_pct"] == nil
          ? ("in rope_parameters of the config", "read beside rotary_pct alone") : nil
      },
      .headOfWords(GPTNeoX.self),
    ],
    evidence: [.name("model.h.0.attention.query_key_value.weight")])

  private static func layer(_ stored: String, _ path: String) -> [Rule] {
    .rename("model.h.{i}." + stored, "decoder.blocks.{i}." + path)
  }
}

extension Limit {
  /// Attention has biases.
  static let gptNeoXHasBiases = Limit.of(GPTNeoX.self, "attention_bias") { model in
    model.form.blocks.allSatisfy(\.attention.hasBias) ? nil : ("false in the config", "true")
  }
}
