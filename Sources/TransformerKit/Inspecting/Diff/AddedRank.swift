public import TensorCore

/// What is told of a difference that is nothing but matrices of low rank: merging a LoRA leaves that.
public struct AddedRank: Sendable {
  /// The lowest and the highest rank of B − A that was found.
  public let ranks: ClosedRange<Int>
  /// The matrices, by the last parts of their names, in the order of A, and how many there are of each.
  public let modules: [(name: String, count: Int)]
  /// How many more changed by no more than rounding does.
  public let hidden: Int

  /// How many matrices have such a rank.
  public var count: Int { modules.reduce(0) { $0 + $1.count } }

  /// Looks at B − A, if all that changed are matrices; at one of them first, which tells most differences from LoRAs.
  ///
  /// - Returns: `nil` if something else changed, a rank is not low, or a matrix is not looked at.
  /// - Throws: `CheckpointError` when bytes cannot be read.
  public init?(_ diff: CheckpointDiff) throws(CheckpointError) {
    guard !diff.changes.isEmpty, diff.configDifferences.isEmpty,
      diff.changes.allSatisfy({ $0.kind == .changed && $0.movement != nil })
    else { return nil }
    for changes in [Array(diff.changes.prefix(1)), diff.changes] {
      let found = try DifferenceRanks(changes, layers: [:])
      guard found.matrices.count == changes.count,
        found.matrices.allSatisfy({ $0.isLow || $0.isHidden })
      else { return nil }
      guard changes.count == diff.changes.count else { continue }
      let low = found.matrices.filter(\.isLow)
      guard let least = low.map(\.rank).min(), let most = low.map(\.rank).max() else { return nil }
      ranks = least...most
      hidden = found.matrices.count - low.count
      var counts: [(name: String, count: Int)] = []
      for matrix in low {
        let name = changes[matrix.index].moduleName
        if let place = counts.firstIndex(where: { $0.name == name }) {
          counts[place].count += 1
        } else {
          counts.append((name, 1))
        }
      }
      modules = counts
      return
    }
    return nil
  }
}

extension TensorChange {
  /// The name of the module whose weight it is: `q_proj` of `model.layers.0.self_attn.q_proj.weight`.
  fileprivate var moduleName: String {
    let parts = ((a ?? b)?.label.text ?? "").split(separator: ".").map(String.init)
    return (parts.last == "weight" ? parts.dropLast() : parts[...]).last ?? ""
  }
}
