import Kernels
import Synchronization
public import TensorCore

/// The statistics of tensors, each byte read once, on all cores and in bounded memory.
///
/// Results depend neither on the number of workers nor on the container.
///
/// - Parameters:
///   - tensors: of any types.
///   - options: what to find out.
///   - progress: hears how many bytes are done.
/// - Throws: `CheckpointError` when bytes cannot be read.
public func statistics(
  of tensors: [Tensor], options: StatisticsOptions = StatisticsOptions(),
  progress: @escaping (Int) -> Void = { _ in }
) throws(CheckpointError) -> [TensorStatistics] {
  let counter = ByteCounter(progress)
  let groups = Stretch.groups(of: tensors)
  // Most tensors are one stretch: what is found of it is the result.
  var collectors: [Int: StatisticsCollector] = [:]
  for (number, tensor) in tensors.enumerated() {
    let partCount = Stretch.count(of: tensor)
    if partCount > 1 { collectors[number] = StatisticsCollector(tensor, options, partCount) }
  }
  let results = Mutex<[TensorStatistics?]>(Array(repeating: nil, count: tensors.count))
  _ = try inParallel(groups.count) { index throws(CheckpointError) in
    let number = groups[index][0].tensor
    try tensors[number].bytes.inTurn { () throws(CheckpointError) in
      for stretch in groups[index] {
        var part = PartialStatistics(tensors[number].dtype, options)
        try tensors[number].stream(of: stretch.elements) { bytes, first in
          part.add(bytes, first: first)
          counter.add(bytes.byteCount)
        }
        let result =
          if let collector = collectors[number] {
            try collector.take(part, at: stretch.elements.lowerBound)
          } else { try tensors[number].summary([part], options) }
        if let result { results.withLock { $0[number] = result } }
      }
    }
  }
  let found = results.withLock { results in
    defer { results = [] }
    return results
  }
  var all: [TensorStatistics] = []
  all.reserveCapacity(found.count)
  for (number, statistics) in found.enumerated() {
    // Tensors without elements have no stretch.
    if let statistics {
      all.append(statistics)
    } else {
      all.append(try tensors[number].summary([], options))
    }
  }
  return all
}

/// The statistics of a stretch.
private struct PartialStatistics: Sendable {
  enum Numbers {
    case real(RealStatistics)
    case integer(IntegerStatistics)
    case complex(ComplexStatistics)
  }

  let dtype: DType
  var numbers: Numbers
  var sketch: QuantileSketch?
  /// What double precision is multiplied by, so that squares neither overflow nor vanish.
  var scale = 1.0

  init(_ dtype: DType, _ options: StatisticsOptions) {
    self.dtype = dtype
    switch dtype {
    case .c64, .c128: numbers = .complex(ComplexStatistics())
    case _ where dtype.isFloatingPoint: numbers = .real(RealStatistics(largest: options.largest))
    default: numbers = .integer(IntegerStatistics(largest: options.largest))
    }
    if options.needsSketch, dtype != .c64, dtype != .c128 { sketch = QuantileSketch(dtype) }
  }

  mutating func add(_ bytes: RawSpan, first: Int) {
    if dtype.byteWidth == nil { return addPacked(bytes, first: first) }
    sketch?.add(bytes)
    switch numbers {
    case .real(var real):
      // Moved out and back, so that it is not copied.
      numbers = .complex(ComplexStatistics())
      if scale == 1 {
        real.add(bytes, dtype, first: first)
      } else {
        let values = doubles(bytes).map { $0 * scale }
        real.add(unsafe values.span.bytes, .f64)
      }
      numbers = .real(real)
    case .integer(var integers):
      integers.add(bytes, dtype, first: first)
      numbers = .integer(integers)
    case .complex(var complex):
      complex.add(bytes, dtype)
      numbers = .complex(complex)
    }
  }

  private mutating func addPacked(_ bytes: RawSpan, first: Int) {
    let copy = (0..<bytes.byteCount).map {
      unsafe bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self)
    }
    if dtype.isBlock { return add(dtype.decodedBlocks(copy).map { Double($0) }, first: first) }
    let values = (0..<dtype.elementCount(in: copy.count)).map { index -> Double in
      if case .single(let value) = dtype.element(at: index, of: copy) {
        Double(value)
      } else {
        .nan
      }
    }
    add(values, first: first)
  }

  private mutating func add(_ values: [Double], first: Int) {
    sketch?.add(values)
    guard case .real(var real) = numbers else { return }
    real.add(values, leastNormal: dtype.leastNormal, first: first)
    numbers = .real(real)
  }

  mutating func merge(_ other: PartialStatistics) {
    switch (numbers, other.numbers) {
    case (.real(var mine), .real(let more)):
      mine.merge(more)
      numbers = .real(mine)
    case (.integer(var mine), .integer(let more)):
      mine.merge(more)
      numbers = .integer(mine)
    case (.complex(var mine), .complex(let more)):
      mine.merge(more)
      numbers = .complex(mine)
    default: preconditionFailure("statistics of different types")
    }
  }
}

