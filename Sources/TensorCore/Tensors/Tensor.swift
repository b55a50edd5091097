/// Bytes that exist somewhere and are read piece by piece, when asked for.
///
/// A container's reader, a transposed view and a buffer in memory all look like this, so whatever
/// consumes tensors needs no more memory than the piece it asks for.
public protocol TensorBytes: Sendable {
  /// How many bytes there are.
  var count: Int { get }

  /// Whether reading from the first byte to the last is much cheaper than in jumps, or checks more:
  /// compressed members, checksums, transposed arrays. Then one worker should read them all.
  var isReadForwards: Bool { get }

  /// Fills `buffer` with the bytes from `offset` on.
  ///
  /// - Precondition: `offset + buffer.byteCount <= count`.
  /// - Throws: `CheckpointError` when the bytes cannot be had any more (I/O, truncation, checksum).
  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError)

  /// Says that the bytes of `range` will be read soon, so that the system can bring them from the disk
  /// meanwhile. A hint: nothing waits for it, and where it is not known nothing happens.
  func announce(_ range: Range<Int>)

  /// The most memory that reading takes at a time beside the buffer, in bytes, if it is worth
  /// mentioning.
  var workingMemory: Int { get }

  /// Whether a slab is gathered from scattered elements for reading them (`Slab`).
  var usesSlab: Bool { get }

  /// The file that they are in, as messages call it; `nil` if it is not known, or they are in several.
  var fileName: String? { get }

  /// What they are by what somebody has said of their file; `nil` if nobody has. Bytes that are the same by that need not be read.
  var stated: StatedBytes? { get }

  /// The first bytes, at most `count`, for somebody who does not read on.
  func beginning(_ count: Int) throws(CheckpointError) -> [UInt8]
}

extension TensorBytes {
  public var workingMemory: Int { 0 }
  public var usesSlab: Bool { false }
  public var fileName: String? { nil }
  public var stated: StatedBytes? { nil }
  public func beginning(_ count: Int) throws(CheckpointError) -> [UInt8] {
    try read(0..<min(count, self.count))
  }
  public func announce(_ range: Range<Int>) {}
  public var isReadForwards: Bool { true }

  /// The bytes of `range` in a new array.
  public func read(_ range: Range<Int>) throws(CheckpointError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: range.count)
    var span = bytes.mutableSpan
    var raw = unsafe span.mutableBytes
    try read(at: range.lowerBound, into: &raw)
    return bytes
  }
}

/// A stretch of a file of which somebody, such as a hub, has said the digest.
public struct StatedBytes: Sendable {
  /// What the file is called.
  public let file: String
  /// The SHA-256 that is said of all of it, in lower-case hexadecimal.
  public let sha256: String
  /// Where the bytes stand in it.
  public let range: Range<Int>

  /// Says where bytes stand.
  public init(file: String, sha256: String, range: Range<Int>) {
    (self.file, self.sha256, self.range) = (file, sha256, range)
  }

  /// Whether both are the same bytes, if what was said is true.
  public func isSame(as other: StatedBytes) -> Bool {
    sha256 == other.sha256 && range == other.range
  }
}

/// Bytes that are in memory already.
public struct ByteArray: TensorBytes {
  /// The bytes.
  public let bytes: [UInt8]

  /// Wraps bytes in memory.
  public init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  public var count: Int { bytes.count }
  public var isReadForwards: Bool { false }

  public func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    let size = buffer.byteCount
    precondition(offset >= 0 && offset <= bytes.count - size, "read past the end of a byte array")
    unsafe buffer.withUnsafeMutableBytes { target in
      unsafe bytes.withUnsafeBytes { source in
        unsafe target.copyMemory(
          from: UnsafeRawBufferPointer(rebasing: source[offset..<offset + size]))
      }
    }
  }
}

/// A tensor of a checkpoint: name, dtype, shape, and where its bytes are.
///
/// Nothing is read until `bytes` is asked. The bytes are little-endian and in C order, whatever the
/// container holds.
public struct Tensor: Sendable {
  /// The name in its container.
  public let name: TensorName
  /// The element type.
  public let dtype: DType
  /// The extents, outermost first; empty for a scalar. An extent may be zero.
  public let shape: [Int]
  /// The elements.
  public let bytes: any TensorBytes

  /// Describes a tensor.
  ///
  /// - Precondition: `bytes.count` is what dtype and shape need. Containers check that before.
  public init(name: TensorName, dtype: DType, shape: [Int], bytes: any TensorBytes) {
    precondition(
      dtype.byteCount(shape: shape) == bytes.count, "bytes do not fit the dtype and shape")
    self.name = name
    self.dtype = dtype
    self.shape = shape
    self.bytes = bytes
  }

  /// How many elements there are.
  ///
  /// Behind a zero, products of the other extents may not fit.
  public var elementCount: Int { shape.reduce(1, &*) }

  /// How many bytes the elements take.
  public var byteCount: Int { bytes.count }

  /// The same tensor under another name.
  public func renamed(_ name: TensorName) -> Tensor {
    Tensor(name: name, dtype: dtype, shape: shape, bytes: bytes)
  }
}

/// The number of elements of `shape`, or `nil` if it overflows or an extent is negative.
///
/// Multiplied from the first extent on in 64 bits without a sign, as safetensors does: behind a zero,
/// extents may be of any size, and before it their product may reach 2^64.
public func checkedElementCount(of shape: [Int]) -> Int? {
  var count: UInt = 1
  for extent in shape {
    guard let extent = UInt(exactly: extent) else { return nil }
    let (product, overflow) = count.multipliedReportingOverflow(by: extent)
    if overflow { return nil }
    count = product
  }
  return Int(exactly: count)
}

extension DType {
  /// The bytes that a tensor of this type and `shape` takes, or `nil` if the number overflows, an
  /// extent is negative, packed sub-byte elements do not end at a byte, or rows are no whole blocks.
  public func byteCount(shape: [Int]) -> Int? {
    guard let elements = checkedElementCount(of: shape) else { return nil }
    if let block = blockEncoding {
      guard let row = shape.last, row.isMultiple(of: block.elementsPerBlock) else { return nil }
      let (bytes, overflow) = (elements / block.elementsPerBlock)
        .multipliedReportingOverflow(by: block.bytesPerBlock)
      return overflow ? nil : bytes
    }
    let (bits, overflow) = elements.multipliedReportingOverflow(by: bitWidth)
    if overflow || !bits.isMultiple(of: 8) { return nil }
    return bits / 8
  }
}

/// A shape as it is printed: `[2, 3]`, and `[]` for a scalar.
public func describe(shape: [Int]) -> String {
  "[" + shape.map(String.init).joined(separator: ", ") + "]"
}
