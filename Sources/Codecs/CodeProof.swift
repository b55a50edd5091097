public import TensorCore

/// A mistake that makes codes look like others.
public enum CodeCause: Equatable, Sendable {
  /// Zero points are too large, or too small, by one.
  case zeroPoints(Int)
  /// Codes of a word are in another order.
  case order
  /// Scales are the reciprocals of what they should be.
  case inverseScales
  /// All scales are too large by a factor.
  case factor(Double)
  /// Codes are larger, or smaller, by one than what the maker's formula gives.
  case codes(Int)
  /// Biases have the other sign.
  case biasSigns
  /// Scales are those of other groups.
  case otherGroups
  /// The rows of each head, of that size, are interleaved where they should be half-split, or the other way.
  case headOrder(size: Int, isInterleaved: Bool)

  /// What is wrong, in words.
  public var text: String {
    switch self {
    case .zeroPoints(let number): "all zero points are too \(number > 0 ? "large" : "small") by one"
    case .order: "codes are in another order in their words"
    case .inverseScales: "scales are the reciprocals of what they should be"
    case .factor(let factor): "all scales are too large by a factor of \(Float(factor))"
    case .codes(let number): "they are too \(number > 0 ? "large" : "small") by one"
    case .biasSigns: "biases have the other sign"
    case .otherGroups: "scales are those of other groups"
    case .headOrder(let size, let isInterleaved):
      "rows of each head of \(size) are \(isInterleaved ? "interleaved" : "half-split")"
    }
  }
}

extension CodedTensor {
  /// Whether it can be shown that codes are the nearest ones under their scales.
  public var hasProof: Bool { codes != nil }

  /// A weight in the order in which the codes of this one lie.
  ///
  /// - Precondition: it has the shape of the plain tensor.
  public func inOrderOfCodes(_ weight: Tensor) -> Tensor {
    guard let codes, codes.isTransposed else { return weight }
    return Tensor(
      name: weight.name, dtype: weight.dtype, shape: [codes.shape.rows, codes.shape.columns],
      bytes: codes.transposed(weight.bytes, weight.dtype, toCodes: true))
  }

  /// How the codes are to the numbers of `original`.
  ///
  /// Each must be the nearest one under its own scale, and zero point, as far as rounding goes: makers divide by scales
  /// before these are rounded, or in the type of the scales. And all together must be nearer than zeros are. Where the maker's
  /// formula is known and scales and biases are all what it gives, codes must be, too.
  ///
  /// - Parameter original: numbers in the order of the codes.
  /// - Throws: `CheckpointError` if bytes cannot be read.
  public func finding(of original: Tensor) throws(CheckpointError) -> QuantizationFinding {
    var finding = QuantizationFinding()
    let count = original.elementCount
    let repeated = try repeated(original)
    let isMakers = repeated?.hasScales == true
    for start in stride(from: 0, to: count, by: elementsPerPiece) {
      let range = start..<min(start + elementsPerPiece, count)
      finding +=
        isMakers ? try error(of: original, range) : try self.finding(of: original, range, nil)
    }
    finding.repeated = repeated
    if isMakers, let repeated {
      if let first = repeated.firstCode { finding.blame(repeated.codes, first: first) }
      return finding
    }
    // Under scales that are far too large, all are zero, and the nearest: then none is right.
    if finding.relativeError >= 1 { finding.blameAll(count) }
    return finding
  }