private func doubles(_ bytes: RawSpan) -> [Double] {
  (0..<bytes.byteCount / 8).map {
    unsafe bytes.unsafeLoadUnaligned(fromByteOffset: $0 * 8, as: Double.self)
  }
}

/// Puts together what workers found out about a tensor of several stretches.
private final class StatisticsCollector: Sendable {
  private let tensor: Tensor
  private let options: StatisticsOptions
  private let partCount: Int
  private let parts = Mutex<[Int: PartialStatistics]>([:])
  private let sketch = Mutex<QuantileSketch?>(nil)

  init(_ tensor: Tensor, _ options: StatisticsOptions, _ partCount: Int) {
    self.tensor = tensor
    self.options = options
    self.partCount = partCount
  }

  /// Takes the part that begins at an element. The last one completes the result.
  func take(
    _ part: PartialStatistics, at start: Int
  ) throws(CheckpointError) -> TensorStatistics? {
    var part = part
    if let sketch = part.sketch {
      self.sketch.withLock { if $0 == nil { $0 = sketch } else { $0?.merge(sketch) } }
      part.sketch = nil
    }
    let all = parts.withLock { parts -> [Int: PartialStatistics]? in
      parts[start] = part
      if parts.count < partCount { return nil }
      defer { parts = [:] }
      return parts
    }
    guard let all else { return nil }
    var sorted = all.sorted { $0.key < $1.key }.map(\.value)
    sorted[0].sketch = sketch.withLock { $0 }
    return try tensor.summary(sorted, options)
  }
}

extension Tensor {
  /// What the parts of a tensor, in order, say together. Only the first may have a sketch, of all.
  fileprivate func summary(
    _ parts: [PartialStatistics], _ options: StatisticsOptions
  ) throws(CheckpointError) -> TensorStatistics {
    var total = PartialStatistics(dtype, StatisticsOptions(largest: options.largest))
    for part in parts { total.merge(part) }
    var result: TensorStatistics
    var range: ClosedRange<Double>?
    switch total.numbers {
    case .real(let real):
      result = TensorStatistics(self, try rescaled(real))
      if real.moments.count > 0 { range = real.moments.minimum...real.moments.maximum }
    case .integer(let integers):
      result = TensorStatistics(self, integers)
      if let low = integers.minimum, let high = integers.maximum {
        range = Double(low)...Double(high)
      }
    case .complex(let complex): result = TensorStatistics(self, complex)
    }
    guard let sketch = parts.first?.sketch, let range else { return result }
    result.quantiles = sketch.quantiles(options.quantiles, within: range)
    result.quantileError = sketch.relativeError
    result.histogram = options.bars.map { bars in
      TensorStatistics.Histogram(range: range, counts: sketch.histogram(bars, over: range))
    }
    return result
  }

  /// The same, where squares of doubles are too large or too small: read once more, times a power of
  /// two.
  private func rescaled(_ real: RealStatistics) throws(CheckpointError) -> RealStatistics {
    let magnitude = real.moments.magnitude
    guard dtype == .f64, magnitude > 0x1p480 || magnitude > 0 && magnitude < 0x1p-480 else {
      return real
    }
    // Exponents are from −1074 to 1023; neither end has a reciprocal that is normal.
    let exponent = min(1000, max(-1000, Int(magnitude.exponent)))
    let scale = Double(sign: .plus, exponent: -exponent, significand: 1)
    var total = PartialStatistics(.f64, StatisticsOptions())
    for stretch in Stretch.all(of: self, number: 0) {
      var part = PartialStatistics(.f64, StatisticsOptions())
      part.scale = scale
      try stream(of: stretch.elements) { bytes, first in
        part.add(bytes, first: first)
      }
      total.merge(part)
    }
    guard case .real(let scaled) = total.numbers else { return real }
    return real.recomputed(from: scaled, unit: 1 / scale)
  }
}
