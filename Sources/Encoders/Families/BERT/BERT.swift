public import Kernels
public import Models
import TensorCore

extension Family {
  /// BERT and its dialects.
  package static let bert = Family(
    members: [BERT.self], configNames: ["bert_config.json"], tokenizers: [.bert],
    dialects: [.huggingFaceBERT, .googleBERT, .ggufBERT, .ctranslate2BERT, .flashAttentionBERT]
      + Dialect.bertOfFrameworks)
}

/// BERT: a bidirectional Transformer encoder with post-normalisation and learned positions.
///
/// Devlin et al.: "BERT: Pre-training of Deep Bidirectional Transformers", arXiv 1810.04805. Names
/// of heads, defaults and outputs are those of Hugging Face (models/bert/modeling_bert.py, 5.x).
public struct BERT: Architecture {
  public static let name = "bert"

  let vocabulary: Int
  let width: Int
  let layers: Int
  let heads: Int
  let feedForwardWidth: Int
  let positions: Int
  let tokenTypes: Int
  let activation: Activation
  let epsilon: Double
  let isDecoder: Bool
  /// Attention to what an encoder made of another text, if there is some.
  let cross: CrossAttentionForm?
  let isTied: Bool
  let labels: Int
  let task: BERTHead
  /// Whether the head computes the pooled state of the first token.
  let hasPooler: Bool

  public static func className(as part: ModelPart) -> String? {
    switch part {
    case .states: BERTHead.base.rawValue
    case .words: BERTHead.causalLM.rawValue
    case .pictures: nil
    }
  }

  public var head: String { task.rawValue }

  public var dimensions: [String: Int] { ["head_size": width / heads] }

