/// The candidate that `name` is most likely a misspelling of, or `nil` if none is close.
///
/// Closeness is the number of inserted, removed and replaced characters; one in four may differ. Names
/// of more than 256 bytes are nobody's spelling and would take long to compare: to them nothing is close.
public func nearestName(to name: String, among candidates: [String]) -> String? {
  let bytes = Array(name.utf8)
  guard bytes.count <= 256 else { return nil }
  var best: String?
  var limit = max(1, bytes.count / 4)
  for candidate in candidates where abs(candidate.utf8.count - bytes.count) <= limit {
    guard let distance = editDistance(bytes, Array(candidate.utf8), atMost: limit) else { continue }
    best = candidate
    if distance == 0 { break }
    limit = distance - 1
  }
  return best
}

/// Whether one name becomes the other by a single letter that is changed, added or left out, or by two
/// neighbours that are exchanged.
public func isOneEdit(_ a: String, from b: String) -> Bool {
  editDistance(Array(a.utf8), Array(b.utf8), atMost: 1) == 1
}

/// How many letters have to be changed, added, left out or exchanged with their neighbours (the optimal string
/// alignment distance), in memory linear in the length of `b`; `nil` as soon as it is more than `limit`.
private func editDistance(_ a: [UInt8], _ b: [UInt8], atMost limit: Int) -> Int? {
  var rows = [Array(0...b.count), Array(0...b.count), Array(0...b.count)]
  for (i, x) in a.enumerated() {
    // The last row is that of the letter before.
    rows[0][0] = i + 1
    for (j, y) in b.enumerated() {
      var distance = min(rows[2][j] + (x == y ? 0 : 1), rows[2][j + 1] + 1, rows[0][j] + 1)
      if i > 0, j > 0, x == b[j - 1], a[i - 1] == y { distance = min(distance, rows[1][j - 1] + 1) }
      rows[0][j + 1] = distance
    }
    if min(rows[0].min() ?? 0, rows[2].min() ?? 0) > limit { return nil }
    rows = [rows[1], rows[2], rows[0]]
  }
  return rows[2][b.count] <= limit ? rows[2][b.count] : nil
}
