import TensorCore
import TestSupport
import Testing

/// The types of the safetensors format, in the order and with the bits of its reference
/// implementation (safetensors 0.8, src/tensor.rs).
private let specification: [(name: String, bits: Int)] = [
  ("BOOL", 8), ("F4", 4), ("F6_E2M3", 6), ("F6_E3M2", 6), ("U8", 8), ("I8", 8), ("F8_E5M2", 8),
  ("F8_E4M3", 8), ("F8_E8M0", 8), ("F8_E4M3FNUZ", 8), ("F8_E5M2FNUZ", 8), ("I16", 16), ("U16", 16),
  ("F16", 16), ("BF16", 16), ("I32", 32), ("U32", 32), ("F32", 32), ("C64", 64), ("F64", 64),
  ("I64", 64), ("U64", 64),
]

@Suite struct DTypeTests {
  @Test func `the types are those of safetensors and one more`() {
    for (name, bits) in specification {
      #expect(DType(rawValue: name)?.bitWidth == bits, "\(name)")
    }
    #expect(DType.elementary.map(\.name) == specification.map(\.name) + ["C128"])
    #expect(DType.c128.bitWidth == 128)
  }

  @Test(arguments: ["f32", "F32 ", "float32", "", "F8", "F8_E4M3FN", "BFLOAT16"])
  func `a name is spelled exactly`(_ name: String) {
    #expect(DType(rawValue: name) == nil)
  }

  @Test func `bytes of an element, where it has whole ones`() {
    for dtype in DType.elementary {
      let expected = [4, 6].contains(dtype.bitWidth) ? nil : dtype.bitWidth / 8
      #expect(dtype.byteWidth == expected)
    }
  }

  @Test func `elements take bytes in blocks`() {
    let blocks = DType.elementary.filter { $0.byteWidth == nil }.map {
      [$0.encoding.elementsPerBlock, $0.encoding.bytesPerBlock]
    }
    #expect(blocks == [[2, 1], [4, 3], [4, 3]])
    for dtype in DType.elementary {
      for count in stride(from: 0, through: 48, by: 4) {
        #expect(dtype.byteCount(of: count) == dtype.byteCount(shape: [count]))
        #expect(dtype.elementCount(in: dtype.byteCount(of: count)) == count)
      }
    }
    #expect(DType.bf16.byteRange(of: 3..<5) == 6..<10 && DType.f64.byteRange(of: 7..<7) == 56..<56)
    // What begins or ends inside a block takes in all of it.
    #expect(
      DType.f6e2m3.byteRange(of: 4..<8) == 3..<6 && DType.f6e2m3.byteRange(of: 5..<9) == 3..<9)
    #expect(DType.f4.byteRange(of: 3..<3) == 1..<2 && DType.f4.byteRange(of: 2..<5) == 1..<3)
    let block = Encoding(elementsPerBlock: 32, bytesPerBlock: 18)
    #expect(block.byteRange(of: 64..<128) == 36..<72 && block.elementCount(in: 72) == 128)
  }

  /// What ggml-common.h's structures take, by gguf-py's `GGML_QUANT_SIZES`; Q8_1 and Q2_0 by the structures.
  @Test func `block types take whole blocks in rows`() {
    for dtype in DType.allCases where dtype.isBlock {
      let (numbers, bytes) = (dtype.encoding.elementsPerBlock, dtype.encoding.bytesPerBlock)
      #expect(dtype.byteWidth == nil && dtype.isFloatingPoint && !dtype.isComputable)
      #expect(dtype.byteCount(shape: [3, 2 * numbers]) == 6 * bytes)
      #expect(dtype.byteCount(shape: [numbers / 2]) == nil && dtype.byteCount(shape: []) == nil)
      #expect(dtype.byteCount(shape: [2 * numbers, numbers / 2]) == nil)
      #expect(dtype.byteCount(shape: [1 << 60, numbers]) == nil)
      #expect(dtype.byteCount(shape: [0, numbers]) == 0)
    }
    #expect(DType.q4k.byteCount(shape: [2, 512]) == 576 && DType.q80.byteCount(shape: [64]) == 68)
    #expect(DType.q4k.bitWidth == 5 && DType.q80.bitWidth == 9 && DType.iq1s.bitWidth == 2)
  }

  @Test func `the byte order concerns the halves of a complex number`() {
    #expect(DType.c64.byteOrderUnit == 4 && DType.c128.byteOrderUnit == 8)
    #expect(DType.f64.byteOrderUnit == 8 && DType.f4.byteOrderUnit == 1)
    #expect(DType.bf16.byteOrderUnit == 2 && DType.bool.byteOrderUnit == 1)
  }

  @Test func `computes in four types, and knows real numbers`() {
    #expect(DType.allCases.filter(\.isComputable) == [.f16, .bf16, .f32, .f64])
    let others: [DType] = [.bool, .u8, .i8, .i16, .u16, .i32, .u32, .c64, .i64, .u64, .c128]
    #expect(DType.allCases.filter { !$0.isFloatingPoint } == others)
  }

  @Test(arguments: [
    (DType.f32, [2, 3], 24), (.f32, [], 4), (.f32, [0], 0), (.f32, [5, 0, 7], 0), (.f4, [2], 1),
    (.f4, [3, 2], 3), (.f6e2m3, [4], 3), (.c128, [1], 16), (.u8, [1 << 59], 1 << 59),
    (.f64, [0, .max, .max], 0), (.f4, [0], 0), (.bool, [1, 1, 1, 1], 1),
  ])
  func `bytes of a shape`(_ dtype: DType, _ shape: [Int], _ bytes: Int) {
    #expect(dtype.byteCount(shape: shape) == bytes)
  }

  @Test(arguments: [
    // Products that wrap around to a small or even the right number.
    (DType.u8, [1 << 32, 1 << 32]), (.f32, [1 << 62, 4]), (.f32, [.max]), (.u16, [.max, 1]),
    (.f64, [1 << 61]), (.u8, [.max, 2]), (.f4, [.max, .max]),
    (.f32, [-1]), (.f32, [0, -1]), (.f32, [-2, -3]), (.u8, [.min]),
    // Packed elements that end within a byte.
    (.f4, [1]), (.f4, [3]), (.f4, []), (.f6e3m2, [2]), (.f6e3m2, [2, 3]), (.f6e2m3, []),
  ])
  func `a shape without a number of bytes`(_ dtype: DType, _ shape: [Int]) {
    #expect(dtype.byteCount(shape: shape) == nil)
  }

  @Test func `describes shapes`() {
    #expect(describe(shape: []) == "[]")
    #expect(describe(shape: [2, 0, 30]) == "[2, 0, 30]")
  }

  @Test func `a byte array gives the bytes that are asked for`() throws {
    let bytes = ByteArray([1, 2, 3, 4])
    #expect(try bytes.read(1..<3) == [2, 3])
    #expect(try bytes.read(4..<4) == [])
    #expect(bytes.count == 4)
  }
}

