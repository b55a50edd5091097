import TensorCore

/// Finds the tensors of a base by the names that an adapter has for them.
///
/// An adapter has the paths of modules as transformers has them with a head on, `transformer.h.0.attn`; files may
/// leave out the model's own name in front, or have one more. Whatever it is, it must be the same for all.
struct BaseNames {
  private let table: TensorTable
  /// What is taken off names, and what is put before them.
  private let removed: String
  private let added: String

  /// - Parameter names: all names that are wanted.
  init(_ table: TensorTable, wanted names: [String]) {
    self.table = table
    (removed, added) = Self.change(of: names, in: table)
  }

  /// What must be taken off, or put before, the first name that is not there.
  private static func change(
    of names: [String], in table: TensorTable
  ) -> (removed: String, added: String) {
    let found = { (name: String) in table[TensorName(name)] != nil }
    guard let missing = names.first(where: { !found($0) }) else { return ("", "") }
    let parts = missing.split(separator: ".")
    for count in 1..<max(2, min(4, parts.count)) {
      let rest = parts.dropFirst(count).joined(separator: ".")
      if found(rest) { return (String(missing.dropLast(rest.count)), "") }
    }
    let longer = table.tensors.map(\.name.text).filter { $0.hasSuffix("." + missing) }
    guard longer.count == 1, let name = longer.first else { return ("", "") }
    return ("", String(name.dropLast(missing.count)))
  }

  /// The tensor of a name.
  subscript(name: String) -> Tensor? {
    if let tensor = table[TensorName(name)] { return tensor }
    if !removed.isEmpty, name.hasPrefix(removed) {
      return table[TensorName(String(name.dropFirst(removed.count)))]
    }
    return added.isEmpty ? nil : table[TensorName(added + name)]
  }
}
