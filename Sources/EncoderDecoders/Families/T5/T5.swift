public import Kernels
public import Models
import TensorCore

extension Family {
  /// T5, its members and their dialects.
  package static let t5 = Family(
    members: [
      T5.self, T5Architecture<MT5>.self, T5Architecture<UMT5>.self, T5Architecture<LongT5>.self,
      T5Architecture<SwitchTransformers>.self,
    ],
    tokenizers: [.t5, .byT5],
    dialects: [
      .huggingFaceT5(OriginalT5.self), .huggingFaceT5(MT5.self), .huggingFaceT5(UMT5.self),
      .huggingFaceT5(LongT5.self), .huggingFaceT5(SwitchTransformers.self), .t5x,
      .t5xScanned, .meshTF, .ctranslate2T5,
    ] + Dialect.ggufT5 + Dialect.t5OfFrameworks)
}

/// T5 itself.
public typealias T5 = T5Architecture<OriginalT5>

/// T5 and its kin: an encoder and a decoder with root-mean-square pre-normalisation, relative positions and no
/// biases.
///
/// Raffel et al.: "Exploring the Limits of Transfer Learning with a Unified Text-to-Text
/// Transformer", arXiv 1910.10683, §2.1; v1.1 with a gated feed-forward network: arXiv 2002.05202.
/// Names of heads, defaults and outputs are those of Hugging Face (models/t5/modeling_t5.py, 5.x).
public struct T5Architecture<Member: T5Member>: Architecture {
  public static var name: String { Member.name }

  let vocabulary: Int
  let width: Int
  let headSize: Int
  let heads: Int
  let feedForwardWidth: Int
  let encoderLayers: Int
  let decoderLayers: Int
  let buckets: Int
  let maxDistance: Int
  let epsilon: Double
  let activation: Activation
  let isGated: Bool
  /// What the encoder's positions see, if not all of a text.
  let blockwise: BlockwiseForm?
  /// Which layers have experts, if some do.
  let sparse: SparseLayers?
  /// Whether the decoder's states are divided by √width before the words are scored.
  let scalesOutputs: Bool
  /// A model that does not scale what goes into its head has one of its own, though transformers 5 writes
  /// `tie_word_embeddings` into its config.
  public let expectsTies: Bool
  let labels: Int
  let endTokens: [Int]
  let padToken: Int?
  /// What a decoder's text begins with.
  let startToken: Int?
  let task: T5Head

  public var head: String { task.className(Member.className) }

  public var dimensions: [String: Int] {
    var dimensions = ["head_size": headSize]
    if let blockwise {
      dimensions["local_block"] = blockwise.block
      dimensions["global_block"] = blockwise.globalBlock
    }
    return dimensions
  }

  /// Whether each stack has words of its own.
  var hasTableInEachStack: Bool { !Member.tiesAlways && !expectsTies }

  public var reach: Reach { Reach(keys: blockwise?.block ?? sparse?.reach ?? 0) }

