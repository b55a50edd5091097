import Kernels
import TensorCore

/// What two tensors of the same shape are to each other, element by element.
struct PairComparison: Sendable {
  /// Whether types and bytes are the same.
  var isIdentical = true
  /// How far apart they are, if they are not; `nil` for packed types.
  var difference: ElementDifference?
  /// Whether B's elements are A's, rounded to nearest even in B's type.
  var isCast = false
  /// Where A's bytes are, if nothing was read since both are said to be the same.
  var stated: StatedBytes?

  /// Whether they differ, but no element by more than a tolerance that was given.
  func isWithin(_ tolerance: Tolerance?) -> Bool {
    guard let difference, tolerance != nil else { return false }
    return !isIdentical && difference.beyond == 0
  }
}

/// Compares pairs of the same shape, all bytes once, and again those that differ.
///
/// - Parameters:
///   - tolerance: how far elements may be apart; none if only equal ones are the same.
///   - progress: hears how many bytes of A are done.
/// - Throws: `CheckpointError` when bytes cannot be read.
func comparisons(
  of pairs: [(a: Participant, b: Participant)], tolerance: Tolerance?, progress: ByteCounter
) throws(CheckpointError) -> [PairComparison] {
  let tensors = pairs.map { ($0.a.open(), $0.b.open()) }
  let sameType = pairs.indices.filter { pairs[$0].a.dtype == pairs[$0].b.dtype }
  var results = pairs.map { _ in PairComparison() }
  for index in sameType {
    let (x, y) = (tensors[index].0.bytes.stated, tensors[index].1.bytes.stated)
    guard let x, let y, x.isSame(as: y) else { continue }
    results[index].stated = x
    progress.add(x.range.count)
  }
  let unknown = sameType.filter { results[$0].stated == nil }
  let equal = try overStretches(unknown, tensors) { a, b, elements throws(CheckpointError) in
    var result = true
    try Participant.forEachBlock(of: elements, a, b) { x, y, _ in
      result = result && isEqual(x, y)
      progress.add(x.byteCount)
      return true
    }
    return result
  }
  for (index, parts) in equal { results[index].isIdentical = parts.allSatisfy(\.self) }
  for index in pairs.indices where pairs[index].a.dtype != pairs[index].b.dtype {
    results[index].isIdentical = false
  }
  let differing = pairs.indices.filter {
    !results[$0].isIdentical && pairs[$0].a.dtype.byteWidth != nil
      && pairs[$0].b.dtype.byteWidth != nil
  }
  let found = try overStretches(differing, tensors) { a, b, elements throws(CheckpointError) in
    try comparison(a, b, elements, tolerance)
  }
  for (index, parts) in found {
    var total = ElementDifference()
    for part in parts { if let difference = part.difference { total.merge(difference) } }
    results[index].difference = total
    results[index].isCast = parts.allSatisfy(\.isCast)
  }
  return results
}

/// Runs `body` on all stretches of some pairs on all cores.
///
/// - Returns: for each pair that has elements, the results in order.
private func overStretches<Result: Sendable>(
  _ chosen: [Int], _ tensors: [(Tensor, Tensor)],
  _ body: (Tensor, Tensor, Range<Int>) throws(CheckpointError) -> Result
) throws(CheckpointError) -> [Int: [Result]] {
  var groups: [[Stretch]] = []
  for index in chosen {
    let (a, b) = tensors[index]
    let stretches = Stretch.all(of: a, number: index)
    if stretches.isEmpty { continue }
    if a.bytes.isReadForwards || b.bytes.isReadForwards {
      groups.append(stretches)
    } else {
      groups += stretches.map { [$0] }
    }
  }
  let parts = try inParallel(groups.count) { number throws(CheckpointError) in
    let (a, b) = tensors[groups[number][0].tensor]
    return try (a.bytes.usesSlab ? a : b).bytes.inTurn { () throws(CheckpointError) in
      try groups[number].map { stretch throws(CheckpointError) in try body(a, b, stretch.elements) }
    }
  }
  var results: [Int: [Result]] = [:]
  for (group, parts) in zip(groups, parts) {
    results[group[0].tensor, default: []] += parts
  }
  return results
}

private func comparison(
  _ a: Tensor, _ b: Tensor, _ elements: Range<Int>, _ tolerance: Tolerance?
) throws(CheckpointError) -> PairComparison {
  var difference = ElementDifference(tolerance: tolerance)
  var isCast = a.dtype != b.dtype && a.dtype.isComputable && b.dtype.isComputable
  let types = (a: a.dtype.parts, b: b.dtype.parts)
  let partsPerElement = a.dtype == types.a ? 1 : 2
  // A complex number is two real ones.
  guard (b.dtype == types.b ? 1 : 2) == partsPerElement else {
    return PairComparison(isIdentical: false, difference: nil)
  }
  try Participant.forEachBlock(of: elements, a, b) { x, y, start in
    difference.add(x, y, types: types, start: start * partsPerElement)
    if isCast { isCast = isRounded(x, a.dtype, to: y, b.dtype) }
    return true
  }
  return PairComparison(isIdentical: false, difference: difference, isCast: isCast)
}

/// Whether the elements of `y` are those of `x`, rounded to nearest even. Any NaN is as good.
private func isRounded(_ x: RawSpan, _ from: DType, to y: RawSpan, _ to: DType) -> Bool {
  let sources = from.doubles(x)
  var rounded = [UInt8](repeating: 0, count: y.byteCount)
  var span = rounded.mutableSpan
  var raw = unsafe span.mutableBytes
  to.round(sources.span, into: &raw)
  if isEqual(unsafe rounded.span.bytes, y) { return true }
  let (expected, found) = (to.doubles(unsafe rounded.span.bytes), to.doubles(y))
  return zip(expected, found).allSatisfy { $0.bitPattern == $1.bitPattern || $0.isNaN && $1.isNaN }
}

extension DType {
  /// The type of the real and of the imaginary part, or the type itself.
  fileprivate var parts: DType {
    switch self {
    case .c64: .f32
    case .c128: .f64
    default: self
    }
  }
}
