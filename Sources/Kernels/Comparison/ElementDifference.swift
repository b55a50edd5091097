#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif
public import TensorCore

/// How far the elements of one tensor are from those of another, in their order.
public struct ElementDifference: Equatable, Sendable {
  /// How many elements were compared.
  public private(set) var count = 0
  /// Elements with other bits or, where the types differ, with another value.
  public private(set) var differing = 0
  /// The first of them.
  public private(set) var first: Int?
  /// Zeros of the other sign among them.
  public private(set) var zeroSigns = 0
  /// NaN with another payload among them.
  public private(set) var payloads = 0
  /// Elements of which one is finite and the other is not, or is another infinity or NaN.
  public private(set) var incomparable = 0
  /// The first of them.
  public private(set) var firstIncomparable: Int?
  /// The largest |b − a| of elements that are finite in both.
  public private(set) var largestFinite = 0.0
  private var largestFiniteIndex: Int?
  private var mostSteps: UInt64?
  /// Elements that are further apart than the tolerance allows; 0 if there is none.
  public private(set) var beyond = 0
  private let tolerance: Tolerance?
  /// The largest |a|.
  private var scale = 0.0
  private var sums = PairSums()

  /// Of no elements yet.
  ///
  /// - Parameter tolerance: how far apart elements may be; then `beyond` counts those that are further.
  public init(tolerance: Tolerance? = nil) {
    self.tolerance = tolerance
  }

  /// The largest |b − a|. To what is not finite, and from it, there is no larger one: infinity.
  public var largest: Double { incomparable > 0 ? .infinity : largestFinite }

  /// The element where it is.
  public var largestIndex: Int? { firstIncomparable ?? largestFiniteIndex }

  /// The most numbers of the type that lie between two elements, plus one; `nil` if the types differ
  /// or are not floating point, or if no number of steps leads from one to the other.
  public var ulps: UInt64? { incomparable > 0 ? nil : mostSteps }

  /// The mean of |b − a|.
  public var mean: Double {
    incomparable > 0 ? .infinity : count == 0 ? 0 : sums.distance.value / Double(count)
  }

  /// The largest |b − a| by the largest |a|.
  public var relative: Double { ratio(largest, scale) }

  /// ‖b − a‖ by ‖a‖, over what is comparable.
  public var relativeNorm: Double {
    incomparable > 0
      ? .infinity : ScaledSum.rootOfRatio(sums.squaredDistance, sums.squaredA)
  }

  /// The cosine of the angle between both as vectors; `nil` if one of them is zero or not finite.
  public var cosine: Double? { incomparable > 0 ? nil : sums.cosine }

  /// Whether all values are equal: only signs of zeros and payloads of NaN differ.
  public var isOnlyBits: Bool { differing > 0 && differing == zeroSigns + payloads }

  private func ratio(_ a: Double, _ b: Double) -> Double { a == 0 ? 0 : b == 0 ? .infinity : a / b }

  // MARK: Adding

  /// Adds elements that stand at the same places.
  ///
  /// - Parameters:
  ///   - a: little-endian elements of the first tensor.
  ///   - b: as many of the second one.
  ///   - types: their types, of whole bytes and not complex.
  ///   - start: the number of the first element.
  public mutating func add(
    _ a: RawSpan, _ b: RawSpan, types: (a: DType, b: DType), start: Int
  ) {
    let (x, y) = (types.a.doubles(a), types.b.doubles(b))
    if types.a == types.b {
      addBits(a, b, types.a, x, y, start)
    } else {
      addValues(x, y, start)
    }
    if let tolerance { beyond += tolerance.count(beyond: x, y) }
    var block = PairSums()
    let (distance, magnitude) = block.add(x, y)
    if block.isExact(distance, magnitude, y) {
      note(
        distance, magnitude, at: distance > largestFinite ? place(of: distance, x, y) + start : nil)
    } else {
      block = addSlowly(x, y, start)
    }
    sums.merge(block)
    count += x.count
  }

  private func place(of distance: Double, _ x: [Double], _ y: [Double]) -> Int {
    x.indices.first { abs(y[$0] - x[$0]) == distance } ?? 0
  }

  private mutating func note(_ distance: Double, _ magnitude: Double, at index: Int?) {
    scale = max(scale, magnitude)
    if let index { (largestFinite, largestFiniteIndex) = (distance, index) }
  }

  private mutating func mark(_ index: Int) {
    differing += 1
    if first == nil { first = index }
  }

  private mutating func addValues(_ x: [Double], _ y: [Double], _ start: Int) {
    for index in x.indices where x[index] != y[index] {
      if !(x[index].isNaN && y[index].isNaN) { mark(start + index) }
    }
  }