  public var hiddenWidth: Int? { width }

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let usual = Member.defaults
    let task = config.head(
      Member.heads.map { ($0.className(Member.className), $0) }, aliases: Member.aliases
    ) {
      T5Head(isStored: isStored)
    }
    self.task = task
    vocabulary = config.count("vocab_size", default: usual.vocabulary, on: .weights)
    width = config.count("d_model", or: "hidden_size", default: usual.width, on: .weights)
    headSize = config.count("d_kv", or: "head_dim", default: 64, on: .weights)
    heads = config.count(
      "num_heads", or: "num_attention_heads", default: usual.heads,
      on: .outputs(as: "heads"))
    feedForwardWidth = config.count("d_ff", default: usual.feedForward, on: .weights)
    let mostLayers = ConfigReader.mostLayers
    encoderLayers = config.count(
      "num_layers", or: "num_hidden_layers", default: usual.layers, limit: mostLayers, on: .weights)
    decoderLayers =
      config.optionalCount(
        "num_decoder_layers",
        default: config.isNull("num_decoder_layers")
          ? encoderLayers : usual.decoderLayers ?? encoderLayers,
        limit: mostLayers, on: .weights)
      ?? encoderLayers
    buckets = config.count(
      "relative_attention_num_buckets", default: 32, limit: mostBuckets, minimum: 4,
      on: .weights)
    maxDistance = config.count(
      "relative_attention_max_distance", default: 128, usual: [64, 128, 256])
    epsilon = config.epsilon("layer_norm_epsilon", default: 1e-6)
    blockwise = Member.blockwise(&config)
    (activation, isGated) = Member.feedForward(&config)
    sparse = Member.sparseLayers(
      &config, encoderLayers: encoderLayers, decoderLayers: decoderLayers, hidden: feedForwardWidth,
      activation: activation)
    (scalesOutputs, expectsTies) = Member.head(
      &config, isLanguageModel: task == .conditionalGeneration)
    labels = config.labelCount()
    endTokens = config.tokens(
      "eos_token_id", default: [1], on: task == .sequenceClassification ? .outputs : .nothing)
    padToken = config.token("pad_token_id", default: 0, on: .nothing)
    startToken = config.token(
      "decoder_start_token_id", default: usual.startToken,
      on: task.shiftsInputs ? .outputs : .nothing)
    config.disregard(Self.withoutEffect)
    checkConsistency(&config)
  }

  private func checkConsistency(_ config: inout ConfigReader) {
    guard config.faults.isEmpty else { return }
    // What transformers then computes depends on whether there is a cache.
    if task.hasDecoder, config.present("is_encoder_decoder") == .bool(false) {
      config.reject(
        "is_encoder_decoder is false, with which transformers gives both attentions of the decoder of \(head) one cache"
      )
    }
    // The encoder's two directions share the buckets.
    let near = task.hasDecoder ? buckets / 2 : buckets / 4
    if maxDistance <= near {
      config.refuse(
        "relative_attention_max_distance \(maxDistance) is not supported with \(buckets) buckets;"
          + " \(near + 1) and more are")
    }
    if task == .questionAnswering && labels != 2 {
      config.reject("question answering has 2 labels, the config has \(labels)")
    }
    if task == .sequenceClassification && endTokens.count != 1 {
      config.reject("sequence classification needs one eos_token_id")
    }
  }

  /// Settings of training, and what the class says already.
  private static var withoutEffect: [String] {
    ["dropout_rate", "initializer_factor", "is_decoder", "n_positions"]
  }

  // MARK: Forward pass

  public func stages<Scalar: ComputeScalar>(_: Scalar.Type) -> [Stage<Scalar>] {
    var stages: [Stage<Scalar>] = self.stages(of: .encoder)
    if task.hasDecoder { stages += self.stages(of: .decoder) }
    return stages + headStages()
  }
}

/// More buckets than any model has, few enough to compute their bounds.
private let mostBuckets = 1024

extension ConfigReader {
  /// The feed-forward network of T5: `relu`, `gated-gelu`, … A name with `gated` alone means the tanh
  /// form of gelu. What transformers made of it and stored beside it decides.
  mutating func t5FeedForward(
    default usual: String
  ) -> (activation: Activation, isGated: Bool) {
    let projection = text("feed_forward_proj") ?? usual
    let parts = projection.split(separator: "-", omittingEmptySubsequences: false)
    if parts.count > 2 || parts.count == 2 && parts[0] != "gated" {
      reject("feed_forward_proj \"\(projection)\" is neither ACTIVATION nor gated-ACTIVATION")
    }
    let name = projection == "gated-gelu" ? "gelu_new" : String(parts[parts.count - 1])
    let implied = Activation(name: name)
    if implied == nil, !has("dense_act_fn") {
      refuse(
        "feed_forward_proj \"\(name)\" is not known; known are "
          + Activation.named.map(\.rawValue).joined(separator: ", "))
    }
    let isGated = flag("is_gated_act", default: parts[0] == "gated", on: .weights)
    return (activation("dense_act_fn", default: implied ?? .relu), isGated)
  }
}
