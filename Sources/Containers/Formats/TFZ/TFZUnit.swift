import TensorCore

/// The units that a stream is cut into, and which of their bits are the exponent.
struct TFZUnit: Hashable {
  /// Bytes of a unit: 1, 2, 4 or 8. As many planes are made of it.
  let width: Int
  /// Bits of the exponent, which stand below the sign; 0 if the unit is no floating-point number.
  let exponentBits: Int

  /// Bytes that nothing is known about.
  static let byte = TFZUnit(width: 1, exponentBits: 0)

  private static let known: Set<TFZUnit> = [
    byte, TFZUnit(width: 2, exponentBits: 0), TFZUnit(width: 2, exponentBits: 5),
    TFZUnit(width: 2, exponentBits: 8), TFZUnit(width: 4, exponentBits: 0),
    TFZUnit(width: 4, exponentBits: 8), TFZUnit(width: 8, exponentBits: 0),
    TFZUnit(width: 8, exponentBits: 11),
  ]

  /// Whether the format has such units.
  var isKnown: Bool { Self.known.contains(self) }
}

extension DType {
  /// How tensors of this type are cut into units.
  var tfzUnit: TFZUnit {
    switch self {
    case .f16: TFZUnit(width: 2, exponentBits: 5)
    case .bf16: TFZUnit(width: 2, exponentBits: 8)
    case .f32, .c64: TFZUnit(width: 4, exponentBits: 8)
    case .f64, .c128: TFZUnit(width: 8, exponentBits: 11)
    case .i16, .u16: TFZUnit(width: 2, exponentBits: 0)
    case .i32, .u32: TFZUnit(width: 4, exponentBits: 0)
    case .i64, .u64: TFZUnit(width: 8, exponentBits: 0)
    default: .byte
    }
  }
}
