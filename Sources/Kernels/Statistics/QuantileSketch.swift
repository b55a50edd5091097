public import TensorCore

/// How often numbers of each magnitude occur, from which quantiles and histograms come.
///
/// Numbers are counted by sign, exponent and the first digits of the mantissa: the sketch of Masson,
/// Rim and Lee, "DDSketch: A Fast and Fully-Mergeable Quantile Sketch with Relative-Error Guarantees",
/// VLDB 2019, with bins that are linear between powers of two. A quantile is at most `relativeError`
/// of its value away from the element that has exactly that rank, unless that is subnormal. Counts do
/// not depend on the order.
public struct QuantileSketch: Sendable {
  /// Which bits of a number tell its bin.
  private enum Code {
    case half
    case single
    case double
  }

  private let dtype: DType
  private let code: Code
  private var counts: [Int]

  /// Of nothing yet.
  ///
  /// - Parameter dtype: a real type.
  public init(_ dtype: DType) {
    self.dtype = dtype
    switch dtype {
    case .f16: code = .half
    case .f32, .bf16, .f8e4m3, .f8e5m2, .f8e4m3fnuz, .f8e5m2fnuz, .f8e8m0, .f4, .f6e2m3, .f6e3m2:
      code = .single
    default: code = dtype.isBlock ? .single : .double
    }
    counts = [Int](repeating: 0, count: code == .double ? 1 << 19 : 1 << 16)
  }

  /// Whether there is a bin for each number of the type.
  private var isExact: Bool {
    dtype != .f32 && dtype != .f64 && !dtype.isBlock && code != .double
  }

  /// The error of quantiles, relative to their value.
  public var relativeError: Double {
    isExact || dtype == .i8 || dtype == .u8 || dtype == .bool ? 0 : 0x1p-8
  }

  /// Counts all elements that `bytes` hold.
  public mutating func add(_ bytes: RawSpan) {
    switch dtype {
    case .f16, .bf16: count(bytes, UInt16.self) { Int($0) }
    case .f32: count(bytes, UInt32.self) { Int($0 >> 16) }
    case .f64: count(bytes, UInt64.self) { Int($0 >> 45) }
    case .i8: count(bytes, Int8.self) { Self.bin(Double($0)) }
    case .u8: count(bytes, UInt8.self) { Self.bin(Double($0)) }
    case .bool: count(bytes, UInt8.self) { Self.bin($0 == 0 ? 0 : 1) }
    case .i16: count(bytes, Int16.self) { Self.bin(Double($0)) }
    case .u16: count(bytes, UInt16.self) { Self.bin(Double($0)) }
    case .i32: count(bytes, Int32.self) { Self.bin(Double($0)) }
    case .u32: count(bytes, UInt32.self) { Self.bin(Double($0)) }
    case .i64: count(bytes, Int64.self) { Self.bin(Double($0)) }
    case .u64: count(bytes, UInt64.self) { Self.bin(Double($0)) }
    default:
      let bins = dtype.valuesOfCodes.map { Int($0.bitPattern >> 16) }
      count(bytes, UInt8.self) { bins[Int($0)] }
    }
  }

  /// Counts numbers that are in memory already.
  public mutating func add(_ values: [Double]) {
    for value in values {
      counts[code == .double ? Self.bin(value) : Int(Float(value).bitPattern >> 16)] += 1
    }
  }

  private static func bin(_ value: Double) -> Int { Int(value.bitPattern >> 45) }

  @inline(__always)
  private mutating func count<Element: BitwiseCopyable>(
    _ bytes: RawSpan, _: Element.Type, _ bin: (Element) -> Int
  ) {
    let width = MemoryLayout<Element>.size
    var counts = counts.mutableSpan
    for index in 0..<bytes.byteCount / width {
      counts[
        bin(unsafe bytes.unsafeLoadUnaligned(fromByteOffset: index * width, as: Element.self))] += 1
    }
  }

  /// Adds the numbers of another one of the same type.
  public mutating func merge(_ other: QuantileSketch) {
    precondition(other.dtype == dtype)
    for index in counts.indices { counts[index] += other.counts[index] }
  }

  // MARK: Answers

  /// The bins that are not empty, in the order of their numbers; infinities and NaN left out.
  private var bins: [(value: Double, count: Int)] {
    let half = counts.count / 2
    var result: [(value: Double, count: Int)] = []
    for index in (0..<half).reversed() where counts[half + index] > 0 {
      if let value = magnitude(index) { result.append((-value, counts[half + index])) }
    }
    for index in 0..<half where counts[index] > 0 {
      if let value = magnitude(index) { result.append((value, counts[index])) }
    }
    return result
  }

  /// The number in the middle of a bin, or the only one that is in it.
  private func magnitude(_ index: Int) -> Double? {
    let (low, high): (Double, Double)
    switch code {
    case .half: (low, high) = (Double(widenedHalf(UInt16(index))), 0)
    case .single:
      low = Double(Float(bitPattern: UInt32(index) << 16))
      high = Double(Float(bitPattern: UInt32(index + 1) << 16))
    case .double:
      low = Double(bitPattern: UInt64(index) << 45)
      high = Double(bitPattern: UInt64(index + 1) << 45)
    }
    guard low.isFinite else { return nil }
    if isExact || low == 0 { return low }
    guard high.isFinite else { return low }
    let middle = low + (high - low) / 2
    return dtype.isFloatingPoint ? middle : middle.rounded(.down)
  }

  /// The numbers of which a part of that size is smaller: of `n` numbers in order, the one with number
  /// ⌊q·(n − 1)⌋. Nothing if there are none.
  ///
  /// - Parameters:
  ///   - parts: from 0 to 1.
  ///   - range: the extremes, which are known exactly.
  public func quantiles(_ parts: [Double], within range: ClosedRange<Double>) -> [Double] {
    let bins = bins
    let total = bins.reduce(0) { $0 + $1.count }
    guard total > 0 else { return [] }
    return parts.map { part in
      let rank = Int((part * Double(total - 1)).rounded(.down))
      if rank == 0 { return range.lowerBound }
      if rank == total - 1 { return range.upperBound }
      var seen = 0
      let bin = bins.first { bin in
        seen += bin.count
        return seen > rank
      }
      return min(max(bin?.value ?? 0, range.lowerBound), range.upperBound)
    }
  }

  /// How many numbers are in each of `count` equal parts of `range`.
  ///
  /// Each bin of the sketch counts where its middle is.
  public func histogram(_ count: Int, over range: ClosedRange<Double>) -> [Int] {
    var result = [Int](repeating: 0, count: count)
    // Halved, because the distance of two finite numbers may not be finite.
    let width = range.upperBound / 2 - range.lowerBound / 2
    for bin in bins {
      let place = (bin.value / 2 - range.lowerBound / 2) / width * Double(count)
      result[place.isFinite ? min(count - 1, max(0, Int(place))) : 0] += bin.count
    }
    return result
  }
}
