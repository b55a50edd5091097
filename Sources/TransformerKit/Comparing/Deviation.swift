public import Kernels
import Models
import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How far an array is from what it should be.
public struct Deviation: Sendable {
  /// The output or state.
  public let name: String
  /// Its shape.
  public let shape: [Int]
  /// The largest |value − expected|; infinite if one is NaN or infinite and the other is not so.
  public let error: Double
  /// The largest |expected|, over the finite values.
  public let scale: Double
  /// The index of the row with the largest error, without the last axis.
  public let worstRow: [Int]
  /// Whether all bits are equal, signs of zeros and NaN payloads included.
  public let isIdentical: Bool

  /// The error relative to the largest expected value.
  public var relative: Double {
    error == 0 ? 0 : scale == 0 ? .infinity : error / scale
  }

  /// Compares `values` with `expected`, element by element.
  ///
  /// - Precondition: the shapes are equal.
  public init<Value: ComputeScalar, Expected: ComputeScalar>(
    _ name: String, _ values: NDArray<Value>, from expected: NDArray<Expected>
  ) {
    var meter = Meter(shape: values.shape)
    meter.add(values, from: expected)
    self.init(name, meter)
  }

  /// What a meter has measured.
  private init(_ name: String, _ meter: Meter) {
    self.name = name
    shape = meter.shape
    error = meter.error
    scale = meter.scale
    worstRow = position(of: meter.worst, in: meter.shape)
    isIdentical = meter.isIdentical
  }
}

extension Deviation {
  /// Compares two states of one shape; scores over a vocabulary block by block, so that they are never
  /// in memory as a whole.
  ///
  /// - Throws: `CheckpointError` when weights cannot be read.
  init<Value: ComputeScalar, Expected: ComputeScalar>(
    _ name: String, _ values: StateValue<Value>, from expected: StateValue<Expected>
  ) throws(CheckpointError) {
    precondition(values.shape == expected.shape)
    var meter = Meter(shape: values.shape)
    for columns in values.blocks ?? expected.blocks ?? [0..<(values.shape.last ?? 1)] {
      let value = try values.block(columns)
      meter.add(value, from: try expected.block(columns), at: columns.lowerBound)
    }
    self.init(name, meter)
  }
}

/// Measures how far arrays are from each other, blocks of columns one after the other.
private struct Meter {
  let shape: [Int]
  private(set) var error = 0.0
  private(set) var scale = 0.0
  private(set) var isIdentical = true
  /// The flat index of the first element with the largest error.
  private(set) var worst = 0

  init(shape: [Int]) {
    self.shape = shape
  }

  /// Adds the columns from `start` on, of all rows.
  @specialized(where Value == Float, Expected == Float)
  @specialized(where Value == Double, Expected == Double)
  mutating func add<Value: ComputeScalar, Expected: ComputeScalar>(
    _ values: NDArray<Value>, from expected: NDArray<Expected>, at start: Int = 0
  ) {
    precondition(values.shape == expected.shape)
    if Value.self != Expected.self { isIdentical = false }
    let (width, whole) = (values.width, shape.last ?? 1)
    for index in values.elements.indices {
      let (value, goal) = (Double(values.elements[index]), Double(expected.elements[index]))
      if goal.isFinite { scale = max(scale, abs(goal)) }
      if value.bitPattern == goal.bitPattern { continue }
      isIdentical = false
      let distance = distance(value, goal)
      if distance < error || distance == 0 { continue }
      let place = index / width * whole + start + index % width
      if distance > error || place < worst { (error, worst) = (distance, place) }
    }
  }
}

extension StateValue {
  /// The ranges of columns in which it is computed, unless it is there already.
  var blocks: [Range<Int>]? {
    switch self {
    case .array: nil
    case .product(let product): product.blocks
    }
  }

  /// Some columns of all rows.
  func block(_ columns: Range<Int>) throws(CheckpointError) -> NDArray<Scalar> {
    switch self {
    case .product(let product): return try product.block(columns)
    case .array(let array):
      if columns == 0..<array.width { return array }
      var elements: [Scalar] = []
      elements.reserveCapacity(array.rows * columns.count)
      for row in 0..<array.rows {
        let start = row * array.width
        elements += array.elements[start + columns.lowerBound..<start + columns.upperBound]
      }
      return NDArray(shape: array.shape.dropLast() + [columns.count], elements: elements)
    }
  }
}

/// Whether two arrays have the same shape and the same bits.
func hasEqualBits<Scalar: ComputeScalar>(_ a: NDArray<Scalar>, _ b: NDArray<Scalar>) -> Bool {
  a.shape == b.shape && hasEqualBytes(a.elements, b.elements)
}

/// Whether as many elements of two arrays are the same, byte for byte.
func hasEqualBytes<Element: BitwiseCopyable>(_ a: [Element], _ b: [Element]) -> Bool {
  unsafe a.withUnsafeBytes { x in
    unsafe b.withUnsafeBytes { y in
      guard let left = x.baseAddress, let right = y.baseAddress else { return x.count == y.count }
      return unsafe x.count == y.count && memcmp(left, right, x.count) == 0
    }
  }
}

/// |a − b|, where two NaNs, or two equal infinities, are no distance apart, and anything else that is
/// not finite is infinitely far.
func distance(_ a: Double, _ b: Double) -> Double {
  if a == b || a.isNaN && b.isNaN { return 0 }
  let distance = abs(a - b)
  return distance.isFinite ? distance : .infinity
}

/// The index of the row that holds flat element `element`.
private func position(of element: Int, in shape: [Int]) -> [Int] {
  var (rest, index) = (element / max(1, shape.last ?? 1), [Int]())
  for extent in shape.dropLast().reversed() where extent > 0 {
    index.insert(rest % extent, at: 0)
    rest /= extent
  }
  return index
}
