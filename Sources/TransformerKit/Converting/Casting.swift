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

/// The memory that casting takes beside source and target: a piece of the source, or what each worker reads
/// of it, and a block of numbers for each worker.
func castMemory(of source: Tensor) -> Int {
  let (numbers, reading) = (Parallel.workers * elementsPerBlock * 8, source.bytes.workingMemory)
  guard !source.bytes.isReadForwards else {
    return source.dtype.byteCount(of: min(source.elementCount, elementsPerPiece)) + numbers
      + reading
  }
  return numbers + Parallel.workers * (source.dtype.byteCount(of: elementsPerBlock) + reading)
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
    try buffer.fill(from: offset, width: width, elementsAtATime: elementsPerPiece) {
      elements throws(CheckpointError) in
      var bytes = [UInt8](repeating: 0, count: elements.count * width)
      var span = bytes.mutableSpan
      var whole = unsafe span.mutableBytes
      try cast(from: elements.lowerBound, into: &whole)
      return bytes
    }
  }

  /// Casts as many elements as `buffer` has room for.
  private func cast(from first: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    let elements = first..<first + to.elementCount(in: buffer.byteCount)
    try unsafe buffer.withUnsafeMutableBytes { target throws(CheckpointError) in
      for piece in pieces(of: elements, size: elementsPerPiece) {
        _ = try source.forEachBlock(of: piece) { block, bytes in
          // Blocks are disjoint, so their places are.
          let place = unsafe UnsafeMutableRawBufferPointer(
            rebasing: target[
              to.byteRange(of: block.lowerBound - first..<block.upperBound - first)])
          var span = unsafe MutableRawSpan(_unsafeBytes: place)
          source.dtype.cast(bytes, to: to, into: &span)
        }
      }
    }
  }
}

/// The parts of a range, in steps of `size`.
private func pieces(of range: Range<Int>, size: Int) -> [Range<Int>] {
  stride(from: range.lowerBound, to: range.upperBound, by: size).map {
    $0..<min($0 + size, range.upperBound)
  }
}

extension Tensor {
  /// Calls `body` with blocks of elements that make up a piece, and their bytes, on several cores; what is read
  /// forwards is read by one.
  ///
  /// - Returns: the results, in the order of the elements.
  /// - Throws: `CheckpointError` when the bytes cannot be read.
  fileprivate func forEachBlock<Result: Sendable>(
    of piece: Range<Int>, _ body: (Range<Int>, RawSpan) -> Result
  ) throws(CheckpointError) -> [Result] {
    let blocks = pieces(of: piece, size: elementsPerBlock)
    let whole = bytes.isReadForwards ? try bytes(of: piece) : nil
    return try inParallel(blocks.count) { number throws(CheckpointError) in
      let block = blocks[number]
      let start = whole == nil ? block.lowerBound : piece.lowerBound
      let held = if let whole { whole } else { try bytes(of: block) }
      let part = dtype.byteRange(of: block.lowerBound - start..<block.upperBound - start)
      let values = unsafe held.span.bytes.extracting(part)
      return body(block, values)
    }
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
  func loss(ofCasting bytes: [UInt8], to dtype: DType) throws(CheckpointError) -> RoundingLoss {
    let blocks = pieces(of: 0..<elementCount(in: bytes.count), size: elementsPerBlock)
    let losses = try inParallel(blocks.count) { number throws(CheckpointError) in
      let values = unsafe bytes.span.bytes.extracting(byteRange(of: blocks[number]))
      return loss(ofCasting: values, to: dtype)
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
    for piece in pieces(of: 0..<elementCount, size: elementsPerPiece) {
      let losses = try forEachBlock(of: piece) { self.dtype.loss(ofCasting: $1, to: dtype) }
      total = losses.reduce(into: total) { $0 += $1 }
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
