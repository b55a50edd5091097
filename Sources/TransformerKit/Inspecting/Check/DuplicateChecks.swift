import Kernels
import Models
import TensorCore

extension CheckReport {
  /// Matrices that have the same elements: of two layers a fault, otherwise worth knowing.
  mutating func checkDuplicates(
    _ tensors: [Tensor], _ statistics: [TensorStatistics], _ graph: WeightGraph?
  ) throws(CheckpointError) {
    var groups: [Key: [Tensor]] = [:]
    for (tensor, found) in zip(tensors, statistics)
    where tensor.hasSeveralAxes && !found.isConstant && found.count > 0 {
      groups[Key(tensor, found), default: []].append(tensor)
    }
    var copies: [(original: Tensor, copy: Tensor)] = []
    for group in groups.values where group.count > 1 { copies += try pairs(of: group) }
    let order = Dictionary(tensors.enumerated().map { ($1.name, $0) }) { first, _ in first }
    copies.sort { order[$0.copy.name] ?? 0 < order[$1.copy.name] ?? 0 }
    let expected = graph.map { Set($0.dropped.map(\.name)) } ?? []
    for (original, copy) in copies where !expected.contains(copy.name) {
      let text = "has the same elements as \(escaped(original.name.text))"
      if isOfOtherLayer(original.name, copy.name) {
        add(.duplicates, copy.name, text)
      } else {
        note(.duplicates, copy.name, text)
      }
    }
  }

  /// What equal tensors have in common, and others hardly.
  private struct Key: Hashable {
    let dtype: DType
    let shape: [Int]
    let norm: Double
    let mean: Double

    init(_ tensor: Tensor, _ found: TensorStatistics) {
      dtype = tensor.dtype
      shape = tensor.shape
      norm = found.norm
      mean = if case .real(let mean) = found.mean { mean } else { 0 }
    }
  }

  /// Each tensor that has the bytes of an earlier one, and that one.
  private func pairs(
    of group: [Tensor]
  ) throws(CheckpointError) -> [(original: Tensor, copy: Tensor)] {
    var (originals, pairs): ([Tensor], [(original: Tensor, copy: Tensor)]) = ([], [])
    for tensor in group {
      var original: Tensor?
      for candidate in originals where original == nil {
        if try hasEqualBytes(candidate, tensor) { original = candidate }
      }
      if let original { pairs.append((original, tensor)) } else { originals.append(tensor) }
    }
    return pairs
  }

  /// Whether two names are the same but for their numbers.
  private func isOfOtherLayer(_ a: TensorName, _ b: TensorName) -> Bool {
    withoutNumbers(a.text) == withoutNumbers(b.text)
  }
}

/// A name with `*` for every run of digits.
func withoutNumbers(_ name: String) -> String {
  var result = ""
  for character in name.unicodeScalars {
    if ("0"..."9").contains(character) {
      if !result.hasSuffix("*") { result += "*" }
    } else {
      result.unicodeScalars.append(character)
    }
  }
  return result
}
