public import TensorCore

/// What a tensor's elements are, in whatever order: equal for renamed, reshaped, transposed and
/// permuted copies, and for copies with rows of zeros.
///
/// A sum of mixed element bits, so that it finds candidates; whoever needs certainty compares them.
public struct Fingerprint: Hashable, Sendable {
  /// The element type.
  public let dtype: DType
  /// Elements of which not all bits are zero.
  public private(set) var nonzero = 0
  private var sum: UInt64 = 0

  /// Of no elements yet.
  public init(_ dtype: DType) {
    self.dtype = dtype
  }

  /// Adds all elements that `bytes` hold.
  public mutating func add(_ bytes: RawSpan) {
    switch dtype.byteWidth {
    case 2: add(bytes, UInt16.self)
    case 4: add(bytes, UInt32.self)
    case 8, 16: add(bytes, UInt64.self)
    // Packed elements in whole bytes: still the same for a renamed copy.
    default: add(bytes, UInt8.self)
    }
  }

  @inline(__always)
  private mutating func add<Bits: FixedWidthInteger & BitwiseCopyable>(
    _ bytes: RawSpan, _: Bits.Type
  ) {
    let width = MemoryLayout<Bits>.size
    var (sum, nonzero) = (sum, nonzero)
    for index in 0..<bytes.byteCount / width {
      let bits = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: index * width, as: Bits.self)
      sum &+= mixed(UInt64(truncatingIfNeeded: bits))
      nonzero &+= bits == 0 ? 0 : 1
    }
    (self.sum, self.nonzero) = (sum, nonzero)
  }

  /// Adds the elements of another one.
  public mutating func merge(_ other: Fingerprint) {
    sum &+= other.sum
    nonzero += other.nonzero
  }
}

/// Bits spread over a word; zero stays zero. The multipliers are those of MurmurHash3's finaliser.
@inline(__always)
private func mixed(_ bits: UInt64) -> UInt64 {
  var x = bits &* 0xFF51_AFD7_ED55_8CCD
  x ^= x >> 33
  x = x &* 0xC4CE_B9FE_1A85_EC53
  return x ^ x >> 33
}

/// A number for each row and each column of a matrix, that says what stands in it in which order.
public struct LineHashes: Sendable {
  /// Of the rows.
  public private(set) var rows: [UInt64]
  /// Of the columns.
  public private(set) var columns: [UInt64]
  private let width: Int
  private var position = 0

  /// Of a matrix that is yet to be added, row by row.
  ///
  /// - Parameter width: bytes of an element: 1, 2, 4 or 8.
  public init(rows: Int, columns: Int, width: Int) {
    self.rows = [UInt64](repeating: 0, count: rows)
    self.columns = [UInt64](repeating: 0, count: columns)
    self.width = width
  }

  /// Adds the next elements, in C order.
  public mutating func add(_ bytes: RawSpan) {
    switch width {
    case 1: add(bytes, UInt8.self)
    case 2: add(bytes, UInt16.self)
    case 4: add(bytes, UInt32.self)
    default: add(bytes, UInt64.self)
    }
  }

  private mutating func add<Bits: FixedWidthInteger & BitwiseCopyable>(
    _ bytes: RawSpan, _: Bits.Type
  ) {
    var (row, column) = (position / columns.count, position % columns.count)
    for index in 0..<bytes.byteCount / MemoryLayout<Bits>.size {
      let bits = UInt64(
        truncatingIfNeeded: unsafe bytes.unsafeLoadUnaligned(
          fromByteOffset: index * MemoryLayout<Bits>.size, as: Bits.self))
      // One more, so that zeros count too.
      rows[row] &+= mixed((bits &+ 1) ^ UInt64(column) << 32)
      columns[column] &+= mixed((bits &+ 1) ^ UInt64(row) << 32)
      column += 1
      if column == columns.count { (row, column) = (row + 1, 0) }
    }
    position += bytes.byteCount / MemoryLayout<Bits>.size
  }
}
