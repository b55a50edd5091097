public import TensorCore

extension DType {
  /// The block types that plain numbers can be rounded to.
  public static let quantizable: [DType] = [.q80, .q40, .q41, .q50, .q51]
}

extension Tensor {
  /// The tensor in blocks, computed when it is read, to the bytes that ggml's reference gives
  /// (ggml-quants.c, `quantize_row_…_ref`).
  ///
  /// - Precondition: the type is one of `quantizable`, the tensor's own is computable, and its rows are whole
  ///   blocks.
  public func quantized(to type: DType) -> Tensor {
    Tensor(name: name, dtype: type, shape: shape, bytes: QuantizedBytes(source: self, type: type))
  }

  /// How many numbers of a range of whole blocks are others once they are quantised, how many of them zero,
  /// and the largest relative error of those that are not.
  ///
  /// - Throws: `CheckpointError` if they cannot be read, or are not finite.
  public func loss(
    ofQuantizing elements: Range<Int>, to type: DType
  ) throws(CheckpointError) -> (rounded: Int, zero: Int, largest: Double) {
    let numbers = try singlePrecision(of: elements)
    let found = type.decodedBlocks(try type.encodedBlocks(numbers, of: name))
    var (rounded, zero, largest) = (0, 0, 0.0)
    for (old, new) in zip(numbers, found) where old != new {
      if new == 0 {
        zero += 1
      } else {
        rounded += 1
        largest = max(largest, abs((Double(new) - Double(old)) / Double(old)))
      }
    }
    return (rounded, zero, largest)
  }

  /// The elements of a range in single precision.
  func singlePrecision(of elements: Range<Int>) throws(CheckpointError) -> [Float] {
    let stored = try bytes(of: elements)
    var values = [Float](repeating: 0, count: elements.count)
    var span = values.mutableSpan
    dtype.widen(unsafe stored.span.bytes, into: &span)
    return values
  }
}

/// Numbers that are put into blocks when they are read.
private struct QuantizedBytes: TensorBytes {
  let source: Tensor
  let type: DType

  private static let elementsPerPiece = 1 << 16

  var count: Int { type.byteCount(of: source.elementCount) }
  var isReadForwards: Bool { source.bytes.isReadForwards }
  var usesSlab: Bool { source.bytes.usesSlab }
  var workingMemory: Int { 16 * Self.elementsPerPiece + source.bytes.workingMemory }

  func announce(_ range: Range<Int>) {
    let elements = elements(of: range)
    source.bytes.announce(source.byteRange(of: elements))
  }

  /// The elements of the blocks that a range of bytes touches.
  private func elements(of bytes: Range<Int>) -> Range<Int> {
    let block = type.encoding
    let last = (bytes.upperBound + block.bytesPerBlock - 1) / block.bytesPerBlock
    return bytes.lowerBound / block.bytesPerBlock * block.elementsPerBlock..<last
      * block.elementsPerBlock
  }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    let wanted = offset..<offset + buffer.byteCount
    let all = elements(of: wanted)
    for start in stride(from: all.lowerBound, to: all.upperBound, by: Self.elementsPerPiece) {
      let piece = start..<min(start + Self.elementsPerPiece, all.upperBound)
      let encoded = try type.encodedBlocks(source.singlePrecision(of: piece), of: source.name)
      let first = type.byteCount(of: start)
      let part = (first..<first + encoded.count).clamped(to: wanted)
      unsafe buffer.withUnsafeMutableBytes { target in
        unsafe encoded[part.lowerBound - first..<part.upperBound - first].withUnsafeBytes {
          unsafe UnsafeMutableRawBufferPointer(
            rebasing: target[part.lowerBound - offset..<part.upperBound - offset]
          ).copyMemory(from: $0)
        }
      }
    }
  }
}

