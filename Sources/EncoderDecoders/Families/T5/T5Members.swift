public import Kernels
public import Models

/// What T5's kin differ in.
public protocol T5Member: Sendable {
  /// The config's `model_type`.
  static var name: String { get }
  /// What the names of its classes begin with.
  static var className: String { get }
  /// What a config need not say.
  static var defaults: T5Defaults { get }
  /// Whether each layer has relative biases of its own, and not a stack for all its layers.
  static var hasBiasInEachLayer: Bool { get }
  /// What there are classes for.
  static var heads: [T5Head] { get }
  /// What the module of its feed-forward network is called in files of transformers.
  static var network: String { get }
  /// Other names of classes.
  static var aliases: [String: T5Head] { get }

  /// Whether both stacks have the same words, and a head that is not stored has them, too, though the config says that
  /// nothing is tied.
  static var tiesAlways: Bool { get }

  /// Whether the decoder's states are divided by √width before words are scored, and whether a head that is stored
  /// and differs from the embedding is a fault.
  static func head(
    _ config: inout ConfigReader, isLanguageModel: Bool
  ) -> (isScaled: Bool, expectsTies: Bool)

  /// What the encoder's positions see, if not all of a text.
  static func blockwise(_ config: inout ConfigReader) -> BlockwiseForm?

  /// The feed-forward network.
  static func feedForward(_ config: inout ConfigReader) -> (activation: Activation, isGated: Bool)

  /// Which layers have experts, if some do.
  ///
  /// - Parameter hidden: the units inside a network, or inside each expert.
  static func sparseLayers(
    _ config: inout ConfigReader, encoderLayers: Int, decoderLayers: Int, hidden: Int,
    activation: Activation
  ) -> SparseLayers?
}

extension T5Member {
  public static var hasBiasInEachLayer: Bool { false }

  public static var heads: [T5Head] { T5Head.allCases }

  public static var network: String { "DenseReluDense" }

  public static func blockwise(_ config: inout ConfigReader) -> BlockwiseForm? { nil }

  public static func feedForward(
    _ config: inout ConfigReader
  ) -> (activation: Activation, isGated: Bool) {
    config.t5FeedForward(default: defaults.projection)
  }

  public static func sparseLayers(
    _ config: inout ConfigReader, encoderLayers: Int, decoderLayers: Int, hidden: Int,
    activation: Activation
  ) -> SparseLayers? { nil }

  public static var tiesAlways: Bool { true }

  public static var aliases: [String: T5Head] { [:] }
}

/// What a config of T5's kin need not say.
public struct T5Defaults: Sendable {
  var vocabulary = 250_112
  var width = 512
  var feedForward = 1024
  var layers = 8
  /// The encoder's unless told otherwise.
  var decoderLayers: Int?
  var heads = 6
  var projection = "gated-gelu"
  var startToken: Int? = 0
}

/// T5, v1.0 and v1.1, and ByT5, whose words are bytes: arXiv 2105.13626.
public enum OriginalT5: T5Member {
  public static let name = "t5"
  public static let className = "T5"
  public static let defaults = T5Defaults(
    vocabulary: 32128, feedForward: 2048, layers: 6, heads: 8, projection: "relu", startToken: nil)
  /// Names of classes until transformers 3.
  public static let aliases = ["T5WithLMHeadModel": T5Head.conditionalGeneration]

  /// transformers 4 decided by `tie_word_embeddings`, transformers 5 writes what it decided.
  public static func head(
    _ config: inout ConfigReader, isLanguageModel: Bool
  ) -> (isScaled: Bool, expectsTies: Bool) {
    let wasTied = config.flag("tie_word_embeddings", default: true, on: .weights)
    let isScaled = config.flag(
      "scale_decoder_outputs", default: wasTied, on: isLanguageModel ? .outputs : .nothing)
    return (isScaled, wasTied && isScaled)
  }
}

/// LongT5: T5 v1.1 with an encoder that sees what is near, and perhaps sums of the rest. Guo et al., arXiv 2112.07916.
public enum LongT5: T5Member {
  public static let name = "longt5"
  public static let className = "LongT5"
  public static let defaults = T5Defaults(
    vocabulary: 32128, feedForward: 2048, layers: 6, heads: 8, projection: "relu", startToken: nil)
  public static let heads: [T5Head] = [.base, .conditionalGeneration, .encoder]

  public static func head(
    _ config: inout ConfigReader, isLanguageModel: Bool
  ) -> (isScaled: Bool, expectsTies: Bool) {
    OriginalT5.head(&config, isLanguageModel: isLanguageModel)
  }

  /// What the encoder's positions see.
  private enum EncoderAttention: String, CaseIterable {
    case local
    case transientGlobal = "transient-global"
  }

  public static func blockwise(_ config: inout ConfigReader) -> BlockwiseForm? {
    let kind = config.choice(
      "encoder_attention_type", default: EncoderAttention.local, on: .weights)
    let radius = config.count(
      "local_radius", default: 127, limit: mostRadius, usual: [63, 127, 128, 255])
    let isGlobal = kind == .transientGlobal
    let block = config.count(
      "global_block_size", default: 16, usual: [8, 16, 32], on: isGlobal ? .outputs : .nothing)
    // Where blocks begin is counted in fractions, which are exact then.
    if isGlobal, block & (block - 1) != 0 {
      config.refuse("global_block_size \(block) is not supported; powers of two are")
    }
    return BlockwiseForm(radius: radius, globalBlock: isGlobal ? block : nil)
  }

  /// More than any model has, few enough for the keys of three blocks.
  private static let mostRadius = 1 << 12
}

/// mT5: T5 v1.1 for many languages. Xue et al., arXiv 2010.11934.
public enum MT5: T5Member {
  public static let name = "mt5"
  public static let className = "MT5"
  public static let defaults = T5Defaults()

  /// transformers 5 never scales, and ties what is not stored, whatever the config says.
  public static func head(
    _ config: inout ConfigReader, isLanguageModel: Bool
  ) -> (isScaled: Bool, expectsTies: Bool) {
    config.disregard(["tie_word_embeddings"])
    return (false, false)
  }
}

/// UMT5: mT5 with relative biases in every layer. Chung et al., arXiv 2304.09151.
public enum UMT5: T5Member {
  public static let name = "umt5"
  public static let className = "UMT5"
  public static let defaults = T5Defaults()
  public static let hasBiasInEachLayer = true

  /// transformers 5 always scales, and ties what is not stored, whatever the config says; transformers 4 scaled
  /// where `tie_word_embeddings` is true.
  public static func head(
    _ config: inout ConfigReader, isLanguageModel: Bool
  ) -> (isScaled: Bool, expectsTies: Bool) {
    config.disregard(["tie_word_embeddings"])
    return (true, false)
  }
}
