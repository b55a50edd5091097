import Models
import TensorCore

extension Dialect {
  /// MPT under the tensor names of GGUF (gguf's `tensor_mapping`, architecture `mpt`; llama.cpp:
  /// conversion/mpt.py).
  static let ggufMPT = Dialect(
    name: "gguf",
    architecture: MPT.name,
    rules: [
      .rename("token_embd", "embeddings.word"),
      .ggufBlock("attn_norm", "attention_norm"),
      .tensor("blk.{i}.attn_qkv.weight", .partByPart(".weight")),
      .ggufBlock("attn_output", "attention.output"),
      .ggufBlock("ffn_norm", "feed_forward_norm"),
      .ggufBlock("ffn_up", "feed_forward.up"),
      .ggufBlock("ffn_down", "feed_forward.down"),
      .rename("output_norm", "decoder.norm"),
      .rename("output", "lm_head"),
    ],
    nativeConfig: .ggufMPT,
    limits: .llamaCppMPT,
    evidence: [.name("blk.0.attn_qkv.weight")],
    ownFiles: .gguf)
}

extension [Limit] {
  /// What llama.cpp computes: src/models/mpt.cpp, whose `gelu` is the tanh form. It looks at
  /// `alibi_bias_max`, which conversion/mpt.py writes.
  fileprivate static let llamaCppMPT: [Limit] = [
    Limit("activation") { _ in ("gelu", "gelu_new") },
    .of(MPT.self, "softmax_scale") { model in
      model.form.blocks.compactMap(\.attention.scale).first.map {
        ("\($0) in the config", "1/√(the size of a head)")
      }
    },
    .of(MPT.self, "alibi_bias_max") {
      $0.biasMax == 8 ? nil : ("8 whatever the config says", "\($0.biasMax), as it says,")
    },
  ]
}

extension NativeConfig {
  /// The key-values of MPT.
  fileprivate static let ggufMPT = NativeConfig.gguf(
    GGUFConfig<MPT>(
      architecture: "mpt", className: "MptForCausalLM",
      names: [
        "block_count": "n_layers", "embedding_length": "d_model",
        "attention.head_count": "n_heads", "attention.layer_norm_epsilon": "layer_norm_epsilon",
        "context_length": "max_seq_len",
      ],
      facts: { facts throws(CheckpointError) in
        let key = "attention.max_alibi_bias"
        guard let biasMax = facts.whole(key), biasMax > 0 else {
          throw CheckpointError(
            .unsupported(
              "metadata: mpt.\(key) is \(facts[key]?.text() ?? "missing"): MPT without ALiBi is"
                + " not supported"))
        }
        let bound = facts["attention.clamp_kqv"] ?? .null
        let attention: JSONValue = [
          "alibi": true, "alibi_bias_max": .number(biasMax), "clip_qkv": bound,
        ]
        return [.init("attn_config", attention)]
      },
      values: { model, _ in
        let bound = model.form.blocks.first?.attention.bound
        return [.init("attention.max_alibi_bias", .double(Double(model.biasMax)))]
          + (bound.map { [.init("attention.clamp_kqv", .double($0))] } ?? [])
      }))
}
