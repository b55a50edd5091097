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
  let collectors = tensors.map { StatisticsCollector($0, options) }
  _ = try inParallel(groups.count) { number throws(CheckpointError) in
    for stretch in groups[number] {
      let tensor = tensors[stretch.tensor]
      var part = PartialStatistics(tensor.dtype, options)
      try tensor.stream(of: stretch.elements) { bytes, first in
        part.add(bytes, first: first)
        counter.add(bytes.byteCount)
      }
      try collectors[stretch.tensor].take(part, at: stretch.elements.lowerBound)
    }
  }
  return try collectors.map { collector throws(CheckpointError) in try collector.result() }
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
    let values = (0..<copy.count * 8 / dtype.bitWidth).map { index -> Double in
      if case .single(let value) = dtype.element(at: index, of: copy) {
        Double(value)
      } else {
        .nan
      }
    }
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

/// Puts together what workers found out about one tensor.
private final class StatisticsCollector: Sendable {
  private struct State {
    var parts: [Int: PartialStatistics] = [:]
    var sketch: QuantileSketch?
    var seen = 0
    var result: TensorStatistics?
  }

  private let tensor: Tensor
  private let options: StatisticsOptions
  private let partCount: Int
  private let state = Mutex(State())

  init(_ tensor: Tensor, _ options: StatisticsOptions) {
    self.tensor = tensor
    self.options = options
    partCount = Stretch.all(of: tensor, number: 0).count
  }

  /// Takes the part that begins at an element. The last one completes the result.
  func take(_ part: PartialStatistics, at start: Int) throws(CheckpointError) {
    try state.withLock { state throws(CheckpointError) in
      var part = part
      if let sketch = part.sketch {
        if state.sketch == nil { state.sketch = sketch } else { state.sketch?.merge(sketch) }
        part.sketch = nil
      }
      state.parts[start] = part
      state.seen += 1
      guard state.seen == partCount else { return }
      state.result = try summary(state)
      state = State(result: state.result)
    }
  }

  func result() throws(CheckpointError) -> TensorStatistics {
    try state.withLock { state throws(CheckpointError) in
      if let result = state.result { return result }
      return try summary(state)
    }
  }

  private func summary(_ state: State) throws(CheckpointError) -> TensorStatistics {
    var total = PartialStatistics(tensor.dtype, StatisticsOptions(largest: options.largest))
    for (_, part) in state.parts.sorted(by: { $0.key < $1.key }) { total.merge(part) }
    var result: TensorStatistics
    var range: ClosedRange<Double>?
    switch total.numbers {
    case .real(let real):
      result = TensorStatistics(tensor, try rescaled(real))
      if real.moments.count > 0 { range = real.moments.minimum...real.moments.maximum }
    case .integer(let integers):
      result = TensorStatistics(tensor, integers)
      if let low = integers.minimum, let high = integers.maximum {
        range = Double(low)...Double(high)
      }
    case .complex(let complex): result = TensorStatistics(tensor, complex)
    }
    guard let sketch = state.sketch, let range else { return result }
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
    guard tensor.dtype == .f64, magnitude > 0x1p480 || magnitude > 0 && magnitude < 0x1p-480 else {
      return real
    }
    // Exponents are from −1074 to 1023; neither end has a reciprocal that is normal.
    let exponent = min(1000, max(-1000, Int(magnitude.exponent)))
    let scale = Double(sign: .plus, exponent: -exponent, significand: 1)
    var total = PartialStatistics(.f64, StatisticsOptions())
    for stretch in Stretch.all(of: tensor, number: 0) {
      var part = PartialStatistics(.f64, StatisticsOptions())
      part.scale = scale
      try tensor.stream(of: stretch.elements) { bytes, first in
        part.add(bytes, first: first)
      }
      total.merge(part)
    }
    guard case .real(let scaled) = total.numbers else { return real }
    return real.recomputed(from: scaled, unit: 1 / scale)
  }
}
