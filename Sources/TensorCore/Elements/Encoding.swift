/// How elements take bytes: in blocks of so many elements and so many bytes.
///
/// A block of most types is one element. Packed elements end at a byte only after several: two of F4, or
/// four of six bits, least significant bits first and without padding.
public struct Encoding: Hashable, Sendable {
  /// Elements of a block.
  public let elementsPerBlock: Int
  /// Bytes of a block.
  public let bytesPerBlock: Int

  /// Blocks of `elements` elements in `bytes` bytes.
  ///
  /// - Precondition: both are positive.
  public init(elementsPerBlock elements: Int, bytesPerBlock bytes: Int) {
    precondition(elements > 0 && bytes > 0, "a block of nothing")
    elementsPerBlock = elements
    bytesPerBlock = bytes
  }

  /// The bytes that a number of elements takes, the last block whole.
  public func byteCount(of elements: Int) -> Int {
    (elements + elementsPerBlock - 1) / elementsPerBlock * bytesPerBlock
  }

  /// How many elements `bytes` hold, in whole blocks.
  public func elementCount(in bytes: Int) -> Int {
    bytes / bytesPerBlock * elementsPerBlock
  }

  /// The bytes of the blocks that a range of elements touches.
  public func byteRange(of elements: Range<Int>) -> Range<Int> {
    let start = elements.lowerBound / elementsPerBlock * bytesPerBlock
    return start..<max(start, byteCount(of: elements.upperBound))
  }
}

extension DType {
  /// How elements of this type take bytes.
  public var encoding: Encoding {
    if let blockEncoding { return blockEncoding }
    let bits = bitWidth
    let elements = bits.isMultiple(of: 8) ? 1 : 8 / (1 << bits.trailingZeroBitCount)
    return Encoding(elementsPerBlock: elements, bytesPerBlock: elements * bits / 8)
  }

  /// The bytes that a number of elements takes.
  public func byteCount(of elements: Int) -> Int { encoding.byteCount(of: elements) }

  /// How many elements `bytes` hold.
  public func elementCount(in bytes: Int) -> Int { encoding.elementCount(in: bytes) }

  /// The bytes of a range of elements; packed ones may share its first and last byte with others.
  public func byteRange(of elements: Range<Int>) -> Range<Int> { encoding.byteRange(of: elements) }
}

extension Tensor {
  /// How the elements take bytes.
  public var encoding: Encoding { dtype.encoding }

  /// The bytes of a range of elements; packed ones may share its first and last byte with others.
  public func byteRange(of elements: Range<Int>) -> Range<Int> {
    encoding.byteRange(of: elements)
  }

  /// Reads the bytes of a range of elements.
  ///
  /// - Throws: `CheckpointError` when the bytes cannot be read.
  public func bytes(of elements: Range<Int>) throws(CheckpointError) -> [UInt8] {
    try bytes.read(byteRange(of: elements))
  }
}
