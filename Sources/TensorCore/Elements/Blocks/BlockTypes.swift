extension DType {
  /// Whether numbers stand in blocks, each with scales of its own, as ggml stores them.
  public var isBlock: Bool { blockEncoding != nil }

  /// The types whose elements stand for themselves: those of safetensors, and C128.
  public static let elementary = allCases.filter { !$0.isBlock }

  /// How the numbers of a block type take bytes; `nil` for other types.
  ///
  /// Source: ggml-common.h, the structures `block_…`.
  public var blockEncoding: Encoding? {
    switch self {
    case .q40, .iq4nl: Encoding(elementsPerBlock: 32, bytesPerBlock: 18)
    case .q41: Encoding(elementsPerBlock: 32, bytesPerBlock: 20)
    case .q50: Encoding(elementsPerBlock: 32, bytesPerBlock: 22)
    case .q51: Encoding(elementsPerBlock: 32, bytesPerBlock: 24)
    case .q80: Encoding(elementsPerBlock: 32, bytesPerBlock: 34)
    case .q81: Encoding(elementsPerBlock: 32, bytesPerBlock: 36)
    case .q2k: Encoding(elementsPerBlock: 256, bytesPerBlock: 84)
    case .q3k, .iq3s: Encoding(elementsPerBlock: 256, bytesPerBlock: 110)
    case .q4k: Encoding(elementsPerBlock: 256, bytesPerBlock: 144)
    case .q5k: Encoding(elementsPerBlock: 256, bytesPerBlock: 176)
    case .q6k: Encoding(elementsPerBlock: 256, bytesPerBlock: 210)
    case .q8k: Encoding(elementsPerBlock: 256, bytesPerBlock: 292)
    case .iq1s: Encoding(elementsPerBlock: 256, bytesPerBlock: 50)
    case .iq1m: Encoding(elementsPerBlock: 256, bytesPerBlock: 56)
    case .iq2xxs, .tq20: Encoding(elementsPerBlock: 256, bytesPerBlock: 66)
    case .iq2xs: Encoding(elementsPerBlock: 256, bytesPerBlock: 74)
    case .iq2s: Encoding(elementsPerBlock: 256, bytesPerBlock: 82)
    case .iq3xxs: Encoding(elementsPerBlock: 256, bytesPerBlock: 98)
    case .iq4xs: Encoding(elementsPerBlock: 256, bytesPerBlock: 136)
    case .tq10: Encoding(elementsPerBlock: 256, bytesPerBlock: 54)
    case .q10: Encoding(elementsPerBlock: 128, bytesPerBlock: 18)
    case .q20: Encoding(elementsPerBlock: 64, bytesPerBlock: 18)
    case .mxfp4: Encoding(elementsPerBlock: 32, bytesPerBlock: 17)
    case .nvfp4: Encoding(elementsPerBlock: 64, bytesPerBlock: 36)
    default: nil
    }
  }

  /// The numbers that whole blocks stand for, in single precision, to the bit what ggml's own decoder gives.
  ///
  /// Source: ggml-quants.c, the functions `dequantize_row_…`.
  ///
  /// - Parameters:
  ///   - bytes: whole blocks of this type.
  ///   - values: overwritten, a number for each element.
  /// - Precondition: `isBlock`, and there are as many numbers as the blocks have.
  public func decodeBlocks(_ bytes: Span<UInt8>, into values: inout MutableSpan<Float>) {
    precondition(isBlock && encoding.elementCount(in: bytes.count) == values.count)
    precondition(bytes.count.isMultiple(of: encoding.bytesPerBlock))
    switch self {
    case .q40: decodeQ40(bytes, &values)
    case .q41: decodeQ41(bytes, &values)
    case .q50: decodeQ50(bytes, &values)
    case .q51: decodeQ51(bytes, &values)
    case .q80: decodeQ80(bytes, &values)
    case .q81: decodeQ81(bytes, &values)
    case .q10: decodeQ10(bytes, &values)
    case .q20: decodeQ20(bytes, &values)
    case .q2k: decodeQ2K(bytes, &values)
    case .q3k: decodeQ3K(bytes, &values)
    case .q4k: decodeQ4K(bytes, &values)
    case .q5k: decodeQ5K(bytes, &values)
    case .q6k: decodeQ6K(bytes, &values)
    case .q8k: decodeQ8K(bytes, &values)
    case .tq10: decodeTQ10(bytes, &values)
    case .tq20: decodeTQ20(bytes, &values)
    case .iq4nl: decodeIQ4NL(bytes, &values)
    case .iq4xs: decodeIQ4XS(bytes, &values)
    case .mxfp4: decodeMXFP4(bytes, &values)
    case .nvfp4: decodeNVFP4(bytes, &values)
    case .iq2xxs: decodeIQ2XXS(bytes, &values)
    case .iq2xs: decodeIQ2XS(bytes, &values)
    case .iq2s: decodeIQ2S(bytes, &values)
    case .iq3xxs: decodeIQ3XXS(bytes, &values)
    case .iq3s: decodeIQ3S(bytes, &values)
    case .iq1s: decodeIQ1S(bytes, &values)
    case .iq1m: decodeIQ1M(bytes, &values)
    default: preconditionFailure("\(self) has no blocks")
    }
  }

  /// The numbers of whole blocks.
  ///
  /// - Precondition: `isBlock`, and `bytes` are whole blocks.
  public func decodedBlocks(_ bytes: [UInt8]) -> [Float] {
    var values = [Float](repeating: 0, count: encoding.elementCount(in: bytes.count))
    var span = values.mutableSpan
    decodeBlocks(bytes.span, into: &span)
    return values
  }

  /// A number of a block type, out of its whole block.
  func blockNumber(at index: Int, of bytes: [UInt8]) -> Float {
    let (block, place) = index.quotientAndRemainder(dividingBy: encoding.elementsPerBlock)
    let width = encoding.bytesPerBlock
    return decodedBlocks(Array(bytes[block * width..<(block + 1) * width]))[place]
  }
}

extension Span<UInt8> {
  /// The half-precision number at byte `index`, little-endian.
  @inline(__always) func half(_ index: Int) -> Float { widenedHalf(bits16(index)) }

  /// The 16 bits at byte `index`.
  @inline(__always) func bits16(_ index: Int) -> UInt16 {
    UInt16(self[index]) | UInt16(self[index + 1]) << 8
  }

  /// The 32 bits at byte `index`.
  @inline(__always) func bits32(_ index: Int) -> UInt32 {
    UInt32(bits16(index)) | UInt32(bits16(index + 2)) << 16
  }

  /// The signed byte at `index`.
  @inline(__always) func signed(_ index: Int) -> Float { Float(Int8(bitPattern: self[index])) }
}

/// Calls `body` with the first byte and the first number of each block.
@inline(__always)
func forEachBlock(
  _ count: Int, bytes: Int, numbers: Int, _ body: (_ byte: Int, _ number: Int) -> Void
) {
  var (byte, number) = (0, 0)
  while number < count {
    body(byte, number)
    byte += bytes
    number += numbers
  }
}
