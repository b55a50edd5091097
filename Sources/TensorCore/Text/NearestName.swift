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

/// Levenshtein's distance, in memory linear in the length of `b`; `nil` as soon as it is more than
/// `limit`.
private func editDistance(_ a: [UInt8], _ b: [UInt8], atMost limit: Int) -> Int? {
  var previous = Array(0...b.count)
  var current = previous
  for (i, x) in a.enumerated() {
    current[0] = i + 1
    var least = i + 1
    for (j, y) in b.enumerated() {
      let distance = min(previous[j] + (x == y ? 0 : 1), previous[j + 1] + 1, current[j] + 1)
      current[j + 1] = distance
      least = min(least, distance)
    }
    if least > limit { return nil }
    swap(&previous, &current)
  }
  return previous[b.count] <= limit ? previous[b.count] : nil
}