  /// The one mistake that explains most of what was found, if one does.
  ///
  /// - Throws: `CheckpointError` if bytes cannot be read.
  public func cause(
    of original: Tensor, in found: QuantizationFinding
  ) throws(CheckpointError) -> CodeCause? {
    guard let codes, let first = found.firstWrong else { return nil }
    if let cause = found.repeated?.cause { return cause }
    // Whole rows of words, among which the first wrong code is.
    let unit = codes.shape.columns * (codes.rows.isPackedDown ? 32 : 1)
    let start = first / unit * unit
    let range =
      start..<min(
        start + max(unit, min(elementsPerPiece, 1 << 20) / unit * unit), original.elementCount)
    guard range.count <= 1 << 20 else { return nil }
    let wrong = try finding(of: original, range, nil).wrong
    var causes: [CodeCause] = [.inverseScales]
    if codes.rows.floats == nil { causes.insert(.order, at: 0) }
    // What codes are added to where a formula is known are biases.
    if codes.rows.isEven, found.repeated == nil {
      causes = [.zeroPoints(1), .zeroPoints(-1)] + causes
    }
    if let factor = try factor(of: original, range) { causes.append(.factor(factor)) }
    for cause in causes where wrong > 0 {
      // One in a hundred may have another reason.
      if try finding(of: original, range, cause).wrong * 100 <= wrong { return cause }
    }
    return found.repeated?.isExchanged == true ? .otherGroups : nil
  }

  /// How far numbers are from those of `original`.
  private func error(
    of original: Tensor, _ range: Range<Int>
  ) throws(CheckpointError) -> QuantizationFinding {
    var finding = QuantizationFinding()
    finding.measure(try original.singlePrecision(of: range), try codes?.numbers(range) ?? [])
    return finding
  }

  /// By how much numbers are too large, in the mean of squares.
  private func factor(of original: Tensor, _ range: Range<Int>) throws(CheckpointError) -> Double? {
    let numbers = try original.singlePrecision(of: range)
    let found = try codes?.numbers(range) ?? []
    var (products, squares) = (0.0, 0.0)
    for (x, y) in zip(numbers, found) {
      products += Double(x) * Double(y)
      squares += Double(x) * Double(x)
    }
    let factor = products / squares
    return factor.isFinite && factor > 0 ? factor : nil
  }

  private func finding(
    of original: Tensor, _ range: Range<Int>, _ cause: CodeCause?
  ) throws(CheckpointError) -> QuantizationFinding {
    var finding = QuantizationFinding()
    guard let codes else { return finding }
    let numbers = try original.singlePrecision(of: range)
    let found = try codes.numbers(range)
    finding.measure(numbers, found)
    let levels = try CodeLevels(codes, range)
    if cause == .order {
      // Whichever order it is, it is one for all words.
      return orders.map { order in
        let moved = levels.exchanged(found, codes, order)
        return blamed(numbers, moved, levels, codes, nil, range.lowerBound)
      }.min { $0.wrong < $1.wrong } ?? finding
    }
    finding += blamed(numbers, found, levels, codes, cause, range.lowerBound)
    return finding
  }

  /// Counts the codes of which another one would be nearer.
  private func blamed(
    _ numbers: [Float], _ found: [Float], _ levels: CodeLevels, _ codes: CodeMatrix,
    _ cause: CodeCause?, _ start: Int
  ) -> QuantizationFinding {
    let inType: Double =
      switch codes.dtype {
      case .bf16: 0x1p-7
      case .f16: 0x1p-9
      default: 0x1p-20
      }
    let rounding = max(inType, codes.rows.scaleRounding)
    var finding = QuantizationFinding()
    for index in numbers.indices {
      let (x, y) = (Double(numbers[index]), Double(found[index]))
      let (shift, factor) = levels.correction(cause, at: index)
      let (best, largest) = levels.nearest(to: x, at: index, shift, factor)
      let distance = abs(x - (y + shift) * factor)
      // Where all codes stand for zero, none is near.
      let isLost = largest == 0 && x != 0
      let size = codes.rows.floats == nil ? max(abs(x), largest) : abs(x)
      if !(distance <= best + rounding * size) || isLost {
        finding.blame(start + index)
      }
    }
    return finding
  }
}

/// Where in a word the code of each place may be instead: pairs the other way round, and AutoAWQ's order, taken for plain or put on
/// top of it.
private let orders: [[Int]] = [[1, 0], [0, 4, 1, 5, 2, 6, 3, 7], [0, 2, 4, 6, 1, 3, 5, 7]]

