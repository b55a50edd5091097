public import TensorCore

/// What shows that blocks are given numbers, quantised.
public enum QuantizationProof: Sendable, Equatable {
  /// The same bytes come out when the numbers are quantised again: their codes are chosen before scales are rounded.
  case repetition
  /// Each code is the nearest one under the scales of its own block.
  case nearestCodes
  /// The same, as far as the rounding of a block's scale goes, before which codes are chosen.
  case nearestCodesBeforeRounding
}

extension DType {
  /// What shows that blocks of this type are given numbers, quantised; `nil` of types of which nothing does: their codes
  /// name points of a grid, and which one is chosen depends on how much each number counts.
  ///
  /// Source: ggml-quants.c, `quantize_row_…`: the last step of the K-quants is `nearest_int((x + m) / d)` with the
  /// scales as they are stored.
  public var quantizationProof: QuantizationProof? {
    switch self {
    case .q80, .q40, .q41, .q50, .q51: .repetition
    case .q2k, .q3k, .q4k, .q5k, .q6k, .mxfp4, .nvfp4: .nearestCodes
    case .iq4nl, .iq4xs, .tq20: .nearestCodesBeforeRounding
    default: nil
    }
  }
}

/// How blocks are to the numbers that they should be.
public struct QuantizationFinding: Sendable {
  /// How many codes are not what they should be, and the first of them.
  public private(set) var wrong = 0
  public private(set) var firstWrong: Int?
  /// The sum of the squares of the differences, and that of the numbers.
  public private(set) var squaredError = 0.0
  public private(set) var squares = 0.0
  /// What is not what the maker makes of the numbers, where its formula is known.
  var repeated: RepeatedCodes?

  /// Nothing yet.
  public init() {}

  /// The root of the mean square of the differences, relative to that of the numbers.
  public var relativeError: Double {
    squaredError == 0 ? 0 : squares == 0 ? .infinity : (squaredError / squares).squareRoot()
  }

  /// Adds what was found of numbers further behind.
  public static func += (sum: inout QuantizationFinding, part: QuantizationFinding) {
    if sum.firstWrong == nil { sum.firstWrong = part.firstWrong }
    sum.wrong += part.wrong
    sum.squaredError += part.squaredError
    sum.squares += part.squares
  }

  mutating func blame(_ element: Int) {
    if firstWrong == nil { firstWrong = element }
    wrong += 1
  }

  mutating func blame(_ count: Int, first: Int) { (firstWrong, wrong) = (first, count) }

  mutating func blameAll(_ count: Int) { blame(count, first: 0) }

  mutating func measure(_ numbers: [Float], _ found: [Float]) {
    for (x, y) in zip(numbers, found) {
      let difference = Double(y) - Double(x)
      squaredError += difference * difference
      squares += Double(x) * Double(x)
    }
  }
}

extension Tensor {
  /// How whole blocks of this tensor are to the same elements of the one that they were made of.
  ///
  /// - Parameters:
  ///   - original: a tensor of the same shape, of a computable type.
  ///   - elements: whole blocks.
  /// - Precondition: the type has a `quantizationProof`, or only the error counts.
  /// - Throws: `CheckpointError` if bytes cannot be read.
  public func quantizationFinding(
    of original: Tensor, _ elements: Range<Int>
  ) throws(CheckpointError) -> QuantizationFinding {
    let numbers = try original.singlePrecision(of: elements)
    let blocks = try bytes(of: elements)
    let found = dtype.decodedBlocks(blocks)
    var finding = QuantizationFinding()
    finding.measure(numbers, found)
    switch dtype.quantizationProof {
    case .repetition: dtype.blameOtherBytes(numbers, blocks, elements.lowerBound, &finding)
    case .nearestCodes, .nearestCodesBeforeRounding:
      dtype.blameFartherCodes(numbers, blocks, found, elements.lowerBound, &finding)
    case nil: break
    }
    return finding
  }
}

extension DType {
  /// Blames the blocks that are others when the numbers are quantised again.
  fileprivate func blameOtherBytes(
    _ numbers: [Float], _ blocks: [UInt8], _ start: Int, _ finding: inout QuantizationFinding
  ) {
    let (width, count) = (encoding.bytesPerBlock, encoding.elementsPerBlock)
    for block in 0..<blocks.count / width {
      let own = Array(numbers[block * count..<(block + 1) * count])
      let expected = own.allSatisfy(\.isFinite) ? encodedFinite(own) : []
      if !expected.elementsEqual(blocks[block * width..<(block + 1) * width]) {
        finding.blame(start + block * count)
      }
    }
  }

