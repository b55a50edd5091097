/// Every half-precision number as a `Float`: looking up is faster than computing.
private let halves: [Float] = (0...UInt16.max).map(widenedHalf)

extension DType {
  /// Converts little-endian elements of this type to `Float` or `Double`.
  ///
  /// Exact, except that double precision is rounded to nearest even when `Scalar` is `Float`.
  ///
  /// - Parameters:
  ///   - bytes: as many elements as `values` has room for.
  ///   - values: overwritten.
  /// - Precondition: `isComputable`.
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  public func widen<Scalar: BinaryFloatingPoint>(
    _ bytes: RawSpan, into values: inout MutableSpan<Scalar>
  ) {
    precondition(isComputable && bytes.byteCount == byteCount(of: values.count))
    switch self {
    case .f32:
      for i in values.indices {
        let bits = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: i * 4, as: UInt32.self)
        values[i] = Scalar(Float(bitPattern: UInt32(littleEndian: bits)))
      }
    case .f64:
      for i in values.indices {
        let bits = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: i * 8, as: UInt64.self)
        values[i] = Scalar(Double(bitPattern: UInt64(littleEndian: bits)))
      }
    case .bf16:
      for i in values.indices {
        let bits = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: i * 2, as: UInt16.self)
        values[i] = Scalar(Float(bitPattern: UInt32(UInt16(littleEndian: bits)) << 16))
      }
    default:
      let table = halves.span
      for i in values.indices {
        let bits = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: i * 2, as: UInt16.self)
        values[i] = Scalar(table[Int(UInt16(littleEndian: bits))])
      }
    }
  }
}
