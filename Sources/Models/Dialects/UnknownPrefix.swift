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
  init?(of names: NumberedNames, hiding dialects: [Dialect]) {
    if dialects.contains(where: { $0.isShown(by: names) }) { return nil }
    let table = names.table
    let evidence = dialects.flatMap { dialect in
      dialect.evidence.flatMap { evidence in
        dialect.spellings(of: evidence.stored).map { (name: $0.text, shape: evidence.shape) }
      }
    }
    // A checkpoint may have hundreds of thousands of names, and dialects know hundreds.
    let known = Dictionary(grouping: evidence) { $0.name[...] }
    var (found, all): (String?, Set<String>) = (nil, [])
    for tensor in table.tensors {
      let name = tensor.name.text
      for end in name.utf8.indices
      where name.utf8[end] == UInt8(ascii: ".") || name.utf8[end] == UInt8(ascii: "/") {
        let start = name.utf8.index(after: end)
        guard let known = known[name[start...]], known.contains(where: { $0.shape(tensor.shape) })
        else { continue }
        let prefix = String(name[..<start])
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
