public import Kernels
import TensorCore

extension Family {
  /// GPT-2 and its dialects.
  static let gpt2 = Family(
    members: [GPT2.self],
    dialects: [.huggingFaceGPT2, .openAIGPT2, .nanoGPT, .ggufGPT2])
}

/// GPT-2: a causal Transformer decoder with pre-normalisation and learned positions.
///
/// Radford et al.: "Language Models are Unsupervised Multitask Learners", 2019, §2.3. Names of heads,
/// defaults and outputs are those of Hugging Face (models/gpt2/modeling_gpt2.py, 5.x).
public struct GPT2: Architecture {
  public static let name = "gpt2"

  let vocabulary: Int
  let width: Int
  let layers: Int
  let heads: Int
  let feedForwardWidth: Int
  let positions: Int
  let activation: Activation
  let epsilon: Double
  /// Whether scores are divided by the root of the head size.
  let scalesScores: Bool
  /// Whether scores are divided by the layer's number too.
  let scalesScoresByLayer: Bool
  let isTied: Bool
  let labels: Int
  let endTokens: [Int]
  let padToken: Int?
  /// What is applied to the score of a choice.
  let choiceActivation: Activation
  let task: GPT2Head

  public var head: String { task.rawValue }

  public var dimensions: [String: Int] { ["head_size": width / heads] }

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    vocabulary = config.count("vocab_size", default: 50257, on: .weights)
    width = config.count("n_embd", or: "hidden_size", default: 768, on: .weights)
    layers = config.count(
      "n_layer", or: "num_hidden_layers", default: 12, limit: ConfigReader.mostLayers, minimum: 0,
      on: .weights)
    heads = config.count(
      "n_head", or: "num_attention_heads", default: 12, on: .outputs(as: "heads"))
    positions = config.count(
      "n_positions", or: "max_position_embeddings", default: 1024, on: .weights)
    // At most the largest extent times four, which does not overflow.
    feedForwardWidth = config.count("n_inner", default: 4 * width, on: .weights)
    activation = config.activation("activation_function", default: .geluTanh)
    epsilon = config.epsilon("layer_norm_epsilon", default: 1e-5)
    scalesScores = config.flag("scale_attn_weights", default: true)
    scalesScoresByLayer = config.flag("scale_attn_by_inverse_layer_idx", default: false)
    // It decides in which order and precision half-precision scores are computed. Ours are exact.
    _ = config.flag("reorder_and_upcast_attn", default: false, on: .nothing)
    let isTied = config.flag("tie_word_embeddings", default: true, on: .weights)
    self.isTied = isTied
    labels = config.labelCount()
    let task: GPT2Head = config.head { GPT2Head(isTied: isTied, isStored: isStored) }
    self.task = task
    // A text ends with it when it is generated; no output depends on it.
    endTokens = config.tokens("eos_token_id", default: [50256], on: .nothing)
    padToken = config.token(
      "pad_token_id", default: nil, on: task == .sequenceClassification ? .outputs : .nothing)
    choiceActivation = config.activation(
      "summary_activation", default: .linear, on: task == .doubleHeads ? .outputs : .nothing)
    config.disregard(Self.withoutEffect)
    checkConsistency(&config)
  }

  private func checkConsistency(_ config: inout ConfigReader) {
    guard config.faults.isEmpty else { return }
    if !width.isMultiple(of: heads) {
      config.reject("n_embd \(width) is not a multiple of n_head \(heads)")
    }
    config.require(
      "add_cross_attention", false,
      otherwise: "cross-attention (add_cross_attention) is not supported for gpt2")
    let summary = ["summary_use_proj", "summary_proj_to_labels"]
    guard task == .doubleHeads else { return config.disregard(["summary_type"] + summary) }
    config.require("summary_type", "cls_index")
    for key in summary { config.require(key, true) }
  }

  /// Settings of training; and the length of the texts in it, which the number of positions says too.
  private static let withoutEffect = [
    "attn_pdrop", "embd_pdrop", "n_ctx", "predict_special_tokens", "resid_pdrop",
    "summary_first_dropout",
  ]

  // MARK: Forward pass

  public func stages<Scalar: ComputeScalar>(_: Scalar.Type) -> [Stage<Scalar>] {
    [embeddings()] + (0..<layers).map(block) + [norm()] + headStages()
  }

  private func embeddings<Scalar>() -> Stage<Scalar> {
    Stage("embeddings", outputs: hiddenOutputs(0)) { scope throws(CheckpointError) in
      let scope = scope.module("embeddings", .embedding)
      let word = scope.module("word", .embedding)
        .rows("weight", [vocabulary, width], .embedding)
      let position = scope.module("position", .embedding)
        .rows("weight", [positions, width], .embedding)
      return { states throws(CheckpointError) in
        let inputs = states.inputs
        var x = try word(inputs.required("input_ids"))  // [batch, length, width]
        x = add(x, try position(inputs.required("position_ids")))
        // Token types are words: they have no table of their own.
        if let types = inputs["token_type_ids"] { x = add(x, try word(types)) }
        states["hidden"] = x
      }
    }
  }

  /// Hidden state `index` before the last normalisation. That of the last block is not given.
  private func hiddenOutputs(_ index: Int) -> [StageOutput] {
    index < layers ? [.hidden(index, from: "hidden")] : []
  }

  /// Pre-normalisation: `x = x + f(norm(x))` for attention, then for the feed-forward network.
  private func block<Scalar>(_ layer: Int) -> Stage<Scalar> {
    Stage("decoder.blocks.\(layer)", outputs: hiddenOutputs(layer + 1)) {
      scope throws(CheckpointError) in
      let scope = scope.module("decoder", .sequence).module("blocks", .sequence)
        .module("\(layer)", .block)
      let attentionNorm = try LayerNorm(
        scope.module("attention_norm", .layerNorm), width: width, epsilon: epsilon)
      let attentionScope = scope.module("attention", .attention)
      let attention = try Attention(
        attentionScope, width: width,
        shape: AttentionShape(heads: heads, headSize: width / heads), scale: scoreScale(of: layer))
      attentionScope.constant("causal_mask", [positions, positions], .causalMask(positions))
      attentionScope.constant("masked_score", [], .maskedScore(-10000))
      let feedForwardNorm = try LayerNorm(
        scope.module("feed_forward_norm", .layerNorm), width: width, epsilon: epsilon)
      let feedForward = try FeedForward(
        scope.module("feed_forward", .feedForward), width: width, hidden: feedForwardWidth,
        activation: activation)
      return { states throws(CheckpointError) in
        let keys = KeyPlan.causal(
          allowed: states.inputs.mask("attention_mask"), firstQuery: states.firstPosition)
        var x = states["hidden"]
        x = attention(attentionNorm(x), keys: keys, adding: x, &states)
        x = feedForward(feedForwardNorm(x), adding: x)
        states["hidden"] = x
      }
    }
  }

  /// What the scores of a layer are multiplied by.
  private func scoreScale(of layer: Int) -> Double {
    let scale = scalesScores ? 1 / Double(width / heads).squareRoot() : 1
    return scalesScoresByLayer ? scale / Double(layer + 1) : scale
  }

  /// The normalisation after the last block. Choices, merged with the batch so far, come apart.
  private func norm<Scalar>() -> Stage<Scalar> {
    var outputs: [StageOutput] = [.hidden(layers, from: "hidden")]
    if task == .base { outputs.append(.final("last_hidden_state", from: "hidden")) }
    return Stage("decoder.norm", outputs: outputs) { scope throws(CheckpointError) in
      let norm = try LayerNorm(
        scope.module("decoder", .sequence).module("norm", .layerNorm), width: width,
        epsilon: epsilon)
      return { states throws(CheckpointError) in
        states["hidden"] = states.inputs.separatingChoices(norm(states["hidden"]))
      }
    }
  }
}
