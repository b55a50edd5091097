import Models

/// How dialects fuse the queries, keys and values of a decoder's block.
extension Layout {
  /// For each head of keys the queries that share it, itself, and its values, for a weight's ending:
  /// `[key heads, group + 2, size]` rows. With one head of keys that is part by part; with as many as there
  /// are of queries, head by head.
  static func keyHeadByKeyHead(_ ending: String) -> Layout {
    let parts = [("query", "group_size"), ("key", "head_size"), ("value", "head_size")]
    return .merged(
      .joined(
        parts.map { part, size in .divided(attention(part, ending), axis: 0, inner: size) }, axis: 1
      ),
      axis: 0)
  }

  /// The queries of all heads, then keys, then values.
  static func partByPart(_ ending: String) -> Layout {
    .joined(["query", "key", "value"].map { attention($0, ending) }, axis: 0)
  }

  private static func attention(_ part: String, _ ending: String) -> Layout {
    .weight("decoder.blocks.{i}.attention.\(part)\(ending)")
  }
}
