public import Kernels
public import Models
import TensorCore

/// What tells a member of the family from the others.
public protocol GemmaMember: Sendable {
  /// The name in `model_type`.
  static var name: String { get }
  /// The names of its classes.
  static var classes: [(name: String, head: CausalHead)] { get }
  /// What its config need not say.
  static var sizes: DecoderSizes.Defaults { get }
  /// The activation of its feed-forward networks.
  static func activation(_ config: inout ConfigReader) -> Activation
  /// What its blocks have that others have not.
  static func variant(_ config: inout ConfigReader, _ sizes: DecoderSizes) -> GemmaVariant
}

/// What members differ in.
public struct GemmaVariant: Sendable, Equatable {
  /// How a block is put together.
  var arrangement = BlockForm.Arrangement.normBefore
  /// The rotary positions that there are.
  var rotaries: [RotarySettings]
  /// The attention of each layer, but for biases and normalisations.
  var layers: [SelfAttentionForm]
  /// Whether queries and keys are normalised head by head.
  var hasHeadNorms = false
  /// The bound of the scores of words.
  var softcap: Double?
}

/// Gemma 1: arXiv 2403.08295.
public enum Gemma1: GemmaMember {
  public static let name = "gemma"
  public static let classes = CausalHead.classes(of: "Gemma", Gemma2.heads)
  public static let sizes = DecoderSizes.Defaults(
    vocabulary: 256_000, width: 3072, layers: 28, heads: 16, keyHeads: 16, headSize: 256,
    feedForward: 24576)

  /// Files as they were published name the exact GELU and mean the approximation by tanh.
  public static func activation(_ config: inout ConfigReader) -> Activation {
    config.activation("hidden_act", default: .geluTanh, meaning: ["gelu": .geluTanh])
  }

  public static func variant(_ config: inout ConfigReader, _ sizes: DecoderSizes) -> GemmaVariant {
    let rotary = config.rotary(RotaryDefaults(headSize: sizes.headSize, positions: 8192))
    config.requireCausal()
    let shape = sizes.attention(turning: rotary)
    return GemmaVariant(
      rotaries: [rotary],
      layers: Array(repeating: SelfAttentionForm(shape: shape), count: sizes.layers))
  }
}

/// Gemma 2: arXiv 2408.00118. Scores and logits are bounded, and every other layer has a window.
public enum Gemma2: GemmaMember {
  public static let name = "gemma2"
  public static let classes = CausalHead.classes(of: "Gemma2", heads)
  public static let sizes = DecoderSizes.Defaults(
    vocabulary: 256_000, width: 2304, layers: 26, heads: 8, keyHeads: 4, headSize: 256,
    feedForward: 9216)

  static let heads: [CausalHead] = [
    .base, .languageModel, .sequenceClassification, .tokenClassification,
  ]

  public static func activation(_ config: inout ConfigReader) -> Activation {
    config.activation("hidden_activation", default: .geluTanh, mayBeNull: true)
  }

  public static func variant(_ config: inout ConfigReader, _ sizes: DecoderSizes) -> GemmaVariant {
    let rotary = config.rotary(RotaryDefaults(headSize: sizes.headSize, positions: 8192))
    config.requireCausal()
    let types = config.layerTypes(
      usual: (0..<sizes.layers).map { $0.isMultiple(of: 2) ? .sliding : .full })
    let windows = config.windows(of: types, 4096)
    let scale = config.scoreScale()
    let softcap = config.softcap("attn_logit_softcapping", usual: 50)
    config.checkDivision(sizes)
    return GemmaVariant(
      arrangement: .normAround, rotaries: [rotary],
      layers: windows.map {
        SelfAttentionForm(
          shape: sizes.attention(turning: rotary), scale: scale, softcap: softcap, window: $0)
      },
      softcap: config.softcap("final_logit_softcapping", usual: 30))
  }
}

