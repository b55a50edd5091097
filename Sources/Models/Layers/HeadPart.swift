/// A matrix of an attention layer whose rows (of the output, columns) are those of heads, one after the other.
public struct HeadPart: Sendable, Equatable {
  /// How many heads it has.
  public var heads: Int
  /// How many rows each of them has.
  public var size: Int
  /// Which rows of a head are turned by position; `nil` if none are.
  public var turned: Range<Int>?
}

extension LayerFact {
  /// The parts of an attention layer that are turned by position, or would be if there were positions.
  public var turnedParts: [String] {
    switch self {
    case .attention: ["query", "key"]
    case .latentAttention: ["query", "turned_key"]
    case .feedForward, .experts, .gain, .distanceBias, .sum: []
    }
  }

  /// The parts of an attention layer that files have in a common matrix, those of each head together or each
  /// part by itself.
  public var commonParts: [String] {
    switch self {
    case .attention: ["query", "key", "value"]
    case .latentAttention: ["key", "value"]
    case .feedForward, .experts, .gain, .distanceBias, .sum: []
    }
  }

  /// What a part of an attention layer is made of, or `nil` if it is not made of heads.
  public func headPart(_ name: String) -> HeadPart? {
    switch self {
    case .attention(let shape): shape.headPart(name)
    case .latentAttention(let shape, _): shape.latentHeadPart(name)
    case .feedForward, .experts, .gain, .distanceBias, .sum: nil
    }
  }
}

extension AttentionShape {
  private var turned: Range<Int>? { rotary.map { $0.first..<$0.first + max(0, $0.size) } }

  fileprivate func headPart(_ name: String) -> HeadPart? {
    guard ["query", "key", "value", "output"].contains(name) else { return nil }
    let (heads, size) = form(of: name)
    return HeadPart(
      heads: heads, size: size, turned: ["query", "key"].contains(name) ? turned : nil)
  }

  /// Keys have only the rows of a head that are not turned; those that are, are the same for all heads.
  fileprivate func latentHeadPart(_ name: String) -> HeadPart? {
    switch name {
    case "query": HeadPart(heads: heads, size: headSize, turned: turned)
    case "key": HeadPart(heads: heads, size: rotary?.first ?? headSize)
    case "turned_key":
      HeadPart(heads: 1, size: turned?.count ?? 0, turned: 0..<(turned?.count ?? 0))
    case "value", "output": HeadPart(heads: heads, size: valueSize)
    default: nil
    }
  }
}
