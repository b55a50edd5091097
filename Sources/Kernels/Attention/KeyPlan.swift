/// Which keys each query sees.
///
/// A key is seen if it is allowed, and lies within the query's reach or is global. The reach goes by
/// position: so many behind the query, so many ahead of it, within a chunk; or it is a list of blocks.
///
/// What is not seen gets the most negative finite score, as in Hugging Face's eager attention: a
/// query that sees nothing attends uniformly to all keys, padded and future ones included, unless the plan
/// has another `fallback`.
public struct KeyPlan: Sendable {
  /// `[batch, keys]`, or `[batch, queries, keys]` if queries differ: keys that may be seen at all; `nil`
  /// allows every key.
  public let allowed: NDArray<Bool>?
  /// `[batch, keys]`: keys that every query sees if they are allowed, whatever its reach.
  public let global: NDArray<Bool>?
  /// How many positions behind its own a query sees; `nil` for all.
  public let before: Int?
  /// How many positions ahead of its own a query sees; `nil` for all.
  public let after: Int?
  /// Stretches of positions which see only themselves.
  public let chunks: KeyChunks?
  /// Listed blocks, instead of a reach.
  public let blocks: KeyBlocks?
  /// The position of the first query among the keys: the number of those kept from before.
  public let firstQuery: Int
  /// What queries that see nothing attend to.
  public let fallback: Fallback

  /// What a query that sees nothing attends to, all of it alike.
  public enum Fallback: Sendable {
    /// All keys.
    case all
    /// The allowed keys out of its reach, and all keys if there are none: what is out of reach scores −10⁴, what
    /// is not allowed the most negative finite number.
    case allowed
    /// The keys up to its own position that are allowed or within its reach: those that are neither score
    /// the most negative finite number twice, which is minus infinity.
    case past
  }

  /// Queries that see what is within their reach, and global keys.
  ///
  /// Beltagy et al.: "Longformer", arXiv 2004.05150, §3.1, has windows with global keys.
  ///
  /// - Precondition: without a fallback to `all`, all queries have the same `allowed` keys, and none is global.
  public init(
    allowed: NDArray<Bool>? = nil, before: Int? = nil, after: Int? = nil,
    chunks: KeyChunks? = nil, global: NDArray<Bool>? = nil, firstQuery: Int = 0,
    fallback: Fallback = .all
  ) {
    precondition(
      fallback == .all || global == nil && allowed?.shape.count ?? 2 == 2,
      "a fallback goes by position")
    (self.allowed, self.global) = (allowed, global)
    (self.before, self.after) = (before, after)
    self.chunks = chunks
    blocks = nil
    self.firstQuery = firstQuery
    self.fallback = fallback
  }

  /// Queries that see the allowed keys of listed blocks.
  ///
  /// - Precondition: `allowed` is the same for all queries.
  public init(blocks: KeyBlocks, allowed: NDArray<Bool>? = nil, firstQuery: Int = 0) {
    precondition(allowed?.shape.count ?? 2 == 2, "queries of a block see the same keys")
    self.allowed = allowed
    (global, before, after, chunks) = (nil, nil, nil, nil)
    self.blocks = blocks
    self.firstQuery = firstQuery
    fallback = .all
  }

  /// Queries that see keys up to their own position.
  ///
  /// - Parameter window: how many keys they see at most, their own included; `nil` without limit.
  public static func causal(
    allowed: NDArray<Bool>? = nil, window: Int? = nil, chunks: KeyChunks? = nil,
    firstQuery: Int = 0, fallback: Fallback = .all
  ) -> KeyPlan {
    KeyPlan(
      allowed: allowed, before: window.map { $0 - 1 }, after: 0, chunks: chunks,
      firstQuery: firstQuery, fallback: fallback)
  }
}

extension KeyPlan {
  /// How many of the keys before a query's own position matter to it at most, so that those farther back can
  /// be dropped; `nil` if all may.
  public var keysBefore: Int? {
    if global != nil || blocks != nil { return nil }
    return [before, chunks.map { $0.size - 1 }].compactMap(\.self).min().map { max($0, 0) }
  }

  /// The plan for the same queries when the first keys are no longer there.
  ///
  /// - Precondition: none of them matters to any query, and they are no part of blocks.
  public func dropping(_ count: Int) -> KeyPlan {
    if count == 0 { return self }
    precondition(blocks == nil, "blocks are counted from the first key on")
    return KeyPlan(
      allowed: allowed?.droppingColumns(count), before: before, after: after,
      chunks: chunks.map { KeyChunks(size: $0.size, starts: $0.starts.map { $0 - count }) },
      global: global?.droppingColumns(count), firstQuery: firstQuery - count, fallback: fallback)
  }
}

extension NDArray<Bool> {
  /// Without the first columns of each row.
  fileprivate func droppingColumns(_ count: Int) -> NDArray {
    NDArray(
      shape: shape.dropLast() + [width - count],
      elements: (0..<rows).flatMap { row($0).dropFirst(count) })
  }
}

/// Stretches of a sequence whose positions see only each other.
public struct KeyChunks: Sendable {
  /// How many positions a chunk has.
  public let size: Int
  /// Where counting begins: for each batch member, or for all alike. Below 0 if the beginning is no longer
  /// among the keys.
  public let starts: [Int]

  /// Describes chunks.
  ///
  /// - Precondition: `size` is above 0.
  public init(size: Int, starts: [Int] = [0]) {
    precondition(size > 0, "a chunk has no positions")
    self.size = size
    self.starts = starts
  }
}

/// Blocks of keys that blocks of queries see. What is listed more than once counts as often.
///
/// Zaheer et al.: "Big Bird", arXiv 2007.14062, §2 and appendix D.
public struct KeyBlocks: Sendable {
  /// How many positions a block has; the last one may have fewer.
  public let size: Int
  /// For each head, or for all alike: for each block of queries, the blocks of keys that it sees.
  public let lists: [[[Int]]]

  /// Describes blocks, counted from the first key on.
  ///
  /// - Precondition: `size` is above 0.
  public init(size: Int, lists: [[[Int]]]) {
    precondition(size > 0, "a block has no positions")
    self.size = size
    self.lists = lists
  }
}
