import Kernels
import Models
import TensorCore

extension CheckReport {
  /// Matrices that have the same elements: of two layers a fault, otherwise worth knowing.
  mutating func checkDuplicates(
    _ tensors: [Tensor], _ statistics: [TensorStatistics], _ graph: WeightGraph?
  ) throws(CheckpointError) {
    var groups: [Key: [Int]] = [:]
    for (place, found) in statistics.enumerated()
    where tensors[place].hasSeveralAxes && !found.isConstant && found.count > 0 {
      groups[Key(tensors[place], found), default: []].append(place)
    }
    var copies: [(original: Int, copy: Int)] = []
    for group in groups.values where group.count > 1 { copies += try pairs(of: group, tensors) }
    copies.sort { $0.copy < $1.copy }
    let expected = graph.map { Set($0.dropped.map(\.name)) } ?? []
    for pair in copies {
      let (original, copy) = (tensors[pair.original], tensors[pair.copy])
      if expected.contains(copy.name) { continue }
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

  /// Each tensor that has the bytes of an earlier one, and that one, by their places.
  private func pairs(
    of group: [Int], _ tensors: [Tensor]
  ) throws(CheckpointError) -> [(original: Int, copy: Int)] {
    var (originals, pairs): ([Int], [(original: Int, copy: Int)]) = ([], [])
    for place in group {
      var original: Int?
      for candidate in originals where original == nil {
        if try hasEqualBytes(tensors[candidate], tensors[place]) { original = candidate }
      }
      if let original { pairs.append((original, place)) } else { originals.append(place) }
    }
    return pairs
  }

  /// Whether two names are the same but for their numbers.
  private func isOfOtherLayer(_ a: TensorName, _ b: TensorName) -> Bool {
    withoutNumbers(a.text) == withoutNumbers(b.text)
  }
}
