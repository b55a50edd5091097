import Codecs
import Kernels
public import TensorCore

/// What a cast did to the elements of a tensor.
public struct CastLedger: Sendable, Equatable {
  /// The tensor.
  public let name: TensorName
  /// What it was cast from, and to.
  public let from: DType
  public let to: DType
  /// What became of the elements.
  let loss: RoundingLoss

  /// How many elements there are.
  public var count: Int { loss.count }
  /// Finite elements that the new type has not: they became the nearest one it has.
  public var rounded: Int { loss.rounded }
  /// Finite elements that became infinite.
  public var overflowed: Int { loss.overflowed }
  /// Normal elements that became subnormal, and lost digits by it.
  public var becameSubnormal: Int { loss.becameSubnormal }
  /// Elements that became zero.
  public var becameZero: Int { loss.becameZero }
  /// Elements that are no number.
  public var nan: Int { loss.nan }
  /// The largest |new − old| / |old| of the elements that stayed finite and not zero.
  public var largestRelativeError: Double { loss.largestRelativeError }

  /// The same ledger under another name.
  func named(_ name: TensorName) -> CastLedger {
    CastLedger(name: name, from: from, to: to, loss: loss)
  }

  /// Whether any element is not what it was.
  public var isLossy: Bool { loss.isLossy }
}

/// Elements that are read at once from the source of a cast.
private let elementsPerPiece = 1 << 19
/// Elements that a worker casts at once; results do not depend on it.
private let elementsPerBlock = 1 << 14

/// The memory that casting takes beside source and target: a piece of the source, and a block of
/// numbers for each worker.
func castMemory(of source: Tensor) -> Int {
  let piece = source.dtype.byteCount(of: min(source.elementCount, elementsPerPiece))
  return piece + Parallel.workers * elementsPerBlock * 8 + source.bytes.workingMemory
}

/// A tensor's elements, cast when they are read.
struct CastBytes: TensorBytes {
  let source: Tensor
  let to: DType

  var count: Int { to.byteCount(of: source.elementCount) }
  var isReadForwards: Bool { source.bytes.isReadForwards }

  var workingMemory: Int { castMemory(of: source) }
  var usesSlab: Bool { source.bytes.usesSlab }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    let width = to.byteCount(of: 1)
    if offset.isMultiple(of: width), buffer.byteCount.isMultiple(of: width) {
      return try cast(from: offset / width, into: &buffer)
    }
    // Whole elements around what is asked for.
    let first = offset / width
    let last = (offset + buffer.byteCount + width - 1) / width
    var bytes = [UInt8](repeating: 0, count: (last - first) * width)
    var span = bytes.mutableSpan
    var whole = unsafe span.mutableBytes
    try cast(from: first, into: &whole)
    let start = offset - first * width
    unsafe buffer.withUnsafeMutableBytes { target in
      unsafe bytes.withUnsafeBytes { all in
        unsafe target.copyMemory(
          from: UnsafeRawBufferPointer(rebasing: all[start..<start + target.count]))
      }
    }
  }

  /// Casts as many elements as `buffer` has room for.
  private func cast(from first: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    let count = to.elementCount(in: buffer.byteCount)
    for start in stride(from: 0, to: count, by: elementsPerPiece) {
      let piece = start..<min(start + elementsPerPiece, count)
      let bytes = try source.bytes(of: first + piece.lowerBound..<first + piece.upperBound)
      unsafe buffer.withUnsafeMutableBytes { target in
        forEachPiece(of: piece.count) { block in
          let values = unsafe bytes.span.bytes.extracting(
            source.byteRange(of: block))
          // Blocks are disjoint, so their places are.
          let place = unsafe UnsafeMutableRawBufferPointer(
            rebasing: target[
              to.byteRange(of: start + block.lowerBound..<start + block.upperBound)])
          var span = unsafe MutableRawSpan(_unsafeBytes: place)
          source.dtype.cast(values, to: to, into: &span)
        }
      }
    }
  }
}

/// Calls `body` for ranges that make up `count` elements, on several cores.
private func forEachPiece(of count: Int, _ body: (Range<Int>) -> Void) {
  Parallel.forEach(count: (count + elementsPerBlock - 1) / elementsPerBlock) { number in
    let start = number * elementsPerBlock
    body(start..<min(start + elementsPerBlock, count))
  }
}

