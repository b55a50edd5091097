public import Codecs
import Kernels
import Models
public import TensorCore

/// What two tensors of the same weight are to each other.
public enum WeightRelation: Equatable, Sendable {
  /// The same type and bytes.
  case identical
  /// B's elements are A's, rounded to nearest even in B's type, bit for bit.
  case cast(from: DType, to: DType)
  /// B's are A's, quantised to blocks of a type, as far as that can be shown: `DType.quantizationProof`. The error is the
  /// root of the mean square of the differences, relative to that of A's numbers.
  case quantized(from: DType, to: DType, error: Double)
  /// B's are blocks, and not what A's numbers would become.
  case misquantized(Misquantized)
  /// B's are codes with scales beside them, each code the nearest one to A's number under its own scale. By the name of the
  /// codec, with the same error, and what came of quantising A's numbers again where the maker's formula is known.
  case coded(from: DType, by: String, error: Double, again: CodeRepetition? = nil)
  /// B's are codes, and not all of them the nearest ones.
  case miscoded(Miscoded)
  /// B's are blocks of a type of which nothing can be shown.
  case unproven(DType, error: Double)
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

  /// How far blocks are from A's numbers, if B has blocks.
  public var quantizationError: Double? {
    switch self {
    case .quantized(_, _, let error), .coded(_, _, let error, _), .unproven(_, let error): error
    case .misquantized(let fault): fault.error
    case .miscoded(let fault): fault.error
    default: nil
    }
  }

  /// The type of B's elements, if they are A's in another one.
  public var castType: DType? { if case .cast(_, let type) = self { type } else { nil } }

  /// The relation in words.
  public var text: String {
    switch self {
    case .identical: "identical"
    case .cast(let from, let to): "cast from \(from) to \(to)"
    case .quantized(let from, let to, _): "quantised from \(from) to \(to)"
    case .misquantized(let fault): fault.text
    case .coded(let from, let codec, _, let again):
      "quantised from \(from) by \(again?.maker ?? codec)"
        + (again.flatMap { $0.isEqual ? nil : "; \($0.text) are others" } ?? "")
    case .miscoded(let fault): fault.text
    case .unproven(let dtype, _):
      "in \(dtype), of which it cannot be shown that it is A's, quantised"
    case .different(1, let first): "element \(first) differs"
    case .different(let count, let first): "\(count) elements differ, the first is element \(first)"
    case .misshapen(let a, let b): "A has \(describe(shape: a)), B \(describe(shape: b))"
    case .onlyInA: "only in A"
    case .onlyInB: "only in B"
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
  func compare(_ number: Int) throws(CheckpointError) -> DifferingElements {
    let start = number * elementsPerChunk
    let range = start..<min(start + elementsPerChunk, a.elementCount)
    let (left, right) = (try a.bytes(of: range), try b.bytes(of: range))
    var differing = DifferingElements()
    differing.add(wrongElements(left, a.dtype, right, b.dtype), at: start)
    return differing
  }
  let chunks = (a.elementCount + elementsPerChunk - 1) / elementsPerChunk
  var differing = DifferingElements()
  if a.bytes.isReadForwards || b.bytes.isReadForwards {
    for number in 0..<chunks { differing.add(try compare(number)) }
  } else {
    for part in try inParallel(chunks, compare) { differing.add(part) }
  }
  return differing.relation(a.dtype, b.dtype)
}

/// The elements of a weight that are not what they should be.
struct DifferingElements {
  private var count = 0
  private var first = 0

  /// Adds those of a chunk that begins with element `start`.
  mutating func add(_ indices: [Int], at start: Int) {
    if count == 0, let index = indices.first { first = start + index }
    count += indices.count
  }

  /// Adds those of later chunks.
  mutating func add(_ others: DifferingElements) {
    if count == 0 { first = others.first }
    count += others.count
  }

  /// What the weights are to each other when all chunks were compared.
  func relation(_ a: DType, _ b: DType) -> WeightRelation {
    if count > 0 { return .different(count: count, first: first) }
    return a == b ? .identical : .cast(from: a, to: b)
  }
}

/// The elements of B that are not A's, or A's rounded to nearest even if B's type is another.
func wrongElements(_ a: [UInt8], _ typeA: DType, _ b: [UInt8], _ typeB: DType) -> [Int] {
  typeA == typeB
    ? differingElements(a, b, width: typeA.byteCount(of: 1))
    : miscastElements(typeA.widened(a), typeB.widened(b), to: typeB)
}

/// The elements, `width` bytes each, that are not the same.
private func differingElements(_ a: [UInt8], _ b: [UInt8], width: Int) -> [Int] {
  if hasEqualBytes(a, b) { return [] }
  return (0..<a.count / width).filter { index in
    let start = index * width
    return a[start..<start + width] != b[start..<start + width]
  }
}

/// The elements of `results` that are not those of `sources`, rounded to nearest even in a type. Any
/// NaN is as good.
///
/// One number at a time, and not by the code that casts: it must not be its own witness.
private func miscastElements(
  _ sources: [Double], _ results: [Double], to dtype: DType
) -> [Int] {
  sources.indices.filter { index in
    let (source, result) = (sources[index], results[index])
    if source.isNaN || result.isNaN { return source.isNaN != result.isNaN }
    return dtype.roundedBits(of: source) != dtype.roundedBits(of: result)
  }
}

extension DType {
  /// The elements of a type that we compute in as double precision, exactly.
  func widened(_ bytes: [UInt8]) -> [Double] {
    var values = [Double](repeating: 0, count: elementCount(in: bytes.count))
    var span = values.mutableSpan
    widen(unsafe bytes.span.bytes, into: &span)
    return values
  }
}