/// Gemma 3, the decoder of texts: arXiv 2503.19786. Queries and keys are normalised instead of bounded, and
/// layers with windows have rotary positions of their own.
public enum Gemma3: GemmaMember {
  public static let name = "gemma3_text"
  public static let classes: [(name: String, head: CausalHead)] = [
    ("Gemma3TextModel", .base), ("Gemma3ForCausalLM", .languageModel),
    ("Gemma3TextForSequenceClassification", .sequenceClassification),
  ]
  public static let sizes = DecoderSizes.Defaults(
    vocabulary: 262_208, width: 2304, layers: 26, heads: 8, keyHeads: 4, headSize: 256,
    feedForward: 9216)

  public static func activation(_ config: inout ConfigReader) -> Activation {
    config.activation("hidden_activation", default: .geluTanh, mayBeNull: true)
  }

  public static func variant(_ config: inout ConfigReader, _ sizes: DecoderSizes) -> GemmaVariant {
    let types = config.layerTypes(sizes.layers, oneFullIn: 6)
    let seesAhead = config.flag("use_bidirectional_attention", default: false, mayBeNull: true)
    let windows = config.windows(of: types, 4096).map { window in
      // The window is that of both sides together.
      seesAhead ? window.map { $0 / 2 + 1 } : window
    }
    let rotaries = config.rotaries(sizes, types: types)
    let scale = config.scoreScale()
    config.checkDivision(sizes)
    // Classes read a bound of the scores, and never use it.
    config.disregard(["attn_logit_softcapping"])
    return GemmaVariant(
      arrangement: .normAround, rotaries: rotaries,
      layers: zip(types, windows).map { type, window in
        let index = type == .full ? 0 : 1
        return SelfAttentionForm(
          shape: sizes.attention(turning: rotaries[index]), rotary: index, scale: scale,
          window: window, seesAhead: seesAhead)
      },
      hasHeadNorms: true, softcap: config.softcap("final_logit_softcapping", usual: nil))
  }
}

extension DecoderSizes {
  /// Attention of which whole heads are turned.
  fileprivate func attention(turning rotary: RotarySettings) -> AttentionShape {
    AttentionShape(
      heads: heads, keyHeads: keyHeads, headSize: headSize,
      rotary: RotaryPart(.halves, size: rotary.turned))
  }
}

extension ConfigReader {
  /// The rotary positions of layers that see all keys, and of those with windows: only the former are scaled
  /// where the settings are not those of a type of layer.
  fileprivate mutating func rotaries(
    _ sizes: DecoderSizes, types: [LayerType]
  ) -> [RotarySettings] {
    let full = RotaryDefaults(theta: 1e6, headSize: sizes.headSize, positions: 131_072)
    let local = RotaryDefaults(
      headSize: sizes.headSize, positions: 131_072, thetaKey: "rope_local_base_freq")
    return [
      rotary(full, of: .full, isUsed: types.contains(.full)),
      rotary(local, of: .sliding, isUsed: types.contains(.sliding)),
    ]
  }

  /// What scores are multiplied by, by the number that it is the inverse root of.
  fileprivate mutating func scoreScale() -> Double {
    let scalar = positive("query_pre_attn_scalar", default: 256, usual: [128, 168, 256])
    if scalar == 0 { reject("query_pre_attn_scalar must not be 0") }
    return 1 / scalar.squareRoot()
  }

  /// A bound; null for none.
  fileprivate mutating func softcap(_ key: String, usual: Double?) -> Double? {
    let bound = optionalPositive(key, default: isNull(key) ? nil : usual, usual: [30, 50])
    if bound == 0 { reject("\(key) must not be 0") }
    return bound
  }

  /// Says of a config that asks for attention in both directions that it is not done: transformers masks as
  /// ever where it computes eagerly.
  fileprivate mutating func requireCausal() {
    require("use_bidirectional_attention", false, mayBeNull: true)
  }

  /// As the classes check it, although heads have a size of their own.
  fileprivate mutating func checkDivision(_ sizes: DecoderSizes) {
    if faults.isEmpty, !sizes.width.isMultiple(of: sizes.heads) {
      reject(
        "hidden_size \(sizes.width) is not a multiple of num_attention_heads \(sizes.heads)")
    }
  }
}
