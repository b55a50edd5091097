import TensorCore

extension Codec {
  /// Matrices of whole numbers as CTranslate2 has them: `X` I8 `[rows, …]` with `X_scale` F32 `[rows]`, or I16 with one
  /// scale of shape `[]` or `[1]`, where `X` ends in `/weight`. The weight is `code · (1 / scale)`, both operations in single
  /// precision.
  ///
  /// Source: OpenNMT/CTranslate2 (`LayerSpec._quantize` in python/ctranslate2/specs/model_spec.py; `dequantize_kernel` in
  /// src/ops/dequantize_cpu.cc).
  public static let ctranslate2 = Codec(
    name: codecName, configKeys: []
  ) { table, _ throws(CheckpointError) in
    var found: [CodedTensor] = []
    for scales in table.tensors where scales.name.text.hasSuffix("/weight" + suffix) {
      let name = TensorName(String(scales.name.text.dropLast(suffix.count)))
      guard let codes = table[name], codes.dtype == .i8 || codes.dtype == .i16 else { continue }
      let matrix = try ScaledIntegers(codes, scales)
      found.append(
        CodedTensor(
          codec: codecName, stored: [codes, scales], tensor: matrix.tensor, codes: matrix.rows))
    }
    return found
  }
}

private let codecName = "ctranslate2"
private let suffix = "_scale"

/// Whole numbers with a scale for each row, or for all.
private struct ScaledIntegers: Sendable {
  let codes: Tensor
  let scales: Tensor
  /// How many numbers have a scale together.
  private let perScale: Int

  /// - Throws: `CheckpointError` if the scales are those of something else.
  init(_ codes: Tensor, _ scales: Tensor) throws(CheckpointError) {
    let rows = codes.shape.first ?? 0
    let needed = codes.dtype == .i8 ? [[rows]] : [[], [1]]
    guard codes.shape.count > 1, needed.contains(scales.shape) else {
      throw ScaledMatrix.unknownScales(scales, of: codes, codecName)
    }
    guard scales.dtype == .f32 else {
      throw CheckpointError(
        .unsupported("the scales of \(codecName) are F32, these are \(scales.dtype)"),
        tensor: scales.name)
    }
    (self.codes, self.scales) = (codes, scales)
    perScale = max(1, codes.elementCount / max(1, scales.elementCount))
  }

  /// The codes, and what they stand for.
  var rows: CodeMatrix? {
    guard codes.elementCount > 0 else { return nil }
    return CodeMatrix(
      rows: self, shape: (codes.shape[0], codes.elementCount / codes.shape[0]),
      isTransposed: false, dtype: .f32)
  }

  /// The plain numbers.
  var tensor: Tensor {
    let codes = codes
    return Tensor(
      name: codes.name, dtype: .f32, shape: codes.shape,
      bytes: DecodedBytes(
        elementCount: codes.elementCount, codes: codes.bytes,
        announce: { codes.bytes.announce(codes.byteRange(of: $0)) },
        decode: { range throws(CheckpointError) in try numbers(range, code: nil) }))
  }

  /// The numbers of a range of elements, which is not empty.
  ///
  /// - Parameter code: what all of them are taken to be, the lowest one being 0; `nil` for what they are.
  private func numbers(_ range: Range<Int>, code: Int?) throws(CheckpointError) -> [Float] {
    let first = range.lowerBound / perScale
    let factors = try scales.singlePrecision(of: first..<(range.upperBound - 1) / perScale + 1)
      .map { 1 / $0 }
    let integers =
      if let code { [Int](repeating: code - codeCount / 2, count: range.count) } else {
        try codes.integers(range)
      }
    return range.map { element in
      Float(integers[element - range.lowerBound]) * factors[element / perScale - first]
    }
  }
}

extension ScaledIntegers: CodeRows {
  var codeCount: Int { codes.dtype == .i8 ? 1 << 8 : 1 << 16 }
  var isEven: Bool { true }

  func numbers(
    of row: Int, _ columns: Range<Int>, code: Int?
  ) throws(CheckpointError) -> [Float] {
    let first = row * (codes.elementCount / codes.shape[0])
    return try numbers(first + columns.lowerBound..<first + columns.upperBound, code: code)
  }
}
