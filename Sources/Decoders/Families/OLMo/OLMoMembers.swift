import Kernels
public import Models
import TensorCore

/// What tells a member of the family from the others.
public protocol OLMoMember: Sendable {
  /// The name in `model_type`.
  static var name: String { get }
  /// What its classes' names begin with.
  static var className: String { get }
  /// What its blocks have that others have not.
  static func variant(_ config: inout ConfigReader, _ sizes: DecoderSizes) -> OLMoVariant
}

/// What members differ in.
public struct OLMoVariant: Sendable, Equatable {
  /// A layer's attention.
  struct Layer: Sendable, Equatable {
    /// Which of the rotary positions it has.
    var rotary = 0
    /// How many keys a query sees, its own included; `nil` for all.
    var window: Int?
  }

  /// What all normalisations are.
  var norm: NormForm
  /// How a block is put together.
  var arrangement: BlockForm.Arrangement
  /// Whether the queries and the keys of all heads together are normalised.
  var hasQueryKeyNorms: Bool
  /// The bound at which queries, keys and values are cut off.
  var clip: Double?
  /// The rotary positions that there are.
  var rotaries: [RotarySettings]
  /// The layers in order.
  var layers: [Layer]
}

/// OLMo 1: arXiv 2402.00838. Its normalisations have no weights.
public enum OLMo1: OLMoMember {
  public static let name = "olmo"
  public static let className = "Olmo"

  public static func variant(_ config: inout ConfigReader, _ sizes: DecoderSizes) -> OLMoVariant {
    let clip = config.optionalPositive("clip_qkv", usual: [8])
    return OLMoVariant(
      norm: .layer(epsilon: 1e-5, hasBias: false, hasGain: false), arrangement: .normBefore,
      hasQueryKeyNorms: false, clip: clip,
      rotaries: [config.rotary(RotaryDefaults(headSize: sizes.headSize, positions: 2048))],
      layers: Array(repeating: .init(), count: sizes.layers))
  }
}

/// OLMo 2: arXiv 2501.00656. What layers give is normalised instead of what they read.
public enum OLMo2: OLMoMember {
  public static let name = "olmo2"
  public static let className = "Olmo2"

  public static func variant(_ config: inout ConfigReader, _ sizes: DecoderSizes) -> OLMoVariant {
    OLMoVariant(
      norm: .rootMeanSquare(epsilon: config.epsilon("rms_norm_eps", default: 1e-5)),
      arrangement: .normOfResult, hasQueryKeyNorms: true,
      rotaries: [config.rotary(RotaryDefaults(headSize: sizes.headSize, positions: 2048))],
      layers: Array(repeating: .init(), count: sizes.layers))
  }
}

/// Olmo 3: arXiv 2512.13961. Three layers of four have a window, and positions that are not scaled.
public enum OLMo3: OLMoMember {
  public static let name = "olmo3"
  public static let className = "Olmo3"

  public static func variant(_ config: inout ConfigReader, _ sizes: DecoderSizes) -> OLMoVariant {
    let norm = NormForm.rootMeanSquare(epsilon: config.epsilon("rms_norm_eps", default: 1e-5))
    let types = config.layerTypes(
      usual: (0..<sizes.layers).map { ($0 + 1).isMultiple(of: 4) ? .full : .sliding })
    let windows = config.windows(of: types, 4096)
    let full = RotaryDefaults(theta: 500_000, headSize: sizes.headSize, positions: 2048)
    // A base that stands beside the settings is taken for the other type alone.
    let local = RotaryDefaults(
      theta: 500_000, headSize: sizes.headSize, positions: 2048, thetaKey: nil)
    return OLMoVariant(
      norm: norm, arrangement: .normOfResult, hasQueryKeyNorms: true,
      rotaries: [
        config.rotary(full, of: .full, isUsed: types.contains(.full)),
        config.rotary(local, of: .sliding, isUsed: types.contains(.sliding)),
      ],
      layers: zip(types, windows).map { .init(rotary: $0 == .full ? 0 : 1, window: $1) })
  }
}