  private mutating func addBits(
    _ a: RawSpan, _ b: RawSpan, _ dtype: DType, _ x: [Double], _ y: [Double], _ start: Int
  ) {
    let width = dtype.byteWidth ?? 1
    for index in x.indices {
      let (left, right) = (bits(a, index * width, width), bits(b, index * width, width))
      if left == right { continue }
      mark(start + index)
      guard dtype.isFloatingPoint else { continue }
      if x[index].isNaN && y[index].isNaN {
        payloads += 1
      } else if x[index] == y[index] {
        zeroSigns += 1
      } else if x[index].isFinite && y[index].isFinite {
        mostSteps = max(mostSteps ?? 0, steps(left, right, width))
      }
    }
  }

  /// One by one, where some are not finite, or have squares that are no doubles.
  private mutating func addSlowly(_ x: [Double], _ y: [Double], _ start: Int) -> PairSums {
    var sums = PairSums(for: x, y)
    for (index, (a, b)) in zip(x, y).enumerated() {
      if a.isFinite && b.isFinite {
        sums.add(a, b)
        let distance = abs(b - a)
        note(distance, abs(a), at: distance > largestFinite ? start + index : nil)
      } else if a != b && !(a.isNaN && b.isNaN) {
        incomparable += 1
        firstIncomparable = firstIncomparable ?? start + index
      }
    }
    return sums
  }

  /// Adds the elements of another one, which come later.
  public mutating func merge(_ other: ElementDifference) {
    if first == nil { first = other.first }
    if other.largestFinite > largestFinite {
      (largestFinite, largestFiniteIndex) = (other.largestFinite, other.largestFiniteIndex)
    }
    firstIncomparable = firstIncomparable ?? other.firstIncomparable
    count += other.count
    differing += other.differing
    zeroSigns += other.zeroSigns
    payloads += other.payloads
    incomparable += other.incomparable
    beyond += other.beyond
    scale = max(scale, other.scale)
    if let more = other.mostSteps { mostSteps = max(mostSteps ?? 0, more) }
    sums.merge(other.sums)
  }
}

