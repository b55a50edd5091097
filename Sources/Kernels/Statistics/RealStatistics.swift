public import TensorCore

/// Statistics of numbers with a fraction: of the finite ones, and how many are special.
public struct RealStatistics: Equatable, Sendable {
  /// Of the finite numbers.
  public private(set) var moments = Moments()
  /// Zeros of either sign.
  public private(set) var zeros = 0
  /// Finite numbers below the type's smallest normal one, zero left out.
  public private(set) var subnormals = 0
  /// Not a number.
  public private(set) var nan = 0
  /// Infinities of either sign.
  public private(set) var infinite = 0
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
  ///   - dtype: a floating-point type of whole bytes.
  ///   - first: the number of the first element in its tensor.
  public mutating func add(_ bytes: RawSpan, _ dtype: DType, first: Int = 0) {
    switch dtype {
    case .f64: add(DoubleElement.self, bytes, dtype, first: first)
    case .bf16: add(BrainElement.self, bytes, dtype, first: first)
    case .f16: add(HalfElement.self, bytes, dtype, first: first)
    case .f32: add(SingleElement.self, bytes, dtype, first: first)
    default: addCodes(bytes, dtype, first: first)
    }
  }

  /// Adds the numbers of another one.
  public mutating func merge(_ other: RealStatistics) {
    moments.merge(other.moments)
    zeros += other.zeros
    subnormals += other.subnormals
    nan += other.nan
    infinite += other.infinite
    largest.merge(other.largest)
  }

  /// Runs of numbers, and what does not fill eight lanes one by one.
  @inline(__always)
  private mutating func add<Element: RunElement>(
    _: Element.Type, _ bytes: RawSpan, _ dtype: DType, first: Int
  ) {
    let count = bytes.byteCount / Element.width
    var start = 0
    while count - start >= 8 {
      let length = min(Run.length, (count - start) / 8 * 8)
      let run = Run(
        Element.self, bytes, at: start * Element.width, count: length,
        leastNormal: dtype.leastNormal)
      if run.isFinite {
        moments.merge(run.moments)
        zeros += run.zeros
        subnormals += run.subnormals
      }
      if !run.isFinite || largest.mayHave(run.moments.magnitude) {
        addSlowly(
          Element.self, bytes, dtype, start..<start + length, first: first,
          isCounted: run.isFinite)
      }
      start += length
    }
    addSlowly(Element.self, bytes, dtype, start..<count, first: first, isCounted: false)
  }

  /// One by one, where some may not be finite.
  private mutating func addSlowly<Element: RunElement>(
    _: Element.Type, _ bytes: RawSpan, _ dtype: DType, _ range: Range<Int>, first: Int,
    isCounted: Bool
  ) {
    var values: [Double] = []
    values.reserveCapacity(range.count)
    // A whole vector is loaded, and the lanes beyond the end are zero.
    for start in stride(from: range.lowerBound, to: range.upperBound, by: 8) {
      let count = min(8, range.upperBound - start)
      let lanes = loaded(Element.self, bytes, start, count)
      for lane in 0..<count { values.append(lanes[lane]) }
    }
    if isCounted {
      for (index, value) in values.enumerated() {
        largest.add(value, at: first + range.lowerBound + index)
      }
    } else {
      add(values, leastNormal: dtype.leastNormal, first: first + range.lowerBound)
    }
  }

  private func loaded<Element: RunElement>(
    _: Element.Type, _ bytes: RawSpan, _ start: Int, _ count: Int
  ) -> SIMD8<Double> {
    if count == 8 { return Element.widen(Element.load(bytes, at: start * Element.width)) }
    var padded = [UInt8](repeating: 0, count: 8 * Element.width)
    for index in 0..<count * Element.width {
      padded[index] = unsafe bytes.unsafeLoad(
        fromByteOffset: start * Element.width + index, as: UInt8.self)
    }
    return Element.widen(Element.load(unsafe padded.span.bytes, at: 0))
  }

  /// The same, with the mean, deviation and norm of numbers that were divided by `unit` first.
  public func recomputed(from scaled: RealStatistics, unit: Double) -> RealStatistics {
    var result = self
    result.moments = scaled.moments.times(unit, extremes: moments)
    return result
  }

  /// Adds numbers one by one.
  ///
  /// - Parameters:
  ///   - values: in the order of the tensor.
  ///   - leastNormal: the smallest number of their type that is not subnormal.
  ///   - first: the number of the first one in its tensor.
  public mutating func add(_ values: [Double], leastNormal: Double, first: Int) {
    if largest.limit > 0 {
      for (index, value) in values.enumerated() { largest.add(value, at: first + index) }
    }
    count(values, leastNormal: leastNormal)
  }

  private mutating func count(_ values: [Double], leastNormal: Double) {
    for value in values {
      if value.isNaN { nan += 1 }
      if value.isInfinite { infinite += 1 }
      if value == 0 { zeros += 1 }
      if value != 0 && abs(value) < leastNormal { subnormals += 1 }
    }
    moments.merge(Moments(of: values.filter(\.isFinite)))
  }

  /// Elements of eight bits: looked up, then like singles.
  private mutating func addCodes(_ bytes: RawSpan, _ dtype: DType, first: Int) {
    let table = dtype.valuesOfCodes
    var values: [Double] = []
    for start in stride(from: 0, to: bytes.byteCount, by: Run.length) {
      let end = min(start + Run.length, bytes.byteCount)
      values.removeAll(keepingCapacity: true)
      for index in start..<end {
        values.append(
          Double(table[Int(unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self))]))
      }
      add(values, leastNormal: dtype.leastNormal, first: first + start)
    }
  }
}

extension DType {
  /// The smallest positive number of a floating-point type that is not subnormal; 0 if none is.
  ///
  /// Of packed types and those of eight bits, as their specifications have it (see `Elements.swift`).
  public var leastNormal: Double {
    switch self {
    case .f64: 0x1p-1022
    case .f32, .bf16: 0x1p-126
    case .f16, .f8e5m2: 0x1p-14
    case .f8e5m2fnuz: 0x1p-15
    case .f8e4m3: 0x1p-6
    case .f8e4m3fnuz: 0x1p-7
    case .f6e3m2: 0x1p-2
    case .f6e2m3, .f4: 1
    // What blocks stand for are single-precision numbers.
    default: isBlock ? 0x1p-126 : 0
    }
  }

  /// The number that each code of a type of eight bits stands for.
  var valuesOfCodes: [Float] {
    let codes = Array(UInt8.min...UInt8.max)
    return codes.indices.map { index in
      if case .single(let value) = element(at: index, of: codes) { value } else { .nan }
    }
  }
}
