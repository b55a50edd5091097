public import Models
import TensorCore

/// What tells a member of the family from the others.
public protocol CohereMember: Sendable {
  /// The name in `model_type`.
  static var name: String { get }
  /// What its classes' names begin with.
  static var className: String { get }
  /// What its config need not say.
  static var sizes: DecoderSizes.Defaults { get }
  /// The base of rotary positions, where the config does not say it.
  static var theta: Double { get }
  /// What its blocks have that others have not.
  static func variant(_ config: inout ConfigReader, layers: Int) -> CohereVariant
}

/// What members differ in.
public struct CohereVariant: Sendable, Equatable {
  /// A layer's attention.
  struct Layer: Sendable, Equatable {
    /// Whether queries and keys are turned by their positions.
    var isTurned = true
    /// How many keys a query sees, its own included; `nil` for all.
    var window: Int?
  }

  /// Whether each head of queries and keys is normalised, with weights of its own.
  var hasHeadNorms = false
  /// The layers in order.
  var layers: [Layer]
}

/// Command R, Command R+ and Aya.
public enum Cohere1: CohereMember {
  public static let name = "cohere"
  public static let className = "Cohere"
  public static let sizes = DecoderSizes.Defaults(
    vocabulary: 256_000, width: 8192, layers: 40, heads: 64, feedForward: 22528)
  public static let theta = 500_000.0

  public static func variant(_ config: inout ConfigReader, layers: Int) -> CohereVariant {
    CohereVariant(
      hasHeadNorms: config.flag("use_qk_norm", default: false, on: .weights),
      layers: Array(repeating: .init(), count: layers))
  }
}

/// Command R7B and Command A. Layers without a window know no positions.
public enum Cohere2: CohereMember {
  public static let name = "cohere2"
  public static let className = "Cohere2"
  public static let sizes = DecoderSizes.Defaults(
    vocabulary: 256_000, width: 8192, layers: 40, heads: 64, feedForward: 22528)
  public static let theta = 10_000.0

  public static func variant(_ config: inout ConfigReader, layers: Int) -> CohereVariant {
    let types = config.layerTypes(layers, oneFullIn: 4)
    let windows = config.windows(of: types, 4096)
    return CohereVariant(
      layers: windows.map { .init(isTurned: $0 != nil, window: $0) })
  }
}
