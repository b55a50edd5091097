public import Kernels

/// The extents of an attention layer.
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

  /// Describes a layer; as many key heads as heads and values as long as keys unless told otherwise.
  public init(
    heads: Int, keyHeads: Int? = nil, headSize: Int, valueSize: Int? = nil,
    rotary: RotaryPart? = nil
  ) {
    self.heads = heads
    self.keyHeads = keyHeads ?? heads
    self.headSize = headSize
    self.valueSize = valueSize ?? headSize
    self.rotary = rotary
  }

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
