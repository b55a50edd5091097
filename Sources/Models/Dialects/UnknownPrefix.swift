import TensorCore

/// What wrappers put before every name, so that no dialect knows them: `module.`, `_orig_mod.`.
struct UnknownPrefix {
  let text: String
  /// How many names begin with it, and how many there are.
  let count: Int
  let total: Int
  /// Another one that others begin with: those of a second model.
  let other: String?

  /// The prefix without which the tensors are those of one of the dialects, if they are not so with it.
  init?(of table: TensorTable, hiding dialects: [Dialect]) {
    if dialects.contains(where: { $0.isShown(by: table) }) { return nil }
    let evidence = dialects.flatMap { dialect in
      dialect.evidence.flatMap { evidence in
        dialect.spellings(of: evidence.stored).map { (name: $0.text, shape: evidence.shape) }
      }
    }
    // A checkpoint may have hundreds of thousands of names, and dialects know hundreds.
    let known = Dictionary(grouping: evidence) { lastPart($0.name) }
    var (found, all): (String?, Set<String>) = (nil, [])
    for tensor in table.tensors {
      let name = tensor.name.text
      for known in known[lastPart(name)] ?? []
      where name.hasSuffix(known.name) && known.shape(tensor.shape) {
        let prefix = String(name.dropLast(known.name.count))
        let isWhole = prefix.hasSuffix(".") || prefix.hasSuffix("/")
        guard isWhole else { continue }
        all.insert(prefix)
        if found.map({ prefix.utf8.count < $0.utf8.count }) ?? true { found = prefix }
      }
    }
    guard let found else { return nil }
    text = found
    count = table.tensors.count { $0.name.text.hasPrefix(found) }
    total = table.count
    other = all.sorted().first { !$0.hasPrefix(found) }
  }

  /// The one thing that is wrong, instead of everything that is missing.
  var error: CheckpointError {
    let names = count == total ? "every name begins" : "\(count) of \(total) names begin"
    if let other {
      let both = (escaped(text), escaped(other))
      return CheckpointError(
        .refused("\(names) with \"\(both.0)\", others with \"\(both.1)\": several models, perhaps"),
        advice: "--strip-prefix \(both.0) or \(both.1), with --allow-extra, takes one of them")
    }
    return CheckpointError(
      .refused("\(names) with \"\(escaped(text))\", which is no part of a weight's name"),
      advice: "--strip-prefix \(escaped(text)) takes it off")
  }
}

/// What follows the last dot or slash.
private func lastPart(_ name: String) -> Substring {
  let end = name.utf8.lastIndex { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "/") }
  return end.map { name[name.utf8.index(after: $0)...] } ?? name[...]
}
