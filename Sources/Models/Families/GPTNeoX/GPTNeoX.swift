public import Kernels
import TensorCore

extension Family {
  /// GPT-NeoX and its dialects.
  static let gptNeoX = Family(
    members: [GPTNeoX.self],
    dialects: [.huggingFaceGPTNeoX, .ggufGPTNeoX])
}

/// GPT-NeoX: a causal Transformer decoder with pre-normalisation, rotary positions of a part of each head,
/// and attention and feed-forward network side by side.
///
/// Black et al.: "GPT-NeoX-20B", arXiv 2204.06745, §2.1: rotary positions after Su et al., arXiv 2104.09864,
/// eq. 34, on the first numbers of a head. Names of heads, defaults and outputs are those of Hugging Face
/// (models/gpt_neox/modeling_gpt_neox.py, 5.x).
public struct GPTNeoX: Architecture {
  public static let name = "gpt_neox"

  let vocabulary: Int
  let width: Int
  let layers: Int
  let heads: Int
  let headSize: Int
  let feedForwardWidth: Int
  /// How many positions the causal masks of old files have; no text is limited by it.
  let positions: Int
  let activation: Activation
  let epsilon: Double
  let rotary: RotarySettings
  /// Whether queries, keys, values and the output of attention have biases.
  let hasAttentionBias: Bool
  /// Whether the feed-forward network reads what attention reads, instead of what it has added to.
  let isParallel: Bool
  let isTied: Bool
  let labels: Int
  let endTokens: [Int]
  let padToken: Int?
  let task: GPTNeoXHead

  public var head: String { task.rawValue }

