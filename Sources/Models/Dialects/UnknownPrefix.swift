import TensorCore

/// What wrappers put before every name, so that no dialect knows them: `module.`, `_orig_mod.`.
struct UnknownPrefix {
  let text: String
  /// How many names begin with it, and how many there are.
  let count: Int
  let total: Int

  /// The prefix without which the tensors are those of one of the dialects, if they are not so with it.
  init?(of table: TensorTable, hiding dialects: [Dialect]) {
    if dialects.contains(where: { $0.isShown(by: table) }) { return nil }
    let evidence = dialects.flatMap { dialect in
      dialect.evidence.flatMap { evidence in
        dialect.spellings(of: evidence.stored).map { (name: $0.text, shape: evidence.shape) }
      }
    }
    var found: String?
    for tensor in table.tensors {
      let name = tensor.name.text
      for known in evidence where name.hasSuffix(known.name) && known.shape(tensor.shape) {
        let prefix = String(name.dropLast(known.name.count))
        let isWhole = prefix.hasSuffix(".") || prefix.hasSuffix("/")
        if isWhole, found.map({ prefix.utf8.count < $0.utf8.count }) ?? true { found = prefix }
      }
    }
    guard let found else { return nil }
    text = found
    count = table.tensors.count { $0.name.text.hasPrefix(found) }
    total = table.count
  }

  /// The one thing that is wrong, instead of everything that is missing.
  var error: CheckpointError {
    let names = count == total ? "every name begins" : "\(count) of \(total) names begin"
    return CheckpointError(
      .refused("\(names) with \"\(escaped(text))\", which is no part of a weight's name"),
      advice: "--strip-prefix \(escaped(text)) takes it off")
  }
}
