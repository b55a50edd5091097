/// The element type of a tensor, in the spelling of the safetensors format.
///
/// The cases are those of the safetensors specification, complex double precision, which numpy has and
/// safetensors has not, and the block types of ggml, in ggml's spelling: several numbers in a block with
/// scales of its own (`isBlock`).
public enum DType: String, Sendable, Hashable, CaseIterable {
  case bool = "BOOL"
  case f4 = "F4"
  case f6e2m3 = "F6_E2M3"
  case f6e3m2 = "F6_E3M2"
  case u8 = "U8"
  case i8 = "I8"
  case f8e5m2 = "F8_E5M2"
  case f8e4m3 = "F8_E4M3"
  case f8e8m0 = "F8_E8M0"
  case f8e4m3fnuz = "F8_E4M3FNUZ"
  case f8e5m2fnuz = "F8_E5M2FNUZ"
  case i16 = "I16"
  case u16 = "U16"
  case f16 = "F16"
  case bf16 = "BF16"
  case i32 = "I32"
  case u32 = "U32"
  case f32 = "F32"
  case c64 = "C64"
  case f64 = "F64"
  case i64 = "I64"
  case u64 = "U64"
  case c128 = "C128"

  case q40 = "Q4_0"
  case q41 = "Q4_1"
  case q50 = "Q5_0"
  case q51 = "Q5_1"
  case q80 = "Q8_0"
  case q81 = "Q8_1"
  case q2k = "Q2_K"
  case q3k = "Q3_K"
  case q4k = "Q4_K"
  case q5k = "Q5_K"
  case q6k = "Q6_K"
  case q8k = "Q8_K"
  case iq1s = "IQ1_S"
  case iq1m = "IQ1_M"
  case iq2xxs = "IQ2_XXS"
  case iq2xs = "IQ2_XS"
  case iq2s = "IQ2_S"
  case iq3xxs = "IQ3_XXS"
  case iq3s = "IQ3_S"
  case iq4nl = "IQ4_NL"
  case iq4xs = "IQ4_XS"
  case tq10 = "TQ1_0"
  case tq20 = "TQ2_0"
  case q10 = "Q1_0"
  case q20 = "Q2_0"
  case mxfp4 = "MXFP4"
  case nvfp4 = "NVFP4"

  /// The name that safetensors, or ggml, gives this type.
  public var name: String { rawValue }

  /// Bits an element takes. Sub-byte elements are packed without padding. Of a block type, the share of an
  /// element in its block, scales included, rounded up.
  public var bitWidth: Int {
    switch self {
    case .f4: 4
    case .f6e2m3, .f6e3m2: 6
    case .bool, .u8, .i8, .f8e5m2, .f8e4m3, .f8e8m0, .f8e4m3fnuz, .f8e5m2fnuz: 8
    case .i16, .u16, .f16, .bf16: 16
    case .i32, .u32, .f32: 32
    case .c64, .f64, .i64, .u64: 64
    case .c128: 128
    default: blockEncoding.map { ($0.bytesPerBlock * 8 - 1) / $0.elementsPerBlock + 1 } ?? 8
    }
  }

  /// Bytes an element takes, or `nil` for the packed sub-byte types and block types.
  public var byteWidth: Int? { !isBlock && bitWidth.isMultiple(of: 8) ? bitWidth / 8 : nil }

  /// Bytes of the unit whose byte order matters: a complex number is two of them.
  public var byteOrderUnit: Int {
    switch self {
    case .c64: 4
    case .c128: 8
    default: byteWidth ?? 1
    }
  }

  /// Whether the forward pass can compute with weights of this type.
  public var isComputable: Bool {
    switch self {
    case .f16, .bf16, .f32, .f64: true
    default: false
    }
  }

  /// Whether the type is real floating point, of whatever width; numbers of blocks are.
  public var isFloatingPoint: Bool {
    switch self {
    case .f4, .f6e2m3, .f6e3m2, .f8e5m2, .f8e4m3, .f8e8m0, .f8e4m3fnuz, .f8e5m2fnuz, .f16, .bf16,
      .f32, .f64:
      true
    default: isBlock
    }
  }
}

extension DType: CustomStringConvertible {
  public var description: String { rawValue }
}
