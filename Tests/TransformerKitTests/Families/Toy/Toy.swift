import Kernels
import Models
import TensorCore

extension Family {
  /// A family that lives in this folder alone, to show that nothing else has to know it: a causal decoder
  /// whose attention and feed-forward network read the same normalised vectors, with positions that turn a
  /// part of each head, and heads that share keys.
  static let toy = Family(
    members: [Toy<ToyPairs>.self, Toy<ToyHalves>.self],
    dialects: ToyPairs.dialects + ToyHalves.dialects)
}

/// The decoder of all members, with its head.
struct Toy<Member: ToyMember>: Architecture {
  static var name: String { Member.name }

  let vocabulary: Int
  let width: Int
  let layers: Int
  let heads: Int
  let keyHeads: Int
  let headSize: Int
  let hidden: Int
  let activation: Activation
  let epsilon: Double
  let rotary: RotarySettings
  let endTokens: [Int]
  let head: String

  init(config: inout ConfigReader, isStored: (String) -> Bool) {
    vocabulary = config.count("vocab_size", default: 40, on: .weights)
    width = config.count("hidden_size", default: 24, on: .weights)
    layers = config.count(
      "num_hidden_layers", default: 2, limit: ConfigReader.mostLayers, minimum: 0, on: .weights)
    heads = config.count("num_attention_heads", default: 4, on: .outputs(as: "heads"))
    keyHeads = config.count("num_key_value_heads", default: 2, on: .weights)
    headSize = config.count("head_dim", default: 8, on: .weights)
    hidden = config.count("intermediate_size", default: 20, on: .weights)
    activation = config.activation("hidden_act", default: .silu)
    epsilon = config.epsilon("rms_norm_eps", default: 1e-5)
    rotary = config.rotary(RotaryDefaults(fraction: 0.5, headSize: headSize, positions: 64))
    endTokens = config.tokens("eos_token_id", default: [], on: .nothing)
    head = config.head([("ToyForCausalLM", "ToyForCausalLM")]) { "ToyForCausalLM" }
    if config.faults.isEmpty, !heads.isMultiple(of: keyHeads) {
      config.reject("\(heads) heads cannot share \(keyHeads)")
    }
  }

  var inputs: [InputSlot] {
    [.ids("input_ids", below: vocabulary), .mask("attention_mask"), .positions("position_ids")]
  }

  var generation: GenerationRules? {
    GenerationRules(
      ids: "input_ids", mask: "attention_mask", endTokens: endTokens, padToken: nil)
  }

  func stages<Scalar: ComputeScalar>(_: Scalar.Type) -> [Stage<Scalar>] {
    [embeddings()] + (0..<layers).map(block) + [
      norm(),
      .languageModel(of: "hidden", width: width, vocabulary: vocabulary, isTied: true),
    ]
  }

  private func embeddings<Scalar>() -> Stage<Scalar> {
    Stage(
      "embeddings", outputs: [.hidden(0, from: "hidden")],
      work: { [rotary] inputs in
        var work = StageWork.largest(of: inputs)
        work.leaves = work.positions * rotary.turned
        return work
      }
    ) { scope throws(CheckpointError) in
      let word = scope.module("embeddings", .embedding).module("word", .embedding)
        .rows("weight", [vocabulary, width], .embedding)
      return { states throws(CheckpointError) in
        states["hidden"] = try word(states.inputs.required("input_ids"))  // [batch, length, width]
        states["rotary"] = rotaryTable(
          positions: states.inputs.required("position_ids"),
          frequencies: rotary.frequencies(length: 1), of: Scalar.self)
      }
    }
  }

  /// `x = x + attention(norm(x)) + feedForward(norm(x))`
  private func block<Scalar>(_ layer: Int) -> Stage<Scalar> {
    Stage(
      "decoder.blocks.\(layer)", outputs: [.hidden(layer + 1, from: "hidden")]
    ) { scope throws(CheckpointError) in
      let scope = scope.module("decoder", .sequence).module("blocks", .sequence)
        .module("\(layer)", .block)
      let norm = try RMSNorm(scope.module("norm", .rmsNorm), width: width, epsilon: epsilon)
      let attention = try Attention(
        scope.module("attention", .attention), width: width,
        shape: AttentionShape(
          heads: heads, keyHeads: keyHeads, headSize: headSize,
          rotary: RotaryPart(Member.layout, size: rotary.turned)))
      let feedForward = try FeedForward(
        scope.module("feed_forward", .feedForward), width: width, hidden: hidden,
        activation: activation, isGated: Member.isGated)
      return { states throws(CheckpointError) in
        let keys = KeyPlan.causal(
          allowed: states.inputs.mask("attention_mask"), firstQuery: states.firstPosition)
        let x = states["hidden"]
        let y = norm(x)
        states["hidden"] = feedForward(
          y, adding: attention(y, keys: keys, rotary: states["rotary"], adding: x, &states))
      }
    }
  }

  private func norm<Scalar>() -> Stage<Scalar> {
    Stage("decoder.norm", outputs: [.final("last_hidden_state", from: "hidden")]) {
      scope throws(CheckpointError) in
      let norm = try RMSNorm(
        scope.module("decoder", .sequence).module("norm", .rmsNorm), width: width,
        epsilon: epsilon)
      return { states throws(CheckpointError) in states["hidden"] = norm(states["hidden"]) }
    }
  }
}
