public import TensorCore

/// What a weight is where the checkpoint does not store it, or what it must be where it does.
public enum WeightOrigin: Sendable {
  /// The weight of that path. Stored beside it and different, it is a weight of its own.
  case equal(String)
  /// Zero everywhere.
  case zeros
  /// Numbers that a formula gives. Stored, it must hold them.
  case computed(Formula)
  /// Nothing: it rides along where it is stored, whole with its module, and no output depends on it.
  case passenger
}

extension WeightOrigin {
  /// The same for a model whose paths begin with `prefix`.
  func inside(_ prefix: String) -> WeightOrigin {
    guard case .equal(let path) = self else { return self }
    return .equal(prefix + path)
  }
}

/// Numbers that a weight's place in its tensor gives.
public struct Formula: Sendable {
  /// What the numbers are, after the weight's name: `holds 0, 1, 2, … and is computed`.
  public let name: String
  /// How far the number that was stored may have been from the formula's, relative to that, before the
  /// stored type rounded it.
  public let tolerance: Double
  /// How far it may have been besides, whatever the formula's number is.
  public let margin: Double
  /// The type in which frameworks compute the numbers, and so of the weight where it is not stored: F32 or F64.
  public let dtype: DType
  /// The number of an element, counted in C order, before it is rounded to that type.
  public let number: @Sendable (Int) -> Double

  /// Describes numbers that need not be stored.
  package init(
    _ name: String, tolerance: Double = 0, margin: Double = 0, as dtype: DType = .f64,
    number: @escaping @Sendable (Int) -> Double
  ) {
    self.name = name
    self.tolerance = tolerance
    self.margin = margin
    self.dtype = dtype
    self.number = number
  }
}

extension Formula {
  /// 0, 1, 2, …
  package static let positions = Formula("holds 0, 1, 2, … and is computed") { Double($0) }

  /// The types that tokens have where none are given.
  package static let noTypes = Formula("holds zeros, which types are where none are given") { _ in 0
  }

  /// A square with ones on and below the diagonal, and zeros above.
  ///
  /// - Parameter window: how many ones a row has at most, the one on the diagonal included; `nil` without limit.
  static func causalMask(_ size: Int, window: Int? = nil) -> Formula {
    let window = window ?? size
    return Formula("is the causal mask and is computed") { index in
      (0..<window).contains(index / size - index % size) ? 1 : 0
    }
  }

  /// The number that stands for minus infinity in a mask.
  static func maskedScore(_ value: Double) -> Formula {
    Formula("is \(text(value)), a constant of the mask") { _ in value }
  }
}

extension Formula {
  /// What is wrong with a stored tensor, or `nil` if it holds the formula's numbers, each as the tensor's
  /// type rounds it.
  ///
  /// - Throws: `CheckpointError` when its bytes cannot be read.
  func fault(of tensor: Tensor) throws(CheckpointError) -> String? {
    guard tensor.dtype.byteWidth != nil else { return "is \(tensor.dtype)" }
    let elementsPerChunk = 1 << 17
    for start in stride(from: 0, to: tensor.elementCount, by: elementsPerChunk) {
      let end = min(start + elementsPerChunk, tensor.elementCount)
      let bytes = try tensor.bytes(of: start..<end)
      for index in start..<end {
        let expected = number(index)
        let stored = tensor.dtype.element(at: index - start, of: bytes).number
        guard let stored, isNear(stored, expected, as: tensor.dtype) else {
          return "element \(index) is not \(text(tensor.dtype.nearest(to: expected)))"
        }
      }
    }
    return nil
  }

  private func isNear(_ stored: Double, _ expected: Double, as dtype: DType) -> Bool {
    let margin = tolerance * abs(expected) + margin
    return dtype.nearest(to: expected - margin) <= stored
      && stored <= dtype.nearest(to: expected + margin)
  }

  /// The numbers as a tensor.
  func tensor(_ name: TensorName, shape: [Int]) -> Tensor {
    Tensor(name: name, dtype: dtype, shape: shape, bytes: FormulaBytes(formula: self, shape: shape))
  }
}

extension DType {
  /// What becomes of a number that is stored in this type: integers hold it, or do not.
  fileprivate func nearest(to number: Double) -> Double {
    isComputable ? value(ofBits: roundedBits(of: number)) : number
  }
}

/// A formula's numbers in its type, computed when they are read.
private struct FormulaBytes: TensorBytes {
  let formula: Formula
  let shape: [Int]

  var count: Int { shape.reduce(width, *) }
  private var width: Int { formula.dtype.byteCount(of: 1) }
  var isReadForwards: Bool { false }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    var (index, bytes) = (-1, [UInt8]())
    for place in 0..<buffer.byteCount {
      let (element, byte) = (offset + place).quotientAndRemainder(dividingBy: width)
      if element != index {
        index = element
        let bits = formula.dtype.roundedBits(of: formula.number(element))
        bytes = (0..<width).map { UInt8(truncatingIfNeeded: bits >> (8 * $0)) }
      }
      buffer.storeBytes(of: bytes[byte], toByteOffset: place, as: UInt8.self)
    }
  }
}

/// A whole number without its fraction.
private func text(_ value: Double) -> String {
  Int(exactly: value).map { "\($0)" } ?? "\(value)"
}
