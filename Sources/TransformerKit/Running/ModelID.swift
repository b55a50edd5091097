public import Models
public import TensorCore

/// One digest of a model: the same in every container, dialect, sharding and order, and another for
/// any other value or mathematics. docs/model-id.md defines it byte for byte.
public struct ModelID: Sendable {
  /// The lines that are digested, each with its line feed.
  public let lines: [String]
  /// The digest, in lower-case hexadecimal.
  public let digest: String

  /// Digests a model, reading each weight once.
  ///
  /// - Throws: `CheckpointError` when weights cannot be read.
  public init(_ graph: WeightGraph) throws(CheckpointError) {
    var digests: [String: String] = [:]
    for slot in graph.slots {
      guard let tensor = graph.tensor(at: slot.path) else { continue }
      let owner = graph.ties[slot.path] ?? slot.path
      let digest = if let known = digests[owner] { known } else { try SHA256.digest(of: tensor) }
      (digests[owner], digests[slot.path]) = (digest, digest)
    }
    self.init(graph, digests: digests)
  }

  /// Digests a model whose weights' elements have been digested.
  init(_ graph: WeightGraph, digests: [String: String]) {
    let architecture = graph.architecture
    var lines = ["tfkit-model-id/1", "architecture \(type(of: architecture).name)"]
    lines += graph.mathematics.sorted { $0.key < $1.key }
      .map { "config \($0.key) \($0.value)" }
    let slots = graph.slots.sorted {
      $0.path.utf8.lexicographicallyPrecedes($1.path.utf8)
    }
    for slot in slots {
      guard let tensor = graph.tensor(at: slot.path), let digest = digests[slot.path] else {
        continue
      }
      let shape = slot.shape.map(String.init).joined(separator: ",")
      lines.append("weight \(slot.path) \(tensor.dtype) [\(shape)] \(digest)")
    }
    self.lines = lines.map { $0 + "\n" }
    var sha = SHA256()
    for line in self.lines { sha.update(Array(line.utf8)) }
    digest = sha.finalized()
  }
}
