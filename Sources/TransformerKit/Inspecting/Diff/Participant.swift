#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

import Kernels
import Models
import TensorCore

/// A tensor that takes part in a comparison.
struct Participant: Sendable {
  /// What it is called: its name in the file, or the path of its weight.
  let name: TensorName
  /// The name of the tensor in the file that holds this and nothing else.
  let stored: TensorName?
  /// All names that it goes by.
  let allNames: [TensorName]
  let dtype: DType
  let shape: [Int]
  /// Makes the tensor anew, so that what it keeps in memory while it is read does not stay.
  let open: @Sendable () -> Tensor

  var elementCount: Int { shape.reduce(1, &*) }

  /// A tensor as it is stored.
  init(_ tensor: Tensor) {
    name = tensor.name
    stored = tensor.name
    allNames = [tensor.name]
    dtype = tensor.dtype
    shape = tensor.shape
    open = { tensor }
  }

  /// The weight of a slot.
  init?(_ slot: WeightSlot, of graph: WeightGraph) {
    guard let tensor = graph.tensor(at: slot.path) else { return nil }
    let path = slot.path
    name = TensorName(path)
    stored = graph.storedName(at: path)
    allNames = [TensorName(path)] + graph.storedNames(at: path)
    dtype = tensor.dtype
    shape = tensor.shape
    open = { graph.tensor(at: path) ?? tensor }
  }

  /// Whether both have elements that can be told apart and cast.
  var isComputable: Bool { dtype.isComputable }
}

extension Participant {
  /// Reads the same elements of two tensors, block by block.
  ///
  /// - Parameter body: takes the elements of both, and the number of the first one.
  static func forEachBlock(
    of elements: Range<Int>, _ a: Tensor, _ b: Tensor,
    _ body: (RawSpan, RawSpan, Int) throws(CheckpointError) -> Bool
  ) throws(CheckpointError) {
    let size = 256 << 10
    let length = min(
      elements.count, a.dtype.elementCount(in: size), b.dtype.elementCount(in: size))
    var x = [UInt8](repeating: 0, count: a.dtype.byteCount(of: length))
    var y = [UInt8](repeating: 0, count: b.dtype.byteCount(of: length))
    for start in stride(from: elements.lowerBound, to: elements.upperBound, by: max(1, length)) {
      let count = min(length, elements.upperBound - start)
      try a.read(start, count, into: &x)
      try b.read(start, count, into: &y)
      let isWanted = try body(
        unsafe x.span.bytes.extracting(0..<a.dtype.byteCount(of: count)),
        unsafe y.span.bytes.extracting(0..<b.dtype.byteCount(of: count)), start)
      if !isWanted { return }
    }
  }
}

extension Tensor {
  /// Reads `count` elements from element `start` on; packed ones begin and end at bytes.
  fileprivate func read(
    _ start: Int, _ count: Int, into buffer: inout [UInt8]
  ) throws(CheckpointError) {
    var span = buffer.mutableSpan
    var raw = unsafe span.mutableBytes
    let range = byteRange(of: start..<start + count)
    var part = raw._mutatingExtracting(0..<range.count)
    try bytes.read(at: range.lowerBound, into: &part)
  }
}

/// Whether two stretches of memory are the same.
func isEqual(_ a: RawSpan, _ b: RawSpan) -> Bool {
  unsafe a.withUnsafeBytes { x in
    unsafe b.withUnsafeBytes { y in
      guard let left = x.baseAddress, let right = y.baseAddress else { return x.count == y.count }
      return unsafe x.count == y.count && memcmp(left, right, x.count) == 0
    }
  }
}

/// Whether two tensors have the same bytes, whatever their shapes.
func hasEqualBytes(_ a: Tensor, _ b: Tensor) throws(CheckpointError) -> Bool {
  guard a.dtype == b.dtype, a.byteCount == b.byteCount else { return false }
  var result = true
  try Participant.forEachBlock(of: 0..<a.elementCount, a, b) { x, y, _ in
    result = isEqual(x, y)
    return result
  }
  return result
}
