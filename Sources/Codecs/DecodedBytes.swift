import TensorCore

/// Numbers that are computed when they are read, some at a time: in single or double precision, and rounded to their
/// type, or put together of bytes as they are.
final class DecodedBytes: TensorBytes {
  let count: Int
  let isReadForwards: Bool
  let usesSlab: Bool
  let workingMemory: Int
  /// The bytes of a range of numbers.
  private let decode: @Sendable (Range<Int>) throws(CheckpointError) -> [UInt8]
  private let announceElements: @Sendable (Range<Int>) -> Void

  /// The file of the codes, where errors come from.
  private let codesFile: String?
  /// Bytes of a number.
  private let width: Int

  /// Numbers that are decoded at a time.
  private static let elementsPerPiece = 1 << 16

  /// - Parameters:
  ///   - elementCount: how many numbers there are.
  ///   - dtype: their type, a computable one.
  ///   - codes: what most of them is read from.
  ///   - announce: says that some will be read soon.
  ///   - decode: the numbers of a range.
  convenience init(
    elementCount: Int, dtype: DType = .f32, codes: any TensorBytes,
    announce: @escaping @Sendable (Range<Int>) -> Void,
    decode: @escaping @Sendable (Range<Int>) throws(CheckpointError) -> [Float]
  ) {
    self.init(elementCount, dtype, codes, announce) { range throws(CheckpointError) in
      let values = try decode(range)
      var bytes = [UInt8](repeating: 0, count: dtype.byteCount(of: values.count))
      var span = bytes.mutableSpan
      var target = unsafe span.mutableBytes
      dtype.round(values.span, into: &target)
      return bytes
    }
  }

  /// The same in double precision, which is their type.
  convenience init(
    elementCount: Int, doubles codes: any TensorBytes,
    announce: @escaping @Sendable (Range<Int>) -> Void,
    decode: @escaping @Sendable (Range<Int>) throws(CheckpointError) -> [Double]
  ) {
    self.init(elementCount, .f64, codes, announce) { range throws(CheckpointError) in
      let values = try decode(range)
      var bytes = [UInt8](repeating: 0, count: DType.f64.byteCount(of: values.count))
      var span = bytes.mutableSpan
      var target = unsafe span.mutableBytes
      DType.f64.round(values.span, into: &target)
      return bytes
    }
  }

  /// - Parameter decode: the bytes of a range of elements.
  init(
    _ elementCount: Int, _ dtype: DType, _ codes: any TensorBytes,
    _ announce: @escaping @Sendable (Range<Int>) -> Void,
    decode: @escaping @Sendable (Range<Int>) throws(CheckpointError) -> [UInt8]
  ) {
    width = dtype.byteCount(of: 1)
    count = elementCount * width
    isReadForwards = codes.isReadForwards
    usesSlab = codes.usesSlab
    workingMemory = 8 * Self.elementsPerPiece + codes.workingMemory
    codesFile = codes.fileName
    announceElements = announce
    self.decode = decode
  }

  func announce(_ range: Range<Int>) {
    announceElements(
      range.lowerBound / width..<(range.upperBound + width - 1) / width)
  }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    precondition(offset >= 0 && offset + buffer.byteCount <= count, "read past the end of a tensor")
    try buffer.fill(from: offset, width: width, elementsAtATime: Self.elementsPerPiece) {
      range throws(CheckpointError) in
      do throws(CheckpointError) {
        return try decode(range)
      } catch {
        throw codesFile.map { error.inFile($0) } ?? error
      }
    }
  }
}
