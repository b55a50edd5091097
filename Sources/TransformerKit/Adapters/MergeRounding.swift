import Containers
import Kernels
import Models
public import TensorCore

/// How far a model is from a base with adapters in it, if no more lies between them than the order of sums.
///
/// PEFT leaves the order to the processor's library where a rank is high, and where DoRA's lengths are summed up.
/// Each number may be off by four units of rounding of the largest number of its weight.
public struct MergeRounding: Sendable {
  /// How many weights are the same, bit for bit.
  public let identical: Int
  /// How many are off by rounding.
  public let rounded: Int
  /// The largest |b − a|, in units of rounding (ε) of the largest |a| of its weight.
  public let largest: Double

  /// The most that a number may be off.
  public static let bound = 4.0

  /// Compares weight by weight.
  ///
  /// - Parameters:
  ///   - merge: how A was made.
  ///   - a: the base with the adapters in it.
  ///   - b: the model that should be the same.
  /// - Returns: `nil` if more lies between them: a weight that no adapter changes is another one, types or shapes are,
  ///   or a number is further off.
  /// - Throws: `CheckpointError` when bytes cannot be read.
  public init?(_ merge: Merge, _ a: Model, _ b: Model) throws(CheckpointError) {
    let changed = Set(merge.changes.filter { $0.module != nil }.map(\.name))
    guard a.graph.slots.map(\.path) == b.graph.slots.map(\.path) else { return nil }
    var (identical, rounded, largest) = (0, 0, 0.0)
    for slot in a.graph.slots where a.graph.ties[slot.path] == nil {
      guard let left = a.graph.tensor(at: slot.path), let right = b.graph.tensor(at: slot.path),
        left.dtype == right.dtype, left.shape == right.shape
      else { return nil }
      guard let distance = try distance(left, right) else { return nil }
      if distance == 0 {
        identical += 1
        continue
      }
      let isChanged = a.graph.storedNames(at: slot.path).allSatisfy(changed.contains)
      guard isChanged, distance <= Self.bound else { return nil }
      rounded += 1
      largest = max(largest, distance)
    }
    (self.identical, self.rounded, self.largest) = (identical, rounded, largest)
  }
}

/// Elements that are compared at a time.
private let elementsPerPiece = 1 << 18

/// The largest |b − a|, in units of rounding of the largest |a|; 0 if all bits are the same, `nil` if something is not
/// finite.
private func distance(_ a: Tensor, _ b: Tensor) throws(CheckpointError) -> Double? {
  var (difference, largest, isSame) = (0.0, 0.0, true)
  for start in stride(from: 0, to: a.elementCount, by: elementsPerPiece) {
    let piece = start..<min(start + elementsPerPiece, a.elementCount)
    let (x, y) = (try a.bytes(of: piece), try b.bytes(of: piece))
    guard a.dtype.isComputable else {
      if x != y { return nil }
      continue
    }
    let (p, q) = (a.dtype.widened(x), b.dtype.widened(y))
    isSame = isSame && x == y
    for index in p.indices {
      largest = max(largest, p[index].magnitude)
      if x != y {
        let here = abs(p[index] - q[index])
        guard here.isFinite else { return nil }
        difference = max(difference, here)
      }
    }
  }
  if isSame { return 0 }
  return largest > 0 ? difference / (largest * a.dtype.epsilon) : nil
}