  public var dimensions: [String: Int] { ["head_size": headSize] }

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    vocabulary = config.count("vocab_size", default: 50432, on: .weights)
    width = config.count("hidden_size", default: 6144, on: .weights)
    layers = config.count(
      "num_hidden_layers", default: 44, limit: ConfigReader.mostLayers, minimum: 0, on: .weights)
    heads = config.count("num_attention_heads", default: 64, on: .outputs(as: "heads"))
    headSize = max(1, width / heads)
    feedForwardWidth = config.count("intermediate_size", default: 24576, on: .weights)
    activation = config.activation("hidden_act", default: .gelu)
    epsilon = config.epsilon("layer_norm_eps", default: 1e-5)
    // Scaled frequencies depend on it, and say so.
    positions = config.count("max_position_embeddings", default: 2048, on: .nothing)
    rotary = config.rotary(
      RotaryDefaults(
        fraction: 0.25, headSize: headSize, positions: 2048, thetaKey: "rotary_emb_base",
        fractionKey: "rotary_pct"))
    hasAttentionBias = config.flag("attention_bias", default: true, on: .weights)
    isParallel = config.flag("use_parallel_residual", default: true)
    let isTied = config.flag("tie_word_embeddings", default: false, on: .weights)
    self.isTied = isTied
    labels = config.labelCount()
    endTokens = config.tokens("eos_token_id", default: [2], on: .nothing)
    task = config.head { GPTNeoXHead(isTied: isTied, isStored: isStored) }
    padToken = config.token(
      "pad_token_id", default: nil, on: task == .sequenceClassification ? .outputs : .nothing)
    config.disregard(Self.withoutEffect)
    if config.faults.isEmpty, !width.isMultiple(of: heads) {
      config.reject("hidden_size \(width) is not a multiple of num_attention_heads \(heads)")
    }
  }

  /// The base and the part under the names that other models have for them, which transformers 4 wrote
  /// beside its own and nothing reads; and whether it is a decoder, which it always is.
  private static let withoutEffect = [
    RotaryDefaults.theta, RotaryDefaults.fraction, "is_decoder",
  ]

  // MARK: Forward pass

  public func stages<Scalar: ComputeScalar>(_: Scalar.Type) -> [Stage<Scalar>] {
    [embeddings()] + (0..<layers).map(block) + [norm()] + headStages()
  }

  /// The words' vectors, and for all blocks the angles of the positions.
  private func embeddings<Scalar>() -> Stage<Scalar> {
    Stage(
      "embeddings", outputs: hiddenOutputs(0),
      work: { [rotary] inputs in
        var work = StageWork.positions(of: "input_ids", in: inputs)
        work.leaves = work.positions * rotary.turned
        return work
      }
    ) { scope throws(CheckpointError) in
      let word = scope.module("embeddings", .embedding).module("word", .embedding)
        .rows("weight", [vocabulary, width], .embedding)
      return { states throws(CheckpointError) in
        states["hidden"] = try word(states.inputs.required("input_ids"))  // [batch, length, width]
        let positions = states.inputs.required("position_ids")
        let frequencies = rotary.frequencies(length: (positions.elements.max() ?? 0) + 1)
        states["rotary"] = rotaryTable(
          positions: positions, frequencies: frequencies, of: Scalar.self)
      }
    }
  }

  /// Hidden state `index` before the last normalisation. That of the last block is not given.
  private func hiddenOutputs(_ index: Int) -> [StageOutput] {
    index < layers ? [.hidden(index, from: "hidden")] : []
  }

  /// `x = x + attention(norm(x)) + feedForward(norm'(x))`; or, not in parallel, `x = x + f(norm(x))` for
  /// attention, then for the feed-forward network.
  private func block<Scalar>(_ layer: Int) -> Stage<Scalar> {
    Stage("decoder.blocks.\(layer)", outputs: hiddenOutputs(layer + 1)) {
      scope throws(CheckpointError) in
      let scope = scope.module("decoder", .sequence).module("blocks", .sequence)
        .module("\(layer)", .block)
      let attentionNorm = try norm(scope, "attention_norm")
      let attention = try attention(scope.module("attention", .attention))
      let feedForwardNorm = try norm(scope, "feed_forward_norm")
      let feedForward = try FeedForward(
        scope.module("feed_forward", .feedForward), width: width, hidden: feedForwardWidth,
        activation: activation)
      return { states throws(CheckpointError) in
        let keys = KeyPlan.causal(
          allowed: states.inputs.mask("attention_mask"), firstQuery: states.firstPosition)
        let x = states["hidden"]
        let y = attention(
          attentionNorm(x), keys: keys, rotary: states["rotary"], adding: x, &states)
        states["hidden"] = feedForward(feedForwardNorm(isParallel ? x : y), adding: y)
      }
    }
  }

  private func attention<Scalar>(
    _ scope: WeightScope<Scalar>
  ) throws(CheckpointError) -> Attention<Scalar> {
    let attention = try Attention(
      scope, width: width,
      shape: AttentionShape(
        heads: heads, headSize: headSize, rotary: RotaryPart(.halves, size: rotary.turned)),
      bias: hasAttentionBias, outputBias: hasAttentionBias)
    scope.constant("causal_mask", [positions, positions], .causalMask(positions))
    scope.constant("masked_score", [], .maskedScore(-1e9))
    // They were stored before they could be scaled.
    let unscaled = RotarySettings(size: rotary.size, base: rotary.base)
    scope.constant("frequencies", [unscaled.pairs], .frequencies(unscaled))
    return attention
  }

  /// The normalisation after the last block.
  private func norm<Scalar>() -> Stage<Scalar> {
    var outputs: [StageOutput] = [.hidden(layers, from: "hidden")]
    if task == .base { outputs.append(.final("last_hidden_state", from: "hidden")) }
    return Stage("decoder.norm", outputs: outputs) { scope throws(CheckpointError) in
      let norm = try norm(scope.module("decoder", .sequence), "norm")
      return { states throws(CheckpointError) in
        states["hidden"] = norm(states["hidden"])
        states.remove("rotary")
      }
    }
  }

  private func norm<Scalar>(
    _ scope: WeightScope<Scalar>, _ name: String
  ) throws(CheckpointError) -> LayerNorm<Scalar> {
    try LayerNorm(scope.module(name, .layerNorm), width: width, epsilon: epsilon)
  }
}