/// The numbers that codes of some elements could stand for.
private struct CodeLevels {
  /// For the first and the last code, for that of 1, or for every one, the number that each element would be.
  let numbers: [[Float]]
  let count: Int
  let isEven: Bool
  let floats: FloatCodes?
  let start: Int

  init(_ codes: CodeMatrix, _ range: Range<Int>) throws(CheckpointError) {
    (count, isEven, start) = (codes.rows.codeCount, codes.rows.isEven, range.lowerBound)
    floats = codes.rows.floats
    var numbers: [[Float]] = []
    for code in floats.map({ [$0.one] }) ?? (isEven ? [0, count - 1] : Array(0..<count)) {
      numbers.append(try codes.numbers(range, code: code))
    }
    self.numbers = numbers
  }

  /// From one code's number to the next, or a scale.
  private func step(at index: Int) -> Double {
    let (first, last) = (Double(numbers[0][index]), Double(numbers[numbers.count - 1][index]))
    if floats != nil { return first }
    if isEven { return (last - first) / Double(count - 1) }
    // The largest number of a code under a scale of 1: that of E2M3 with 64 codes, else that of E2M1, if it is one.
    let largest = numbers.map { abs(Double($0[index])) }.max() ?? 0
    return largest / (count == 64 ? 7.5 : 6)
  }

  /// What undoes a mistake: added first, then multiplied by.
  func correction(_ cause: CodeCause?, at index: Int) -> (shift: Double, factor: Double) {
    switch cause {
    case .zeroPoints(let number): return (Double(number) * step(at: index), 1)
    case .inverseScales:
      let step = step(at: index)
      return (0, step == 0 ? 1 : 1 / (step * step))
    case .factor(let factor): return (0, 1 / factor)
    case .order, .codes, .biasSigns, .otherGroups, .headOrder, nil: return (0, 1)
    }
  }

  /// How near the nearest number is, and how large the largest.
  func nearest(
    to x: Double, at index: Int, _ shift: Double, _ factor: Double
  ) -> (distance: Double, largest: Double) {
    if let floats {
      let scale = abs(Double(numbers[0][index]) * factor)
      guard scale > 0, scale.isFinite else { return (abs(x), 0) }
      return (floats.distance(to: x / scale) * scale, floats.largest * scale)
    }
    if !isEven {
      var (distance, largest) = (Double.infinity, 0.0)
      for level in numbers {
        let number = (Double(level[index]) + shift) * factor
        distance = min(distance, abs(x - number))
        largest = max(largest, abs(number))
      }
      return (distance, largest)
    }
    let first = (Double(numbers[0][index]) + shift) * factor
    let last = (Double(numbers[1][index]) + shift) * factor
    let (low, high) = (min(first, last), max(first, last))
    let largest = max(abs(low), abs(high))
    if x <= low { return (low - x, largest) }
    if x >= high { return (x - high, largest) }
    let step = (high - low) / Double(count - 1)
    let place = (x - low) / step
    return (abs(place - place.rounded()) * step, largest)
  }

  /// What elements would be if codes were in another order in their words.
  func exchanged(_ found: [Float], _ codes: CodeMatrix, _ order: [Int]) -> [Float] {
    let stride = codes.rows.isPackedDown ? codes.shape.columns : 1
    return found.indices.map { index in
      let place = (start + index) / stride % order.count
      let other = index + (order[place] - place) * stride
      guard found.indices.contains(other) else { return .nan }
      return number(of: code(found[other], at: other), at: index)
    }
  }

  /// The code of a number, as that of an element.
  private func code(_ number: Float, at index: Int) -> Int {
    if !isEven {
      return numbers.indices.min {
        abs(numbers[$0][index] - number) < abs(numbers[$1][index] - number)
      } ?? 0
    }
    let step = step(at: index)
    let place = ((Double(number) - Double(numbers[0][index])) / step).rounded()
    return place.isFinite ? Int(min(max(place, 0), Double(count - 1))) : 0
  }

  private func number(of code: Int, at index: Int) -> Float {
    isEven
      ? Float(Double(numbers[0][index]) + Double(code) * step(at: index)) : numbers[code][index]
  }
}
