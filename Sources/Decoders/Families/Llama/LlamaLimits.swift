import Kernels
import Models

extension [Limit] {
  /// What Meta's own code computes: models/llama3/model.py. params.json says the rest.
  static let metaLlama: [Limit] = [
    .fact("activation", "\(Activation.silu.rawValue)"),
    .of(Llama<MetaLlama>.self, "head_dim") {
      $0.sizes.headSize * $0.sizes.heads == $0.sizes.width
        ? nil : ("\($0.sizes.headSize) in the config", "hidden_size / num_attention_heads")
    },
    .rotaryScaling(Llama<MetaLlama>.self, known: ["llama3"]),
    .of(Llama<MetaLlama>.self, "llama3's scaling") { model in
      let code = RotaryScaling.llama3(factor: 8, lowFrequency: 1, highFrequency: 4, trained: 8192)
      guard case .llama3 = model.rotary.scaling, model.rotary.scaling != code else { return nil }
      return ("\(model.rotary.scaling.numbers) in the config", code.numbers)
    },
    .headOfWords(Llama<MetaLlama>.self),
  ]

  /// What llama.cpp computes for a member: src/models/llama.cpp, mistral3.cpp, qwen2.cpp, qwen3.cpp,
  /// smollm3.cpp, and what
  /// src/llama-context.cpp makes of scaled frequencies. The metadata of a GGUF file say the rest.
  static func llamaCpp<Member: LlamaMember>(_: Member.Type) -> [Limit] {
    let readsFactors = Member.self == MetaLlama.self || Member.self == Mistral.self
    return [
      .fact("activation", "\(Activation.silu.rawValue)"),
      .noWindow(Llama<Member>.self),
      .rotaryScaling(
        Llama<Member>.self,
        known: ["linear", "yarn"] + (readsFactors ? ["llama3", "longrope"] : [])),
      .longRoPEByContext(Llama<Member>.self),
      .truncatedYaRN(Llama<Member>.self),
      .of(Llama<Member>.self, "the bias of attention's output") {
        $0.variant.outputBias && (Member.self == Qwen3.self || Member.self == SmolLM3.self)
          ? ("a part of the model", "not known") : nil
      },
      .of(Llama<Member>.self, "mlp_bias") {
        $0.variant.feedForwardBias && Member.self == SmolLM3.self
          ? ("true in the config", "false") : nil
      },
      // src/llama-context.cpp, of whatever says a weight.
      .of(Llama<Member>.self, "mscale") { model in
        guard case .yarn(let yarn) = model.rotary.scaling, yarn.mscaleAllDimensions != nil,
          let mscale = yarn.mscale, mscale != 1
        else { return nil }
        return ("\(mscale) in the config", "1")
      },
      .of(Llama<Member>.self, "no_rope_layers") { model in
        guard let turned = model.variant.turned else { return nil }
        let isUsual = turned.enumerated().allSatisfy { !($0 + 1).isMultiple(of: 4) == $1 }
        return isUsual ? nil : ("others in the config", "0 for every fourth layer")
      },
    ]
  }
}

extension RotaryScaling {
  /// The numbers of llama3's scaling.
  fileprivate var numbers: String {
    guard case .llama3(let factor, let low, let high, let trained) = self else { return name }
    return "factor \(factor), between \(low) and \(high), of \(trained) positions"
  }
}
