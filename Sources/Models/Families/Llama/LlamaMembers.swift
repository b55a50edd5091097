import TensorCore

/// What tells a member of the family from the others.
public protocol LlamaMember: Sendable {
  /// The name in `model_type`.
  static var name: String { get }
  /// What its classes' names begin with.
  static var className: String { get }
  /// What its config need not say.
  static var defaults: LlamaDefaults { get }
  /// What its blocks have that others have not.
  static func variant(_ config: inout ConfigReader, layers: Int) -> LlamaVariant
}

/// What the config of a member need not say, where members differ.
public struct LlamaDefaults: Sendable {
  var sizes: DecoderSizes.Defaults
  var positions: Int
  var endTokens: [Int] = []
  /// Whether all query heads together must be able to be as wide as the stream.
  var dividesWidth = false
}

/// What blocks have that others have not.
public struct LlamaVariant: Sendable, Equatable {
  /// Whether queries, keys and values are projected with a bias, and the output.
  var inputBias = false
  var outputBias = false
  var feedForwardBias = false
  /// Whether queries and keys are normalised head by head before they are rotated.
  var hasHeadNorms = false
  /// How many keys a layer's queries see, their own included; `nil` for all.
  var windows: [Int?]
}

/// Llama 1 to 3: arXiv 2302.13971, 2307.09288, 2407.21783.
public enum MetaLlama: LlamaMember {
  public static let name = "llama"
  public static let className = "Llama"
  public static let defaults = LlamaDefaults(
    sizes: .init(feedForward: 11008), positions: 2048, endTokens: [2], dividesWidth: true)

  public static func variant(_ config: inout ConfigReader, layers: Int) -> LlamaVariant {
    let bias = config.flag("attention_bias", default: false, on: .weights)
    return LlamaVariant(
      inputBias: bias, outputBias: bias,
      feedForwardBias: config.flag("mlp_bias", default: false, on: .weights),
      windows: Array(repeating: nil, count: layers))
  }
}

/// Mistral 7B: arXiv 2310.06825. All layers have the same window, or none has one.
public enum Mistral: LlamaMember {
  public static let name = "mistral"
  public static let className = "Mistral"
  public static let defaults = LlamaDefaults(
    sizes: .init(keyHeads: 8, feedForward: 14336), positions: 4096 * 32, endTokens: [2])

  public static func variant(_ config: inout ConfigReader, layers: Int) -> LlamaVariant {
    let window = config.window(4096, on: .outputs)
    return LlamaVariant(windows: Array(repeating: window, count: layers))
  }
}

/// Qwen2 and Qwen2.5: arXiv 2407.10671, 2412.15115.
public enum Qwen2: LlamaMember {
  public static let name = "qwen2"
  public static let className = "Qwen2"
  public static let defaults = LlamaDefaults(
    sizes: .init(vocabulary: 151_936, keyHeads: 32, feedForward: 22016), positions: 32768)

  public static func variant(_ config: inout ConfigReader, layers: Int) -> LlamaVariant {
    LlamaVariant(inputBias: true, windows: config.qwenWindows(layers: layers))
  }
}

/// Qwen3: arXiv 2505.09388.
public enum Qwen3: LlamaMember {
  public static let name = "qwen3"
  public static let className = "Qwen3"
  public static let defaults = LlamaDefaults(
    sizes: .init(vocabulary: 151_936, keyHeads: 32, headSize: 128, feedForward: 22016),
    positions: 32768)

  public static func variant(_ config: inout ConfigReader, layers: Int) -> LlamaVariant {
    let bias = config.flag("attention_bias", default: false, on: .weights)
    return LlamaVariant(
      inputBias: bias, outputBias: bias, hasHeadNorms: true,
      windows: config.qwenWindows(layers: layers))
  }
}

extension ConfigReader {
  /// The window of each layer, if windows are used at all: of the layers that are listed as sliding, else
  /// of those from `max_window_layers` on. The list says all that outputs depend on.
  fileprivate mutating func qwenWindows(layers: Int) -> [Int?] {
    let isUsed = flag("use_sliding_window", default: false, on: .nothing)
    let first = count("max_window_layers", default: 28, minimum: 0, on: .nothing)
    let types = layerTypes(
      usual: (0..<layers).map { isUsed && $0 >= first ? .sliding : .full })
    let slides = types.contains(.sliding)
    let window = window(4096, on: slides ? .outputs : .nothing)
    if slides && !isUsed {
      reject("layer_types has sliding_attention, but use_sliding_window is false")
    }
    return types.map { $0 == .full ? nil : window }
  }
}
