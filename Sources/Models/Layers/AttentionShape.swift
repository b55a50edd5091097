public import Kernels

/// The extents of an attention layer, and what else there is to know of it: whoever looks for mistakes in it,
/// sums up what it keeps, or plants mistakes, reads this and guesses nothing from names or shapes.
public struct AttentionShape: Sendable, Equatable {
  /// How many heads queries have.
  public var heads: Int
  /// How many heads keys and values have; it divides `heads`.
  public var keyHeads: Int
  /// How many numbers queries and keys have in each head.
  public var headSize: Int
  /// How many numbers values have in each head.
  public var valueSize: Int
  /// Which of a head's numbers are turned by position; `nil` if none are.
  public var rotary: RotaryPart?

  /// How many keys a query sees, its own included; `nil` for all.
  public var window: Int?

  /// Whether keys and values are those of another sequence, an encoder's.
  public var isCross: Bool
  /// Whether scores depend on the head's number, because each head has a bias or a sink of its own.
  public var hasHeadBias: Bool
  /// Whether the same amount more on all scores of a query changes what comes out: it does where scores
  /// are bent, or have a sink beside them. Or whether what would add it is bent itself.
  public internal(set) var dependsOnLevel = false
  /// Whether queries see what comes after them, with a window as far as what comes before.
  public internal(set) var seesAhead = false
  /// Whether queries and keys are compared with distances, which become keys and queries by matrices of their own.
  public internal(set) var hasOwnPositions = false
  /// What of queries and keys is normalised together, if they are.
  public internal(set) var norm: QueryKeyNorm.Extent?

  /// Describes a layer; as many key heads as heads and values as long as keys unless told otherwise.
  public init(
    heads: Int, keyHeads: Int? = nil, headSize: Int, valueSize: Int? = nil,
    rotary: RotaryPart? = nil, window: Int? = nil, isCross: Bool = false,
    hasHeadBias: Bool = false
  ) {
    self.heads = heads
    self.keyHeads = keyHeads ?? heads
    self.headSize = headSize
    self.valueSize = valueSize ?? headSize
    self.rotary = rotary
    self.window = window
    self.isCross = isCross
    self.hasHeadBias = hasHeadBias
  }

  /// Leaves what makes scores: layers that differ in nothing else are alike to whoever counts heads and what is kept.
  package mutating func forgetScores() {
    (rotary, norm) = (nil, nil)
    (hasHeadBias, dependsOnLevel, hasOwnPositions) = (false, false, false)
  }

  /// How many heads of queries share one of keys and values.
  public var group: Int { heads / max(1, keyHeads) }

  /// How many heads a part of the module has, and of which size; `output` reads as many as queries have.
  public func form(of part: String) -> (heads: Int, size: Int) {
    switch part {
    case "query": (heads, headSize)
    case "key": (keyHeads, headSize)
    case "value": (keyHeads, valueSize)
    default: (heads, valueSize)
    }
  }

  /// What layouts of dialects divide axes by: `head_size`, and `group_size`, the width of all queries that
  /// share a head of keys.
  package var dimensions: [String: Int] { ["head_size": headSize, "group_size": group * headSize] }

  /// The width of all queries' heads.
  public var queryWidth: Int { heads * headSize }
  /// The width of all keys' heads.
  public var keyWidth: Int { keyHeads * headSize }
  /// The width of all values' heads.
  public var valueWidth: Int { keyHeads * valueSize }
  /// The width of what all heads give.
  public var resultWidth: Int { heads * valueSize }
}

/// The numbers of each head that are turned by position.
public struct RotaryPart: Sendable, Equatable {
  /// Which numbers are pairs.
  public var layout: RotaryLayout
  /// How many are turned.
  public var size: Int
  /// The first of them.
  public var first: Int

  /// Describes a part of each head.
  public init(_ layout: RotaryLayout, size: Int, first: Int = 0) {
    self.layout = layout
    self.size = size
    self.first = first
  }
}