  public var hiddenWidth: Int? { width }

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    vocabulary = config.count("vocab_size", default: 30522, on: .weights)
    width = config.count("hidden_size", default: 768, on: .weights)
    layers = config.count(
      "num_hidden_layers", default: 12, limit: ConfigReader.mostLayers, minimum: 0, on: .weights)
    heads = config.count("num_attention_heads", default: 12, on: .outputs(as: "heads"))
    feedForwardWidth = config.count("intermediate_size", default: 3072, on: .weights)
    positions = config.count("max_position_embeddings", default: 512, on: .weights)
    tokenTypes = config.count("type_vocab_size", default: 2, on: .weights)
    activation = config.activation("hidden_act", default: .gelu)
    epsilon = config.epsilon("layer_norm_eps", default: 1e-12)
    isDecoder = config.flag(
      "is_decoder", default: false, on: .outputs(as: "attention"),
      named: (no: "bidirectional", yes: "causal"))
    cross = config.crossAttention(heads: heads, headSize: width / heads, isCausal: isDecoder)
    isTied = config.flag("tie_word_embeddings", default: true, on: .weights)
    labels = config.labelCount()
    config.disregard(Self.withoutEffect)
    let isCausal = isDecoder
    task = config.head { BERTHead(isDecoder: isCausal, isStored: isStored) }
    hasPooler = task.modules.contains("pooler") || task == .base && isStored("pooler.weight")
    checkConsistency(&config)
  }

  private func checkConsistency(_ config: inout ConfigReader) {
    // Defaults that stand in for faulty values would only bring more faults.
    guard config.faults.isEmpty else { return }
    if !width.isMultiple(of: heads) {
      config.reject("hidden_size \(width) is not a multiple of num_attention_heads \(heads)")
    }
    if task == .questionAnswering && labels != 2 {
      config.reject("question answering has 2 labels, the config has \(labels)")
    }
    config.require("position_embedding_type", "absolute")
  }

  /// Settings of training, and of a pooler that only TensorFlow's multilingual configs describe.
  private static let withoutEffect = [
    "attention_probs_dropout_prob", "directionality", "hidden_dropout_prob", "pooler_fc_size",
    "pooler_num_attention_heads", "pooler_num_fc_layers", "pooler_size_per_head", "pooler_type",
  ]

  // MARK: Forward pass

  public func stages<Scalar: ComputeScalar>(_: Scalar.Type) -> [Stage<Scalar>] {
    var stages: [Stage<Scalar>] = [embeddings()]
    for layer in 0..<layers { stages.append(block(layer)) }
    if hasPooler || task != .base { stages.append(pooler()) }
    return stages + headStages()
  }

  private func embeddings<Scalar>() -> Stage<Scalar> {
    Stage("embeddings", outputs: hiddenOutputs(0)) { scope throws(CheckpointError) in
      let scope = scope.module("embeddings", .embedding)
      let word = scope.module("word", .embedding)
        .rows("weight", [vocabulary, width], .embedding)
      let position = scope.module("position", .embedding)
        .rows("weight", [positions, width], .embedding)
      scope.constant("position_ids", [positions], .positions)
      scope.constant("token_type_ids", [positions], .noTypes)
      let tokenType = scope.module("token_type", .embedding)
        .rows("weight", [tokenTypes, width], .embedding)
      let norm = try LayerNorm(
        scope.module("norm", .layerNorm), width: width, epsilon: epsilon)
      return { states throws(CheckpointError) in
        let inputs = states.inputs
        var x = try word(inputs.required("input_ids"))  // [batch, length, width]
        x = add(x, try tokenType(inputs.required("token_type_ids")))
        x = add(x, try position(inputs.required("position_ids")))
        states["hidden"] = norm(x)
      }
    }
  }

  /// Hidden state `index`; the last one is also the base model's output.
  private func hiddenOutputs(_ index: Int) -> [StageOutput] {
    let hidden = StageOutput.hidden(index, from: "hidden")
    guard task == .base && index == layers else { return [hidden] }
    return [hidden, .final("last_hidden_state", from: "hidden")]
  }

  /// Post-normalisation: `x = norm(x + f(x))` for attention, then for the feed-forward network.
  private func block<Scalar>(_ layer: Int) -> Stage<Scalar> {
    Stage("encoder.blocks.\(layer)", outputs: hiddenOutputs(layer + 1)) {
      scope throws(CheckpointError) in
      let scope = scope.module("encoder", .sequence).module("blocks", .sequence)
        .module("\(layer)", .block)
      let attention = try Attention(
        scope.module("attention", .attention), width: width,
        shape: AttentionShape(heads: heads, headSize: width / heads))
      let attentionNorm = try LayerNorm(
        scope.module("attention_norm", .layerNorm), width: width, epsilon: epsilon)
      let cross = try cross.map { cross throws(CheckpointError) in
        try cross.load(scope, width: width, norm: .layer(epsilon: epsilon))
      }
      let feedForward = try FeedForward(
        scope.module("feed_forward", .feedForward), width: width, hidden: feedForwardWidth,
        activation: activation)
      let feedForwardNorm = try LayerNorm(
        scope.module("feed_forward_norm", .layerNorm), width: width, epsilon: epsilon)
      let isCausal = isDecoder
      return { states throws(CheckpointError) in
        let keys = KeyPlan(
          allowed: states.inputs.mask("attention_mask"), after: isCausal ? 0 : nil,
          firstQuery: states.firstPosition)
        var x = states["hidden"]
        x = attentionNorm(attention(x, keys: keys, adding: x, &states))
        if let cross { x = cross(x, normsAfter: true, &states) }
        x = feedForwardNorm(feedForward(x, adding: x))
        states["hidden"] = x
      }
    }
  }

  /// The pooled first token, whatever `hidden_act` says. Google's pre-training files keep it, whatever
  /// class the config names.
  private func pooler<Scalar>() -> Stage<Scalar> {
    .pooler(
      of: "hidden", to: "pooler_output", width: width, isOutput: task == .base,
      isUnused: !hasPooler)
  }
}
