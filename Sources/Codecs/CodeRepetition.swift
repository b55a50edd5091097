import TensorCore

/// What came of quantising numbers again, as the maker of codes does it.
public struct CodeRepetition: Equatable, Sendable {
  /// The maker, and in which of its modes, `mlx affine`.
  public let maker: String
  /// How many codes there are, and how many groups, each with a scale and a bias.
  public let elements: Int
  public let groups: Int
  /// How many codes, scales and biases are others than those that the maker's formula gives.
  public let codes: Int
  public let scales: Int
  public let biases: Int

  /// Takes the counts as they are.
  public init(
    maker: String, elements: Int, groups: Int, codes: Int, scales: Int, biases: Int
  ) {
    (self.maker, self.elements, self.groups) = (maker, elements, groups)
    (self.codes, self.scales, self.biases) = (codes, scales, biases)
  }

  /// Whether all are the maker's.
  public var isEqual: Bool { codes == 0 && scales == 0 && biases == 0 }

  /// What is another, in words: "3 of 4096 codes, 1 of 64 scales and 0 of 64 biases".
  public var text: String {
    "\(codes) of \(elements) codes, \(scales) of \(groups) scales and \(biases) of \(groups) biases"
  }

  /// Both together.
  public static func + (first: CodeRepetition, second: CodeRepetition) -> CodeRepetition {
    CodeRepetition(
      maker: first.maker, elements: first.elements + second.elements,
      groups: first.groups + second.groups, codes: first.codes + second.codes,
      scales: first.scales + second.scales, biases: first.biases + second.biases)
  }
}

/// Rows whose maker's formula is known, and gives codes, scales and biases of numbers again.
protocol RepeatableRows: CodeRows {
  /// The maker, and in which of its modes.
  var maker: String { get }
  /// How many programs of the maker there are, which give some numbers other codes.
  var programCount: Int { get }
  /// Elements that have a scale.
  var groupSize: Int { get }

  /// What is not what a program makes of numbers.
  ///
  /// - Parameters:
  ///   - numbers: those of whole groups of a row.
  ///   - start: the number of their first code among all.
  /// - Throws: `CheckpointError` if bytes cannot be read.
  func differences(
    from numbers: [Float], _ row: Int, _ columns: Range<Int>, start: Int, program: Int
  ) throws(CheckpointError) -> RepeatedCodes
}

/// The codes, scales and biases that are not what a maker's program makes of numbers.
package struct RepeatedCodes: Sendable {
  var elements = 0
  var groups = 0
  /// How many codes are others, the first, and how many of them are larger or smaller by one.
  package var codes = 0
  var firstCode: Int?
  var larger = 0
  var smaller = 0
  /// How many scales are others, and how many of them are those of groups nearby.
  var scales = 0
  var exchanged = 0
  /// How many biases are others, and how many of them would be right with the other sign.
  var biases = 0
  var negated = 0

  var count: Int { codes + scales + biases }
  var hasScales: Bool { scales == 0 && biases == 0 }

  static func += (sum: inout RepeatedCodes, part: RepeatedCodes) {
    sum.firstCode = sum.firstCode ?? part.firstCode
    for field in [
      \RepeatedCodes.elements, \.groups, \.codes, \.larger, \.smaller, \.scales, \.exchanged,
      \.biases, \.negated,
    ] {
      sum[keyPath: field] += part[keyPath: field]
    }
  }

  func repetition(by maker: String) -> CodeRepetition {
    CodeRepetition(
      maker: maker, elements: elements, groups: groups, codes: codes, scales: scales,
      biases: biases)
  }

  /// The one mistake that explains all but one in a hundred, if it is one that a formula shows.
  var cause: CodeCause? {
    func isMost(_ part: Int, of whole: Int) -> Bool { whole > 0 && (whole - part) * 100 <= whole }
    if hasScales {
      return isMost(larger, of: codes)
        ? .codes(1) : isMost(smaller, of: codes) ? .codes(-1) : nil
    }
    if codes == 0, scales == 0, isMost(negated, of: biases) { return .biasSigns }
    return nil
  }

  /// Whether what is wrong are scales that others nearby should have.
  var isExchanged: Bool {
    codes == 0 && biases == 0 && scales > 0 && (scales - exchanged) * 100 <= scales
  }
}

extension CodedTensor {
  /// The maker of codes, and in which of its modes, where its formula is known; else the codec.
  public var maker: String { codes?.rows.repeatable?.maker ?? codec }

  /// How codes, scales and biases of this tensor are to those that the maker's formula gives; `nil` if none is known.
  public func repetition(in found: QuantizationFinding) -> CodeRepetition? {
    found.repeated?.repetition(by: maker)
  }

  /// What is not what the maker makes of numbers, by the one of its programs that is the nearest; `nil` if no formula is known.
  ///
  /// - Throws: `CheckpointError` if bytes cannot be read.
  func repeated(_ original: Tensor) throws(CheckpointError) -> RepeatedCodes? {
    guard let codes, let rows = codes.rows.repeatable else { return nil }
    var nearest: RepeatedCodes?
    for program in 0..<rows.programCount {
      var found = RepeatedCodes()
      for part in codes.parts(0..<original.elementCount) {
        let start = part.row * codes.shape.columns + part.columns.lowerBound
        let numbers = try original.singlePrecision(of: start..<start + part.columns.count)
        found += try rows.differences(
          from: codes.dtype.rounded(numbers), part.row, part.columns, start: start,
          program: program)
      }
      if found.count == 0 { return found }
      if found.count < nearest?.count ?? .max { nearest = found }
    }
    return nearest
  }
}