@inline(__always)
private func bits(_ bytes: RawSpan, _ offset: Int, _ width: Int) -> UInt64 {
  switch width {
  case 1: UInt64(unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
  case 2: UInt64(unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
  case 4: UInt64(unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
  default: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
  }
}

/// How many steps from number to number lead from one to the other, by their bits: sign and magnitude.
private func steps(_ a: UInt64, _ b: UInt64, _ width: Int) -> UInt64 {
  let sign: UInt64 = 1 << (8 * width - 1)
  let (x, y) = (a & (sign - 1), b & (sign - 1))
  return (a ^ b) & sign == 0 ? max(x, y) - min(x, y) : x &+ y
}

/// Sums over pairs of numbers.
private struct PairSums: Equatable, Sendable {
  var distance = ScaledSum()
  var squaredDistance = ScaledSum()
  var product = ScaledSum()
  var squaredA = ScaledSum()
  var squaredB = ScaledSum()

  /// Of no pairs.
  init() {}

  /// Of no pairs yet, with powers of 2 that make doubles of all squares.
  init(for x: [Double], _ y: [Double]) {
    func exponent(_ largest: Double) -> Int {
      largest > 0x1p500 ? 540 : largest > 0 && largest < 0x1p-480 ? -540 : 0
    }
    var (a, b, d) = (0.0, 0.0, 0.0)
    for (p, q) in zip(x, y) where p.isFinite && q.isFinite {
      (a, b, d) = (max(a, abs(p)), max(b, abs(q)), max(d, abs(q - p)))
    }
    let (ofA, ofB, ofDistance) = (exponent(a), exponent(b), exponent(d))
    distance = ScaledSum(exponent: ofDistance)
    squaredDistance = ScaledSum(exponent: 2 * ofDistance)
    product = ScaledSum(exponent: ofA + ofB)
    squaredA = ScaledSum(exponent: 2 * ofA)
    squaredB = ScaledSum(exponent: 2 * ofB)
  }

  /// Whether no square of a block was too large or too small for a double.
  ///
  /// - Parameters:
  ///   - furthest: the largest distance.
  ///   - largest: the largest |a|.
  ///   - y: the elements of B.
  func isExact(_ furthest: Double, _ largest: Double, _ y: [Double]) -> Bool {
    let all = [distance, squaredDistance, product, squaredA, squaredB]
    guard all.allSatisfy({ $0.value.isFinite }) else { return false }
    let least = 0x1p-900
    return (furthest == 0 || squaredDistance.value > least)
      && (largest == 0 || squaredA.value > least)
      && (squaredB.value > least || y.allSatisfy { $0 == 0 })
  }

  /// The cosine of the angle between both as vectors; `nil` if one of them is zero.
  var cosine: Double? {
    let (a, b) = (squaredA.sum.value.squareRoot(), squaredB.sum.value.squareRoot())
    if a == 0 || b == 0 { return nil }
    let power = product.exponent - squaredA.exponent / 2 - squaredB.exponent / 2
    return max(-1, min(1, scalbn(product.sum.value / a / b, Int32(power))))
  }

  /// Adds a pair of finite numbers, by the powers of 2 of the sums.
  mutating func add(_ a: Double, _ b: Double) {
    func power(_ sum: ScaledSum) -> Double { scalbn(1, Int32(-sum.exponent / 2)) }
    let (p, q) = (a * power(squaredA), b * power(squaredB))
    let shrink = power(squaredDistance)
    let d = (b - a).isFinite ? (b - a) * shrink : b * shrink - a * shrink
    distance.add(abs(d))
    squaredDistance.add(d * d)
    product.add(p * q)
    squaredA.add(p * p)
    squaredB.add(q * q)
  }

  mutating func merge(_ other: PairSums) {
    distance.add(other.distance)
    squaredDistance.add(other.squaredDistance)
    product.add(other.product)
    squaredA.add(other.squaredA)
    squaredB.add(other.squaredB)
  }

  /// Adds pairs.
  ///
  /// - Returns: the largest distance, and the largest |a|.
  mutating func add(_ x: [Double], _ y: [Double]) -> (distance: Double, magnitude: Double) {
    let zero = SIMD4<Double>(repeating: 0)
    var (distances, squares, products, squaresA, squaresB) = (zero, zero, zero, zero, zero)
    var (furthest, largest) = (zero, zero)
    let whole = x.count / 4 * 4
    let (a, b) = (unsafe x.span.bytes, unsafe y.span.bytes)
    for index in stride(from: 0, to: whole, by: 4) {
      let p = unsafe a.unsafeLoadUnaligned(fromByteOffset: 8 * index, as: SIMD4<Double>.self)
      let q = unsafe b.unsafeLoadUnaligned(fromByteOffset: 8 * index, as: SIMD4<Double>.self)
      let d = q - p
      let size = d.replacing(with: -d, where: d .< zero)
      let magnitude = p.replacing(with: -p, where: p .< zero)
      furthest = size.replacing(with: furthest, where: furthest .> size)
      largest = magnitude.replacing(with: largest, where: largest .> magnitude)
      distances += size
      squares += d * d
      products += p * q
      squaresA += p * p
      squaresB += q * q
    }
    var (distance, magnitude) = (furthest.max(), largest.max())
    self.distance.add(distances.sum())
    squaredDistance.add(squares.sum())
    product.add(products.sum())
    squaredA.add(squaresA.sum())
    squaredB.add(squaresB.sum())
    for index in whole..<x.count {
      let (p, q) = (x[index], y[index])
      distance = max(distance, abs(q - p))
      magnitude = max(magnitude, abs(p))
      self.distance.add(abs(q - p))
      squaredDistance.add((q - p) * (q - p))
      product.add(p * q)
      squaredA.add(p * p)
      squaredB.add(q * q)
    }
    return (distance, magnitude)
  }
}

extension DType {
  /// The elements that `bytes` hold as doubles; exactly, but for integers beyond 2⁵³.
  ///
  /// - Precondition: the type has whole bytes, and is not complex.
  public func doubles(_ bytes: RawSpan) -> [Double] {
    if isComputable {
      var values = [Double](repeating: 0, count: elementCount(in: bytes.byteCount))
      var span = values.mutableSpan
      widen(bytes, into: &span)
      return values
    }
    func all<Element: BitwiseCopyable>(_: Element.Type, _ value: (Element) -> Double) -> [Double] {
      let width = MemoryLayout<Element>.size
      return (0..<bytes.byteCount / width).map {
        value(unsafe bytes.unsafeLoadUnaligned(fromByteOffset: $0 * width, as: Element.self))
      }
    }
    switch self {
    case .bool: return all(UInt8.self) { $0 == 0 ? 0 : 1 }
    case .u8: return all(UInt8.self) { Double($0) }
    case .i8: return all(Int8.self) { Double($0) }
    case .i16: return all(Int16.self) { Double($0) }
    case .u16: return all(UInt16.self) { Double($0) }
    case .i32: return all(Int32.self) { Double($0) }
    case .u32: return all(UInt32.self) { Double($0) }
    case .i64: return all(Int64.self) { Double($0) }
    case .u64: return all(UInt64.self) { Double($0) }
    default:
      let values = valuesOfCodes.map { Double($0) }
      return all(UInt8.self) { values[Int($0)] }
    }
  }
}