extension DType {
  /// Casts elements of this type, of which `Float` holds all but double precision.
  fileprivate func cast(_ bytes: RawSpan, to dtype: DType, into target: inout MutableRawSpan) {
    let count = elementCount(in: bytes.byteCount)
    if self == .f64 {
      var values = [Double](repeating: 0, count: count)
      var span = values.mutableSpan
      widen(bytes, into: &span)
      dtype.round(values.span, into: &target)
    } else {
      var values = [Float](repeating: 0, count: count)
      var span = values.mutableSpan
      widen(bytes, into: &span)
      dtype.round(values.span, into: &target)
    }
  }

  /// What casting elements of this type does to them.
  fileprivate func loss(ofCasting bytes: RawSpan, to dtype: DType) -> RoundingLoss {
    let count = elementCount(in: bytes.byteCount)
    if self == .f64 {
      var values = [Double](repeating: 0, count: count)
      var span = values.mutableSpan
      widen(bytes, into: &span)
      return dtype.loss(ofRounding: values.span)
    }
    var values = [Float](repeating: 0, count: count)
    var span = values.mutableSpan
    widen(bytes, into: &span)
    return dtype.loss(ofRounding: values.span)
  }
}

extension DType {
  /// What casting elements of this type does to them.
  func loss(ofCasting bytes: [UInt8], to dtype: DType) -> RoundingLoss {
    let count = elementCount(in: bytes.count)
    var losses = [RoundingLoss](
      repeating: RoundingLoss(), count: (count + elementsPerBlock - 1) / elementsPerBlock)
    unsafe losses.withUnsafeMutableBufferPointer { losses in
      forEachPiece(of: count) { block in
        let values = unsafe bytes.span.bytes.extracting(byteRange(of: block))
        unsafe losses[block.lowerBound / elementsPerBlock] = loss(ofCasting: values, to: dtype)
      }
    }
    return losses.reduce(into: RoundingLoss()) { $0 += $1 }
  }
}

extension Tensor {
  /// The elements of a range as double precision, exactly.
  ///
  /// - Precondition: `dtype.isComputable`.
  func doubles(_ range: Range<Int>) throws(CheckpointError) -> [Double] {
    dtype.widened(try bytes(of: range))
  }

  /// The tensor in another floating-point type, rounded to nearest, ties to even, when it is read.
  /// Tensors that are not floating point, or of eight bits and less, stay.
  func cast(to dtype: DType) -> Tensor {
    guard self.dtype.isComputable, self.dtype != dtype else { return self }
    if dtype.isBlock { return quantized(to: dtype) }
    return Tensor(
      name: name, dtype: dtype, shape: shape, bytes: CastBytes(source: self, to: dtype))
  }

  /// What casting the tensor does to its elements, or `nil` if it is not cast.
  ///
  /// - Throws: `CheckpointError` when the bytes cannot be read.
  func ledger(ofCastTo dtype: DType) throws(CheckpointError) -> CastLedger? {
    guard self.dtype.isComputable, self.dtype != dtype else { return nil }
    if dtype.isBlock { return try ledger(ofQuantizingTo: dtype) }
    var total = RoundingLoss()
    for start in stride(from: 0, to: elementCount, by: elementsPerPiece) {
      let bytes = try bytes(of: start..<min(start + elementsPerPiece, elementCount))
      total += self.dtype.loss(ofCasting: bytes, to: dtype)
    }
    return CastLedger(name: name, from: self.dtype, to: dtype, loss: total)
  }
}

extension Tensor {
  /// What putting the elements into blocks does to them.
  private func ledger(ofQuantizingTo dtype: DType) throws(CheckpointError) -> CastLedger {
    let pieces = stride(from: 0, to: elementCount, by: elementsPerBlock).map {
      $0..<min($0 + elementsPerBlock, elementCount)
    }
    let losses = try inParallel(pieces.count) { number throws(CheckpointError) in
      try loss(ofQuantizing: pieces[number], to: dtype)
    }
    let total = RoundingLoss(
      count: elementCount, rounded: losses.reduce(0) { $0 + $1.rounded }, overflowed: 0,
      becameSubnormal: 0, becameZero: losses.reduce(0) { $0 + $1.zero }, nan: 0,
      largestRelativeError: losses.reduce(0) { max($0, $1.largest) })
    return CastLedger(name: name, from: self.dtype, to: dtype, loss: total)
  }
}