@Suite struct CheckpointErrorTests {
  @Test func `one line says file, tensor, place and fault`() {
    let error = CheckpointError(
      .sizeMismatch(declared: 24, dtype: .f32, shape: [2, 4]), file: "model.safetensors",
      tensor: "h.0.attn.c_attn.weight", offset: 1048)
    #expect(
      error.description == """
        model.safetensors: tensor "h.0.attn.c_attn.weight" at byte 1048: \
        header declares 24 bytes, F32 [2, 4] needs 32
        """)
  }

  @Test func `names and faults from files are escaped`() {
    let error = CheckpointError(.malformed("no \u{1B}[0m"), file: "a\nb", tensor: "\u{202E}x")
    #expect(error.description == #"a\u{a}b: tensor "\u{202e}x": no \u{1b}[0m"#)
  }

  @Test(arguments: [
    (CheckpointError.Problem.malformed("x"), CheckpointError.Category.failed, "x"),
    (.truncated(needed: 8, available: 7), .failed, "truncated: needs 8 bytes, 7 are left"),
    (.overflow("the shape"), .failed, "the shape is too large"),
    (.duplicate, .failed, "the name occurs twice"),
    (.limitExceeded("the size", limit: 1, found: 2), .failed, "the size is 2, the limit is 1"),
    (.system(2, "cannot open"), .failed, "cannot open: No such file or directory"),
    (.checksum("x"), .failed, "checksum of x does not match"),
    (.changedWhileRead, .failed, "the file changed while it was read"),
    (.unsupported("x"), .unsupported, "x"), (.refused("x"), .refused, "x"),
  ])
  func `every problem has a category and words`(
    _ problem: CheckpointError.Problem, _ category: CheckpointError.Category, _ text: String
  ) {
    let error = CheckpointError(problem)
    #expect(error.category == category)
    #expect(error.description == text)
  }

  @Test func `the innermost file is the one that counts`() {
    let error = CheckpointError(.duplicate)
    #expect(error.inFile("inner").inFile("outer").file == "inner")
  }

  @Test func `a size that is no number is said to be none`() {
    let problem = CheckpointError.Problem.sizeMismatch(declared: 4, dtype: .f32, shape: [.max, 2])
    #expect(problem.text.hasSuffix("needs a number that is none"))
  }
}
