import Kernels
import Models
import TensorCore

extension Dialect {
  /// The members that LitGPT knows, as it stores them.
  static let litGPTLlama: [Dialect] =
    litGPTLlama(MetaLlama.self) + litGPTLlama(Mistral.self) + litGPTLlama(Qwen2.self)
    + litGPTLlama(Qwen3.self)

  private static func litGPTLlama<Member: LlamaMember>(_: Member.Type) -> [Dialect] {
    litGPT(
      Llama<Member>.self,
      feedForward: [
        "mlp.fc_1": "feed_forward.gate", "mlp.fc_2": "feed_forward.up",
        "mlp.proj": "feed_forward.down",
      ],
      limits: [
        .fact("activation", "\(Activation.silu.rawValue)"),
        .rotaryScaling(Llama<Member>.self, known: ["llama3"]),
        .of(Llama<Member>.self, "what has biases") { model in
          let variant = model.variant
          return variant.outputBias == variant.feedForwardBias
            ? nil : ("not the same for attention's output and mlp", "the same for both")
        },
      ],
      config: { $0.litGPTMembers })
  }
}

extension Llama {
  /// What model_config.yaml says of a member.
  fileprivate var litGPTMembers: [JSONValue.Member] {
    var members: [JSONValue.Member] = [
      .init("norm_class_name", "RMSNorm"), .init("mlp_class_name", "LLaMAMLP"),
      .init("parallel_residual", false), .init("bias", .bool(variant.outputBias)),
      .init("attn_bias", .bool(variant.inputBias)), .init("norm_qk", .bool(variant.hasHeadNorms)),
    ]
    if let window = variant.windows.compactMap(\.self).first {
      members += [
        .init("sliding_window_size", .number(window)),
        .init("sliding_window_indices", .array(variant.windows.map { $0 == nil ? 0 : 1 })),
      ]
    }
    if case .llama3(let factor, let low, let high, let trained) = rotary.scaling {
      members.append(
        .init(
          "rope_adjustments",
          [
            "factor": .double(factor), "low_freq_factor": .double(low),
            "high_freq_factor": .double(high), "original_max_seq_len": .number(trained),
          ]))
    }
    return members
  }
}
