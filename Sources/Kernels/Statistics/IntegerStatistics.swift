public import TensorCore

/// Statistics of integers, without any rounding until the end.
public struct IntegerStatistics: Equatable, Sendable {
  /// How many there are.
  public private(set) var count = 0
  /// The smallest, if there is one.
  public private(set) var minimum: Int128?
  /// The largest, if there is one.
  public private(set) var maximum: Int128?
  /// Their sum.
  public private(set) var sum: Int128 = 0
  /// Zeros.
  public private(set) var zeros = 0
  /// The sum of their squares, and how often it went over 2¹²⁸.
  private var squares: UInt128 = 0
  private var overflows: UInt128 = 0
  /// The numbers of the largest magnitude, if they were asked for.
  public private(set) var largest: LargestElements

  /// None yet.
  ///
  /// - Parameter largest: how many numbers of the largest magnitude to keep.
  public init(largest: Int = 0) {
    self.largest = LargestElements(limit: largest)
  }

  /// Adds all elements that `bytes` hold.
  ///
  /// - Parameters:
  ///   - bytes: little-endian elements.
  ///   - dtype: an integer type, or `bool`, of which any byte but 0 counts as 1.
  ///   - first: the number of the first element in its tensor.
  public mutating func add(_ bytes: RawSpan, _ dtype: DType, first: Int = 0) {
    switch dtype {
    case .i8: addShort(Int8.self, bytes, first) { Int($0) }
    case .u8: addShort(UInt8.self, bytes, first) { Int($0) }
    case .i16: addShort(Int16.self, bytes, first) { Int($0) }
    case .u16: addShort(UInt16.self, bytes, first) { Int($0) }
    case .i32: addLong(Int32.self, bytes, first)
    case .u32: addLong(UInt32.self, bytes, first)
    case .i64: addLong(Int64.self, bytes, first)
    case .u64: addLong(UInt64.self, bytes, first)
    case .bool: addShort(UInt8.self, bytes, first) { $0 == 0 ? 0 : 1 }
    default: preconditionFailure("no integer type")
    }
  }

  /// Integers whose squares, added up over a run, fit a machine word.
  @inline(__always)
  private mutating func addShort<Element: FixedWidthInteger & BitwiseCopyable>(
    _: Element.Type, _ bytes: RawSpan, _ first: Int, _ value: (Element) -> Int
  ) {
    let width = MemoryLayout<Element>.size
    let total = bytes.byteCount / width
    for start in stride(from: 0, to: total, by: Run.length) {
      let end = min(start + Run.length, total)
      var (low, high, sum, squares, zeros) = (Int.max, Int.min, 0, 0, 0)
      for index in start..<end {
        let x = value(
          unsafe bytes.unsafeLoadUnaligned(fromByteOffset: index * width, as: Element.self))
        low = min(low, x)
        high = max(high, x)
        sum &+= x
        squares &+= x &* x
        zeros &+= x == 0 ? 1 : 0
        if largest.limit > 0 { largest.add(x, at: first + index) }
      }
      addRun(end - start, Int128(low), Int128(high), Int128(sum), zeros)
      addSquares(UInt128(squares))
    }
  }

  @inline(__always)
  private mutating func addLong<Element: FixedWidthInteger & BitwiseCopyable>(
    _: Element.Type, _ bytes: RawSpan, _ first: Int
  ) {
    let width = MemoryLayout<Element>.size
    let total = bytes.byteCount / width
    for start in stride(from: 0, to: total, by: Run.length) {
      let end = min(start + Run.length, total)
      var (low, high, sum, zeros) = (Element.max, Element.min, 0 as Int128, 0)
      for index in start..<end {
        let x = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: index * width, as: Element.self)
        low = min(low, x)
        high = max(high, x)
        sum &+= Int128(x)
        zeros &+= x == 0 ? 1 : 0
        let magnitude = UInt128(x.magnitude)
        addSquares(magnitude &* magnitude)
        if largest.limit > 0 { largest.add(x, at: first + index) }
      }
      addRun(end - start, Int128(low), Int128(high), sum, zeros)
    }
  }

  private mutating func addRun(
    _ count: Int, _ low: Int128, _ high: Int128, _ sum: Int128, _ zeros: Int
  ) {
    self.count += count
    minimum = min(minimum ?? low, low)
    maximum = max(maximum ?? high, high)
    self.sum += sum
    self.zeros += zeros
  }

  private mutating func addSquares(_ more: UInt128) {
    let (total, carry) = squares.addingReportingOverflow(more)
    squares = total
    if carry { overflows += 1 }
  }

  /// Adds the numbers of another one.
  public mutating func merge(_ other: IntegerStatistics) {
    guard let low = other.minimum, let high = other.maximum else { return }
    addRun(other.count, low, high, other.sum, other.zeros)
    addSquares(other.squares)
    overflows += other.overflows
    largest.merge(other.largest)
  }

  /// The mean; NaN if there are none.
  public var mean: Double { Double(sum) / Double(count) }

  /// The root of the sum of squares.
  public var norm: Double { (Double(overflows) * 0x1p128 + Double(squares)).squareRoot() }

  /// The standard deviation as a population: √(n·Σx² − (Σx)²) / n, exact up to the root.
  public var deviation: Double {
    let n = UInt128(count)
    let product = n.multipliedFullWidth(by: squares)
    let square = sum.magnitude.multipliedFullWidth(by: sum.magnitude)
    let (low, borrow) = product.low.subtractingReportingOverflow(square.low)
    let high = product.high &+ n &* overflows &- square.high &- (borrow ? 1 : 0)
    return (Double(high) * 0x1p128 + Double(low)).squareRoot() / Double(count)
  }
}
