import Models
public import TensorCore

/// What two tensors of the same weight are to each other.
public enum WeightRelation: Equatable, Sendable {
  /// The same type and bytes.
  case identical
  /// B's elements are A's, rounded to nearest even in B's type, bit for bit.
  case cast(from: DType, to: DType)
  /// Neither. How many elements are not what they should be, and the first of them.
  case different(count: Int, first: Int)
  /// The shapes differ.
  case misshapen([Int], [Int])
  /// Only one of the models has it.
  case onlyInA
  case onlyInB

  /// Whether a known mistake could have made B's weight from A's.
  var isExplicable: Bool {
    switch self {
    case .different: true
    default: false
    }
  }
}

/// How many elements are compared at a time.
private let elementsPerChunk = 1 << 17

/// Compares two tensors bit for bit, chunk by chunk.
///
/// - Throws: `CheckpointError` when bytes cannot be read.
func relation(of b: Tensor, to a: Tensor) throws(CheckpointError) -> WeightRelation {
  guard a.shape == b.shape else { return .misshapen(a.shape, b.shape) }
  var (count, first) = (0, 0)
  for start in stride(from: 0, to: a.elementCount, by: elementsPerChunk) {
    let range = start..<min(start + elementsPerChunk, a.elementCount)
    let wrong =
      try a.dtype == b.dtype
      ? differingElements(a, b, range) : miscastElements(a, b, range)
    if count == 0, let index = wrong.first { first = index }
    count += wrong.count
  }
  if count > 0 { return .different(count: count, first: first) }
  return a.dtype == b.dtype ? .identical : .cast(from: a.dtype, to: b.dtype)
}

/// The elements of `range` whose bytes differ.
private func differingElements(
  _ a: Tensor, _ b: Tensor, _ range: Range<Int>
) throws(CheckpointError) -> [Int] {
  let width = a.dtype.bitWidth / 8
  let bytes = range.lowerBound * width..<range.upperBound * width
  let (left, right) = (try a.bytes.read(bytes), try b.bytes.read(bytes))
  if left == right { return [] }
  return range.filter { index in
    let start = (index - range.lowerBound) * width
    return left[start..<start + width] != right[start..<start + width]
  }
}

/// The elements of `range` that in B are not A's, rounded to nearest even. Any NaN is as good.
private func miscastElements(
  _ a: Tensor, _ b: Tensor, _ range: Range<Int>
) throws(CheckpointError) -> [Int] {
  let sources = try a.doubles(range)
  let results = try b.doubles(range)
  return range.filter { index in
    let (source, result) = (sources[index - range.lowerBound], results[index - range.lowerBound])
    if source.isNaN || result.isNaN { return source.isNaN != result.isNaN }
    return b.dtype.roundedBits(of: source) != b.dtype.roundedBits(of: result)
  }
}
