/// The candidate that `name` is most likely a misspelling of, or `nil` if none is close.
///
/// Closeness is the number of inserted, removed and replaced characters; one in four may differ.
public func nearestName(to name: String, among candidates: [String]) -> String? {
  let limit = max(1, name.utf8.count / 4)
  return candidates.map { ($0, editDistance(Array(name.utf8), Array($0.utf8))) }
    .filter { $0.1 <= limit }
    .min { $0.1 < $1.1 }?.0
}

/// Levenshtein's distance, in memory linear in the length of `b`.
private func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
  var previous = Array(0...b.count)
  for (i, x) in a.enumerated() {
    var current = [i + 1]
    for (j, y) in b.enumerated() {
      current.append(min(previous[j] + (x == y ? 0 : 1), previous[j + 1] + 1, current[j] + 1))
    }
    previous = current
  }
  return previous[b.count]
}