  /// Blames the codes of which another one would be nearer to the number, and blocks that are no nearer than zero.
  ///
  /// Quotients are rounded in single precision, so that a number between two codes may have either.
  fileprivate func blameFartherCodes(
    _ numbers: [Float], _ blocks: [UInt8], _ found: [Float], _ start: Int,
    _ finding: inout QuantizationFinding
  ) {
    let levels = levels(of: blocks)
    let rounding: Float = quantizationProof == .nearestCodes ? 0x1p-21 : 0x1p-10
    for index in numbers.indices {
      let (x, y) = (numbers[index], found[index])
      guard x.isFinite, y.isFinite else {
        finding.blame(start + index)
        continue
      }
      let (best, largest) = levels.nearest(to: x, at: index)
      if abs(x - y) > best + rounding * max(abs(x), largest) { finding.blame(start + index) }
    }
    let count = encoding.elementsPerBlock
    for block in stride(from: 0, to: numbers.count, by: count) {
      let range = block..<block + count
      let largest = numbers[range].reduce(0) { max($0, abs($1)) }
      if largest > largestLost, !isNearer(numbers[range], found[range]) {
        finding.blame(start + block)
      }
    }
  }

  /// Numbers up to this one may all become zero, since a scale for them is too small for its type.
  private var largestLost: Float { self == .nvfp4 ? 0x1p-6 : 0x1p-13 }

  /// Whether numbers are nearer to others than to zero.
  private func isNearer(_ numbers: ArraySlice<Float>, _ found: ArraySlice<Float>) -> Bool {
    var (error, size) = (0.0, 0.0)
    for (x, y) in zip(numbers, found) {
      error += (Double(x) - Double(y)) * (Double(x) - Double(y))
      size += Double(x) * Double(x)
    }
    return error < size
  }
}

/// The numbers that the codes of blocks could stand for.
private struct Levels {
  /// For each code that is decoded, the number that each element would be. Of codes at equal distances, the first and the
  /// last.
  let numbers: [[Float]]
  /// How many codes there are.
  let count: Int

  /// How near the nearest one is to a number, and how large the largest is.
  func nearest(to x: Float, at index: Int) -> (distance: Float, largest: Float) {
    guard numbers.count == 2, count > 2 else {
      let all = numbers.lazy.map { $0[index] }
      let distance = all.map { abs(x - $0) }.min() ?? .infinity
      return (distance, all.map { abs($0) }.max() ?? 0)
    }
    let (first, last) = (numbers[0][index], numbers[1][index])
    let (low, high) = (min(first, last), max(first, last))
    let largest = max(abs(low), abs(high))
    if x <= low { return (low - x, largest) }
    if x >= high { return (x - high, largest) }
    let step = (Double(high) - Double(low)) / Double(count - 1)
    let place = (Double(x) - Double(low)) / step
    return (Float(abs(place - place.rounded()) * step), largest)
  }
}

extension DType {
  /// The numbers that the codes of blocks could stand for: each block is decoded with its codes replaced.
  private func levels(of blocks: [UInt8]) -> Levels {
    guard let places = codePlaces else { return Levels(numbers: [], count: 0) }
    let codes = places.isEven ? [0, places.count - 1] : Array(0..<places.count)
    let width = encoding.bytesPerBlock
    let decoded = codes.map { code -> [Float] in
      var replaced = blocks
      for block in stride(from: 0, to: blocks.count, by: width) {
        for (range, byte) in places.bytes(code) {
          for place in range { replaced[block + place] = byte }
        }
      }
      return decodedBlocks(replaced)
    }
    return Levels(numbers: decoded, count: places.count)
  }

  /// Where the codes of a block stand.
  private struct CodePlaces {
    /// How many codes there are.
    let count: Int
    /// Whether they stand for numbers at equal distances.
    var isEven = true
    /// The bytes that give all elements a code.
    let bytes: (Int) -> [(Range<Int>, UInt8)]
  }

  /// Source: ggml-common.h, the structures `block_…`.
  private var codePlaces: CodePlaces? {
    func halves(_ code: Int) -> UInt8 { UInt8(code & 15) * 0x11 }
    func quarters(_ code: Int) -> UInt8 { UInt8(code & 3) * 0x55 }
    func bits(_ code: Int) -> UInt8 { code == 0 ? 0 : 0xFF }
    switch self {
    case .q2k: return CodePlaces(count: 4) { [(16..<80, quarters($0))] }
    case .q3k:
      return CodePlaces(count: 8) { [(0..<32, bits($0 >> 2)), (32..<96, quarters($0))] }
    case .q4k: return CodePlaces(count: 16) { [(16..<144, halves($0))] }
    case .q5k:
      return CodePlaces(count: 32) { [(16..<48, bits($0 >> 4)), (48..<176, halves($0))] }
    case .q6k:
      return CodePlaces(count: 64) { [(0..<128, halves($0)), (128..<192, quarters($0 >> 4))] }
    case .mxfp4: return CodePlaces(count: 16, isEven: false) { [(1..<17, halves($0))] }
    case .nvfp4: return CodePlaces(count: 16, isEven: false) { [(4..<36, halves($0))] }
    case .iq4nl: return CodePlaces(count: 16, isEven: false) { [(2..<18, halves($0))] }
    case .iq4xs: return CodePlaces(count: 16, isEven: false) { [(8..<136, halves($0))] }
    case .tq20: return CodePlaces(count: 3) { [(0..<64, quarters($0))] }
    default: return nil
    }
  }
}
