public import TensorCore

/// What a cast did to the elements of a tensor.
public struct CastLedger: Sendable, Equatable {
  /// The tensor.
  public let name: TensorName
  /// What it was cast from, and to.
  public let from: DType
  public let to: DType
  /// How many elements there are.
  public private(set) var count = 0
  /// Finite elements that the new type has not: they became the nearest one it has.
  public private(set) var rounded = 0
  /// Finite elements that became infinite.
  public private(set) var overflowed = 0
  /// Normal elements that became subnormal, and lost digits by it.
  public private(set) var becameSubnormal = 0
  /// Elements that became zero.
  public private(set) var becameZero = 0
  /// Elements that are no number.
  public private(set) var nan = 0
  /// The largest |new − old| / |old| of the elements that stayed finite and not zero.
  public private(set) var largestRelativeError = 0.0

  init(name: TensorName, from: DType, to: DType) {
    self.name = name
    self.from = from
    self.to = to
  }

  /// Whether any element is not what it was.
  public var isLossy: Bool { rounded + overflowed + becameSubnormal + becameZero > 0 }

  /// Counts an element; each falls into one class, the worst.
  mutating func add(_ old: Double, _ new: Double) {
    count += 1
    if old.isNaN {
      nan += 1
    } else if new != old {
      if new.isInfinite {
        overflowed += 1
        return
      }
      if new == 0 {
        becameZero += 1
        return
      }
      if abs(new) < to.leastNormal { becameSubnormal += 1 } else { rounded += 1 }
      largestRelativeError = max(largestRelativeError, abs((new - old) / old))
    }
  }
}

extension DType {
  /// The smallest normal number of a type we compute in.
  fileprivate var leastNormal: Double {
    switch self {
    case .f16: 0x1p-14
    case .bf16, .f32: 0x1p-126
    default: Double.leastNormalMagnitude
    }
  }
}

/// A tensor's elements, cast when they are read.
struct CastBytes: TensorBytes {
  let source: Tensor
  let to: DType

  var count: Int { source.elementCount * to.bitWidth / 8 }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    let width = to.bitWidth / 8
    // Whole elements around what is asked for.
    let first = offset / width
    let last = (offset + buffer.byteCount + width - 1) / width
    let values = try source.doubles(first..<last)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(values.count * width)
    for value in values {
      let bits = to.roundedBits(of: value)
      for byte in 0..<width { bytes.append(UInt8(truncatingIfNeeded: bits >> (8 * byte))) }
    }
    let start = offset - first * width
    unsafe buffer.withUnsafeMutableBytes { target in
      unsafe bytes.withUnsafeBytes { all in
        unsafe target.copyMemory(
          from: UnsafeRawBufferPointer(rebasing: all[start..<start + target.count]))
      }
    }
  }
}

extension Tensor {
  /// The elements of a range as double precision, exactly.
  ///
  /// - Precondition: `dtype.isComputable`.
  func doubles(_ range: Range<Int>) throws(CheckpointError) -> [Double] {
    let width = dtype.bitWidth / 8
    let bytes = try self.bytes.read(range.lowerBound * width..<range.upperBound * width)
    var values = [Double](repeating: 0, count: range.count)
    var span = values.mutableSpan
    dtype.widen(unsafe bytes.span.bytes, into: &span)
    return values
  }

  /// The tensor in another floating-point type, rounded to nearest, ties to even, when it is read.
  /// Tensors that are not floating point, or of eight bits and less, stay.
  func cast(to dtype: DType) -> Tensor {
    guard self.dtype.isComputable, self.dtype != dtype else { return self }
    return Tensor(
      name: name, dtype: dtype, shape: shape, bytes: CastBytes(source: self, to: dtype))
  }

  /// What casting the tensor does to its elements, or `nil` if it is not cast.
  ///
  /// - Throws: `CheckpointError` when the bytes cannot be read.
  func ledger(ofCastTo dtype: DType) throws(CheckpointError) -> CastLedger? {
    guard self.dtype.isComputable, self.dtype != dtype else { return nil }
    var ledger = CastLedger(name: name, from: self.dtype, to: dtype)
    for start in stride(from: 0, to: elementCount, by: 1 << 17) {
      for value in try doubles(start..<min(start + 1 << 17, elementCount)) {
        ledger.add(value, dtype.value(ofBits: dtype.roundedBits(of: value)))
      }
    }
    return ledger
  }
}

extension DType {
  /// The number that bits of this type stand for.
  ///
  /// - Precondition: `isComputable`.
  func value(ofBits bits: UInt64) -> Double {
    switch self {
    case .f64: Double(bitPattern: bits)
    case .f32: Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
    case .bf16: Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits) << 16))
    default: Double(widenedHalf(UInt16(truncatingIfNeeded: bits)))
    }
  }
}
