import TensorCore

/// How kernels `[outputs, channels, …]` stand in B if their axes were exchanged or run backwards, in all alike.
public struct KernelOrder: Equatable, Sendable {
  /// The order of A's axes in which B has the elements.
  public let axes: [Int]
  /// Those of A's axes that run backwards.
  public let reversed: [Int]
  /// Whether the axes in that order have the extents that B's have. Otherwise only the bytes are in that order.
  public let hasShape: Bool

  /// In words, as a predicate.
  var text: String {
    var parts: [String] = []
    let (row, column) = (axes.count - 2, axes.count - 1)
    let arePictures = axes.count > 3
    let isExchange = axes == Array(0..<row) + [column, row]
    let turned = reversed.filter { $0 >= row }
    let isQuarter = arePictures && hasShape && isExchange && turned.count == 1
    if !hasShape {
      parts.append("elements in the order of the axes \(describe(shape: axes))")
    } else if axes != Array(axes.indices), !isQuarter {
      parts.append("axes permuted \(describe(shape: axes))")
    }
    if reversed.contains(1) { parts.append("channels reversed") }
    if isQuarter { return (parts + ["kernels turned by 90 degrees"]).joined(separator: ", ") }
    let isHalf = arePictures && turned.count == 2
    if isHalf { parts.append("kernels turned by 180 degrees") }
    let others = reversed.filter { $0 > 1 && !(isHalf && $0 >= row) }
    parts += others.map { "axis \($0) reversed" }
    return parts.joined(separator: ", ")
  }

  /// Of kernels of a shape the place in A of a place in B, both counted through all but the first axis.
  fileprivate func place(_ index: Int, _ shape: [Int]) -> Int {
    let strides = rowMajorStrides(shape)
    var (rest, result) = (index, 0)
    for axis in axes.dropFirst().reversed() {
      let (quotient, place) = rest.quotientAndRemainder(dividingBy: shape[axis])
      result += strides[axis] * (reversed.contains(axis) ? shape[axis] - 1 - place : place)
      rest = quotient
    }
    return result
  }
}

/// The usual mistake that makes this order of the places of kernels, the one that changes least.
///
/// - Parameters:
///   - order: for each place in B, the one in A, both counted through all but the first axis.
///   - shape: that of the kernels.
func kernelCause(ofOrder order: [Int], shape: [Int]) -> Cause? {
  if let channels = channelOrder(order, count: shape[1]) { return .channels(channels) }
  let identity = Array(shape.indices)
  guard shape.count <= 5 else { return nil }
  let subsets = (0..<1 << (shape.count - 1)).map { bits in
    identity.dropFirst().filter { bits >> ($0 - 1) & 1 == 1 && shape[$0] > 1 }
  }
  let candidates = permutations(Array(identity.dropFirst())).flatMap { axes in
    let axes = [0] + axes
    let hasShape = axes.map { shape[$0] } == shape
    return subsets.map { KernelOrder(axes: axes, reversed: $0, hasShape: hasShape) }
  }
  let cost = { (candidate: KernelOrder) in
    candidate.reversed.count + (candidate.axes == identity ? 0 : 1) + (candidate.hasShape ? 0 : 8)
  }
  return candidates.sorted { cost($0) < cost($1) }.first { candidate in
    order.indices.allSatisfy { candidate.place($0, shape) == order[$0] }
  }.map { .kernels($0) }
}

/// The order of channels, if whole channels moved.
private func channelOrder(_ order: [Int], count: Int) -> [Int]? {
  let size = order.count / count
  let channels = stride(from: 0, to: order.count, by: size).map { order[$0] / size }
  let isWhole = order.indices.allSatisfy { order[$0] == channels[$0 / size] * size + $0 % size }
  return isWhole ? channels : nil
}

/// All orders of a few numbers, ascending ones first.
func permutations(_ numbers: [Int]) -> [[Int]] {
  guard numbers.count > 1 else { return [numbers] }
  return numbers.indices.flatMap { index in
    var rest = numbers
    let first = rest.remove(at: index)
    return permutations(rest).map { [first] + $0 }
  }
}
