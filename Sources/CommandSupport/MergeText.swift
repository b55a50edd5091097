import Containers
public import TensorCore
public import TransformerKit

/// What merging adapters did, in words and as JSON.
public struct MergeText {
  private let merge: Merge

  /// - Parameter merge: what was merged.
  public init(_ merge: Merge) {
    self.merge = merge
  }

  /// How many tensors are not what they were: `8 tensors`.
  public var tensorCount: String {
    describe(Set(merge.changes.map(\.name)).count, "tensor")
  }

  /// A line for each adapter.
  public var lines: [String] {
    merge.adapters.enumerated().map { number, adapter in
      let changes = merge.changes.filter { $0.adapter == number }
      let (weights, saved) = (
        changes.count { $0.module != nil && !$0.isBias }, changes.count { $0.module == nil }
      )
      let biases = changes.count(where: \.isBias)
      let parts =
        (weights == 0 ? [] : ["into \(describe(weights, "weight"))"])
        + (biases == 0 ? [] : ["into \(biases == 1 ? "1 bias" : "\(biases) biases")"])
        + (saved == 0 ? [] : ["\(describe(saved, "tensor")) replaced by its own"])
      return
        "merged \(escaped(displayed(adapter.path))): \(AdapterText(adapter).summary); "
        + parts.joined(separator: ", ")
    }
  }

  /// For each adapter what it is, and what it changed.
  public var json: JSONValue {
    .array(
      merge.adapters.enumerated().map { number, adapter in
        let changes: [JSONValue] = merge.changes.filter { $0.adapter == number }.map { change in
          [
            "name": .string(change.name.text),
            "change": .string(
              change.module == nil ? "replaced" : change.isBias ? "bias added" : "product added"),
            "rank": change.module.map { .number($0.rank) } ?? .null,
            "scale": change.module.map { .number($0.scale) } ?? .null,
          ]
        }
        return .object(
          [JSONValue.Member("path", .string(displayed(adapter.path)))]
            + AdapterText(adapter).members + [JSONValue.Member("tensors", .array(changes))])
      })
  }
}
