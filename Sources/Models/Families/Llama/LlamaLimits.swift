import Kernels

extension [Limit] {
  /// What Meta's own code computes: models/llama3/model.py. params.json says the rest.
  static let metaLlama: [Limit] = [
    .fact("activation", "\(Activation.silu.rawValue)"),
    .of(Llama<MetaLlama>.self, "head_dim") {
      $0.headSize * $0.heads == $0.width
        ? nil : ("\($0.headSize) in the config", "hidden_size / num_attention_heads")
    },
    .of(Llama<MetaLlama>.self, "rope_type") { model in
      switch model.rotary.scaling {
      case .none, .llama3: nil
      case let other: ("\(other.name) in the config", "not known")
      }
    },
    .of(Llama<MetaLlama>.self, "llama3's scaling") { model in
      let code = RotaryScaling.llama3(factor: 8, lowFrequency: 1, highFrequency: 4, trained: 8192)
      guard case .llama3 = model.rotary.scaling, model.rotary.scaling != code else { return nil }
      return ("\(model.rotary.scaling.numbers) in the config", code.numbers)
    },
    .of(Llama<MetaLlama>.self, "the head") {
      $0.task == .base
        ? ("no part of the model", "always there and wanted in the file") : nil
    },
  ]

  /// What llama.cpp computes for a member: src/models/llama.cpp, qwen2.cpp, qwen3.cpp, and what
  /// src/llama-context.cpp makes of scaled frequencies. The metadata of a GGUF file say the rest.
  static func llamaCpp<Member: LlamaMember>(_: Member.Type) -> [Limit] {
    [
      .fact("activation", "\(Activation.silu.rawValue)"),
      .of(Llama<Member>.self, "sliding_window") { model in
        let windows = model.variant.windows.compactMap(\.self)
        guard let first = windows.first else { return nil }
        return ("\(first) in \(windows.count) of \(model.layers) layers", "none")
      },
      .of(Llama<Member>.self, "rope_type") { model in
        let readsFactors = Member.self == MetaLlama.self || Member.self == Mistral.self
        return switch model.rotary.scaling {
        case .none, .linear, .yarn: nil
        case .llama3 where readsFactors, .longRoPE where readsFactors: nil
        case let other: ("\(other.name) in the config", "not known")
        }
      },
      .of(Llama<Member>.self, "longrope") {
        guard case .longRoPE = $0.rotary.scaling else { return nil }
        return ("chosen by the length of the text", "by the size of the context")
      },
      .of(Llama<Member>.self, "truncate") {
        guard case .yarn(let yarn) = $0.rotary.scaling, !yarn.truncates else { return nil }
        return ("false in the config", "true")
      },
      .of(Llama<Member>.self, "the bias of attention's output") {
        Member.self == Qwen3.self && $0.variant.outputBias
          ? ("a part of the model", "not known") : nil
      },
    ]
  }
}

extension RotaryScaling {
  /// What configs call it.
  fileprivate var name: String {
    switch self {
    case .none: "default"
    case .linear: "linear"
    case .dynamic: "dynamic"
    case .llama3: "llama3"
    case .yarn: "yarn"
    case .longRoPE: "longrope"
    case .proportional: "proportional"
    }
  }

  /// The numbers of llama3's scaling.
  fileprivate var numbers: String {
    guard case .llama3(let factor, let low, let high, let trained) = self else { return name }
    return "factor \(factor), between \(low) and \(high), of \(trained) positions"
  }
}
