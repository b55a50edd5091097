public import Kernels
public import Models
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
  /// How queries grow with their positions, if they do.
  static func growth(_ config: inout ConfigReader, _ rotary: RotarySettings) -> QueryGrowth?
}

extension LlamaMember {
  /// They do not, unless the member says so.
  public static func growth(_: inout ConfigReader, _: RotarySettings) -> QueryGrowth? { nil }
}

/// What the config of a member need not say, where members differ.
public struct LlamaDefaults: Sendable {
  var sizes: DecoderSizes.Defaults
  var positions: Int
  var epsilon = 1e-6
  var theta = 10_000.0
  /// The settings of rotary positions where the config has none; `nil` for none but the base.
  var rotary: JSONValue?
  var isTied = false
  var endTokens: [Int] = []
  var padToken: Int?
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
  /// Which layers turn queries and keys by their positions; `nil` if all do.
  var turned: [Bool]?

  /// Whether a layer turns.
  func turns(_ layer: Int) -> Bool { turned?[layer] ?? true }
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

/// Ministral 8B: Mistral with a window by layer.
public enum Ministral: LlamaMember {
  public static let name = "ministral"
  public static let className = "Ministral"
  public static let defaults = Mistral.defaults

  public static func variant(_ config: inout ConfigReader, layers: Int) -> LlamaVariant {
    let usual: LayerType = config.isNull("sliding_window") ? .full : .sliding
    let types = config.layerTypes(usual: Array(repeating: usual, count: layers))
    return LlamaVariant(windows: config.windows(of: types, 4096))
  }
}

/// Ministral 3, the decoder of texts: queries grow with their positions.
public enum Ministral3: LlamaMember {
  public static let name = "ministral3"
  public static let className = "Ministral3"
  public static let defaults = LlamaDefaults(
    sizes: .init(
      vocabulary: 131_072, layers: 34, keyHeads: 8, headSize: 128, feedForward: 14336),
    positions: 262_144, epsilon: 1e-5,
    rotary: [
      "rope_type": "yarn", "rope_theta": .double(1e6), "factor": .double(16),
      "original_max_position_embeddings": 16384, "beta_fast": .double(32),
      "beta_slow": .double(1), "mscale": .double(1), "mscale_all_dim": .double(1),
      "llama_4_scaling_beta": .double(0.1),
    ],
    endTokens: [2], padToken: 11)

  public static func variant(_ config: inout ConfigReader, layers: Int) -> LlamaVariant {
    LlamaVariant(windows: Array(repeating: config.window(nil, on: .outputs), count: layers))
  }

  public static func growth(
    _ config: inout ConfigReader, _ rotary: RotarySettings
  ) -> QueryGrowth? {
    let key = "llama_4_scaling_beta"
    let beta = config.within(config.rotaryObject) { settings in
      settings.disregard(["max_position_embeddings"])
      return settings.optionalPositive(key, usual: [0.1, 0.5], on: .outputs(as: key))
    }
    guard let beta else {
      config.reject("\(config.rotaryObject).\(key) is missing")
      return nil
    }
    guard case .yarn(let yarn) = rotary.scaling else {
      config.refuse("a rope_type other than yarn is not supported for \(name)")
      return nil
    }
    return QueryGrowth(beta: beta, step: max(1, yarn.trained))
  }
}

/// SmolLM3: some layers know no positions.
public enum SmolLM3: LlamaMember {
  public static let name = "smollm3"
  public static let className = "SmolLM3"
  public static let defaults = LlamaDefaults(
    sizes: .init(
      vocabulary: 128_256, width: 2048, layers: 36, heads: 16, keyHeads: 4, feedForward: 11008),
    positions: 32768, theta: 2_000_000, isTied: true, endTokens: [128_001], padToken: 128_004)

  public static func variant(_ config: inout ConfigReader, layers: Int) -> LlamaVariant {
    let bias = config.flag("attention_bias", default: false, on: .weights)
    let interval = config.count("no_rope_layer_interval", default: 4, on: .nothing)
    let turned = config.switches(
      "no_rope_layers", default: (0..<layers).map { !($0 + 1).isMultiple(of: interval) })
    let isUsed = config.flag("use_sliding_window", default: false, on: .nothing)
    let hasWindow = isUsed && config.has("sliding_window")
    let types = config.layerTypes(usual: turned.map { hasWindow && !$0 ? .sliding : .full })
    return LlamaVariant(
      inputBias: bias, outputBias: bias,
      feedForwardBias: config.flag("mlp_bias", default: false, on: .weights),
      windows: config.windows(of: types, nil), turned: turned)
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
  /// Numbers of which 0 is no and any other one yes, at least as many as there are defaults.
  fileprivate mutating func switches(_ key: String, default standard: [Bool]) -> [Bool] {
    fact(
      key, .other, on: .outputs, default: standard,
      json: { .array($0.map { .number($0 ? 1 : 0) }) }
    ) { value in
      let numbers = (value.elements ?? []).map { $0.int ?? $0.bool.map { $0 ? 1 : 0 } }
      guard numbers.count >= standard.count, !numbers.contains(nil) else {
        return .fault("must be a list of \(standard.count) numbers, is \(value.text())")
      }
      return .value(numbers.prefix(standard.count).map { $0 != 0 })
    }
  }

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
    } else if slides && window == nil {
      reject("layers have sliding_attention, but sliding_window is null")
    }
    return types.map { $0 == .full ? nil : window }
  }
}