extension DType {
  /// Numbers in blocks of this type.
  ///
  /// - Throws: `CheckpointError` if a number is not finite.
  fileprivate func encodedBlocks(
    _ numbers: [Float], of name: TensorName
  ) throws(CheckpointError) -> [UInt8] {
    guard numbers.allSatisfy(\.isFinite) else {
      throw CheckpointError(
        .refused("\(self) has no infinity and no NaN, and the tensor has"), tensor: name)
    }
    return encodedFinite(numbers)
  }

  /// Finite numbers in blocks of this type.
  func encodedFinite(_ numbers: [Float]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(byteCount(of: numbers.count))
    for start in stride(from: 0, to: numbers.count, by: 32) {
      let block = numbers[start..<min(start + 32, numbers.count)]
      switch self {
      case .q80: appendQ80(block, to: &bytes)
      case .q40, .q50: appendAroundZero(block, codes: self == .q40 ? 16 : 32, to: &bytes)
      default: appendAboveMinimum(block, codes: self == .q41 ? 16 : 32, to: &bytes)
      }
    }
    return bytes
  }
}

/// `1 / scale`, or 0 for no scale.
private func inverse(_ scale: Float) -> Float { scale == 0 ? 0 : 1 / scale }

private func appendHalf(_ value: Float, to bytes: inout [UInt8]) {
  let bits = DType.f16.roundedBits(of: Double(value))
  bytes.append(UInt8(truncatingIfNeeded: bits))
  bytes.append(UInt8(truncatingIfNeeded: bits >> 8))
}

/// A number without its fraction, at most `most`. Where the inverse of a tiny scale is infinite, so are the
/// products; they become 0, as on processors whose conversion gives the least integer.
private func code(_ value: Float, most: Int) -> UInt8 {
  value.isFinite && abs(value) < 256 ? UInt8(truncatingIfNeeded: min(most, Int(value))) : 0
}

private func appendQ80(_ block: ArraySlice<Float>, to bytes: inout [UInt8]) {
  let scale = block.reduce(0) { max($0, abs($1)) } / 127
  let factor = inverse(scale)
  appendHalf(scale, to: &bytes)
  for value in block {
    let product = (value * factor).rounded()
    bytes.append(
      product.isFinite && abs(product) < 256 ? UInt8(truncatingIfNeeded: Int(product)) : 0)
  }
}

/// Codes around zero: the number that is furthest from it has the code 0.
private func appendAroundZero(_ block: ArraySlice<Float>, codes count: Int, to bytes: inout [UInt8])
{
  var furthest: Float = 0
  for value in block where abs(value) > abs(furthest) { furthest = value }
  let half = Float(count / 2)
  let scale = furthest / -half
  let factor = inverse(scale)
  appendHalf(scale, to: &bytes)
  append(
    block.map { code($0 * factor + (half + 0.5), most: count - 1) }, hasFifth: count == 32,
    to: &bytes)
}

/// Codes above the least number, which is stored too.
private func appendAboveMinimum(
  _ block: ArraySlice<Float>, codes count: Int, to bytes: inout [UInt8]
) {
  let (least, most) = (block.min() ?? 0, block.max() ?? 0)
  let scale = (most - least) / Float(count - 1)
  let factor = inverse(scale)
  appendHalf(scale, to: &bytes)
  appendHalf(least, to: &bytes)
  append(
    block.map { code(($0 - least) * factor + 0.5, most: count - 1) }, hasFifth: count == 32,
    to: &bytes)
}

/// Codes of a block: the fifth bits of all, if they have one, and bytes with the lower bits of two, the first
/// sixteen in the lower halves.
private func append(_ codes: [UInt8], hasFifth: Bool, to bytes: inout [UInt8]) {
  if hasFifth {
    for start in stride(from: 0, to: 32, by: 8) {
      bytes.append((0..<8).reduce(0) { $0 | (codes[start + $1] >> 4 & 1) << UInt8($1) })
    }
  }
  for place in 0..<16 { bytes.append(codes[place] & 0xF | codes[place + 16] << 4) }
}
