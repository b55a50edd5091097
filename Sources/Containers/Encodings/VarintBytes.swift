import TensorCore

/// Whole numbers, each stored in as few bytes as it takes (packed fields of Protocol Buffers), as elements of
/// a type.
///
/// All are looked at once, so that reading them later cannot fail for what they are. Where every so many
/// begin is remembered, so that they can be read from anywhere.
struct VarintBytes: TensorBytes {
  let count: Int
  private let ranges: [Range<Int>]
  private let file: any ByteSource
  private let dtype: DType
  private let width: Int
  /// Where every `spacing`th element begins: in which range, and where in the file.
  private var marks: [(range: Int, position: Int)] = []

  private static let spacing = 4096

  /// - Throws: `CheckpointError` if there are not `elements` of them, or one is no element of the type.
  init(
    _ ranges: [Range<Int>], in file: any ByteSource, dtype: DType, elements: Int
  ) throws(CheckpointError) {
    self.ranges = ranges
    self.file = file
    self.dtype = dtype
    width = dtype.bitWidth / 8
    count = elements * width
    var found = 0
    for (number, range) in ranges.enumerated() {
      var reader = WireReader(SourceCursor(file, range))
      while !reader.cursor.isAtEnd {
        if found.isMultiple(of: Self.spacing) { marks.append((number, reader.cursor.position)) }
        let offset = reader.cursor.position
        guard Self.fits(try reader.varint(), dtype) else {
          throw CheckpointError(.malformed("a number that \(dtype) has not"), offset: offset)
        }
        found += 1
      }
    }
    guard found == elements else {
      throw CheckpointError(.malformed("has \(found) numbers, its shape needs \(elements)"))
    }
  }

  /// Whether a number is an element of the type; those of floating-point types are its bits.
  private static func fits(_ bits: UInt64, _ dtype: DType) -> Bool {
    let value = Int64(bitPattern: bits)
    switch dtype {
    case .i64, .u64: return true
    case .i8: return Int8(exactly: value) != nil
    case .i16: return Int16(exactly: value) != nil
    case .i32: return Int32(exactly: value) != nil
    case .u32: return UInt32(exactly: bits) != nil
    case .bool: return bits <= 1
    default: return bits < 1 << UInt64(dtype.bitWidth)
    }
  }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    guard buffer.byteCount > 0 else { return }
    let first = offset / width
    let end = (offset + buffer.byteCount + width - 1) / width
    let numbers = try numbers(first..<end)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(numbers.count * width)
    for number in numbers { bytes += number.littleEndianBytes.prefix(width) }
    let inner = ByteRange(
      of: ByteArray(bytes), start: offset - first * width, count: buffer.byteCount)
    try inner.read(at: 0, into: &buffer)
  }

  private func numbers(_ range: Range<Int>) throws(CheckpointError) -> [UInt64] {
    var numbers: [UInt64] = []
    numbers.reserveCapacity(range.count)
    let mark = marks[range.lowerBound / Self.spacing]
    var position = range.lowerBound / Self.spacing * Self.spacing
    var (number, start) = (mark.range, mark.position)
    while position < range.upperBound {
      var reader = WireReader(SourceCursor(file, start..<ranges[number].upperBound))
      while !reader.cursor.isAtEnd, position < range.upperBound {
        let value = try reader.varint()
        if position >= range.lowerBound { numbers.append(value) }
        position += 1
      }
      number += 1
      guard position < range.upperBound else { break }
      guard number < ranges.count else {
        throw CheckpointError(.changedWhileRead, file: file.name)
      }
      start = ranges[number].lowerBound
    }
    return numbers
  }
}
