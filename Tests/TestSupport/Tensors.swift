public import TensorCore

extension Tensor {
  /// A tensor of bytes in memory.
  public init(_ name: TensorName, _ dtype: DType, _ shape: [Int], bytes: [UInt8]) {
    self.init(name: name, dtype: dtype, shape: shape, bytes: ByteArray(bytes))
  }

  /// A tensor of single-precision numbers in memory.
  public init(_ name: TensorName, _ shape: [Int], values: [Float]) {
    self.init(name, .f32, shape, bytes: values.flatMap { littleEndian($0.bitPattern) })
  }
}

/// The bytes of an integer, the lowest first.
public func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
  (0..<value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
}
