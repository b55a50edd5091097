/// The extents of an attention.
struct AttentionForm: Sendable {
  let batch: Int
  let queries: Int
  /// How many keys there are.
  let keys: Int
  /// How many keys there is room for: how far batch members are apart.
  let room: Int
  let heads: Int
  /// How many heads keys and values have, of which queries' heads share each in order.
  let keyHeads: Int
  let headSize: Int
  let valueSize: Int

  /// - Precondition: the arrays fit each other.
  init(query: [Int], key: [Int], value: [Int], keys: Int?, heads: Int, keyHeads: Int) {
    precondition(query.count == 3 && key.count == 3 && value.count == 3)
    precondition(heads > 0 && keyHeads > 0 && heads.isMultiple(of: keyHeads))
    (batch, queries, room) = (query[0], query[1], key[1])
    self.keys = keys ?? room
    (self.heads, self.keyHeads) = (heads, keyHeads)
    (headSize, valueSize) = (query[2] / heads, value[2] / keyHeads)
    precondition(query[2] == heads * headSize && key[2] == keyHeads * headSize)
    precondition(value[2] == keyHeads * valueSize)
    precondition(key[0] == batch && value[0] == batch && value[1] == room && self.keys <= room)
  }

  var resultShape: [Int] { [batch, queries, heads * valueSize] }

  /// Whether there are neither queries nor keys, or nothing in them.
  var isEmpty: Bool { keys == 0 || resultShape.contains(0) }

  /// Which of the keys' heads a head looks at.
  func keyHead(of head: Int) -> Int { head / (heads / keyHeads) }
}

extension Scores {
  /// - Precondition: everything has the extents that it needs.
  func check(_ form: AttentionForm) {
    let (batch, queries, count) = (form.batch, form.queries, form.keys)
    precondition(
      keys.allowed.map { $0.shape == [batch, count] || $0.shape == [batch, queries, count] }
        ?? true,
      "a mask does not fit the keys")
    precondition(keys.global.map { $0.shape == [batch, count] } ?? true, "global keys do not fit")
    precondition(
      keys.chunks.map { $0.starts.count == 1 || $0.starts.count == batch } ?? true,
      "chunks do not begin once for each member")
    precondition(
      keys.blocks.map { $0.lists.count == 1 || $0.lists.count == form.heads } ?? true,
      "blocks are not listed once for each head")
    let blocks = keys.blocks.map { (keys.firstQuery + queries + $0.size - 1) / $0.size } ?? 0
    precondition(
      keys.blocks.map { $0.lists.allSatisfy { $0.count >= blocks } } ?? true,
      "not every block of queries has a list")
    precondition(sinks.map { $0.shape == [form.heads] } ?? true, "not every head has a sink")
    precondition(
      form.isEmpty
        || bias.map { $0.covers(batch: batch, heads: form.heads, queries: queries, keys: count) }
          ?? true,
      "a bias does not reach as far as queries and keys")
  }
}
