import TensorCore

/// Two codes of 4 bits in a byte, as torchao's `Int4Tensor` has them: `X._weight_qdata` I8 `[…, out, in / 2]`, the lower half first,
/// each from −8 to 7; `X._weight_scale` and `X._weight_zero_point` `[…, groups, out]`, numbers. The weight is
/// `(code + 8) · scale + (zero − 8 · scale)`, all in single precision, then rounded to the type of the model.
///
/// Source: torchao 0.18 (`quantization/quantize_/workflows/int4/int4_tensor.py`; `prototype/gptq/api.py`,
/// `_int4_row_dequantize_zp`; the class itself has no `dequantize`).
struct TorchAOHalfBytes: CodeRows {
  let codes: Tensor
  /// Scales and zeros, a row for each row of codes.
  private let scales: Tensor
  private let zeros: Tensor
  private let stored: [Tensor]
  private let groupSize: Int
  private let shape: (rows: Int, columns: Int)
  private let dtype: DType

  var codeCount: Int { 16 }
  var isEven: Bool { true }
  /// Codes are chosen in single precision, before scales and zeros are rounded to their type.
  var scaleRounding: Double { scales.dtype == .bf16 ? 0x1p-7 : scales.dtype == .f16 ? 0x1p-9 : 0 }

  /// - Throws: `CheckpointError` if parts do not fit each other.
  init(
    _ codes: Tensor, _ module: StoredModule, _ scales: Tensor, _ zeros: Tensor, _ config: JSONValue?
  ) throws(CheckpointError) {
    try module.require(codes, [.i8])
    try module.require(zeros, [scales.dtype])
    try module.require(zeros, shape: scales.shape)
    let misfit = module.misfit(scales, "are \(describe(shape: codes.shape)) bytes of two codes")
    guard codes.shape.count > 1, scales.shape.count == codes.shape.count,
      (codes.shape + scales.shape).allSatisfy({ (1..<1 << 40).contains($0) }),
      scales.shape.last == codes.shape[codes.shape.count - 2],
      scales.shape.dropLast(2) == codes.shape.dropLast(2), let bytes = codes.shape.last
    else { throw misfit }
    let groups = scales.shape[scales.shape.count - 2]
    guard let size = Self.groupSize(of: 2 * bytes, groups, config) else { throw misfit }
    self.codes = codes
    (self.scales, self.zeros) = (Self.byRows(scales), Self.byRows(zeros))
    stored = [codes, scales, zeros]
    groupSize = size
    shape = (codes.elementCount / bytes, 2 * bytes)
    dtype = torchAODType(config) ?? scales.dtype
  }

  /// How many codes have a scale: as many as the config says, if those make so many groups, else such that all groups are
  /// alike, and a power of two.
  private static func groupSize(of columns: Int, _ groups: Int, _ config: JSONValue?) -> Int? {
    let kind = config?[Codec.settingsKey]?["quant_type"]?["default"]
    // The one with activations in FP8 has but one size.
    let isFixed = kind?["_type"]?.string == "Float8DynamicActivationInt4WeightConfig"
    let said = isFixed ? 128 : kind?["_data"]?["group_size"]?.int
    if let said, said > 0, (columns - 1) / said + 1 == groups { return said }
    guard columns.isMultiple(of: groups) else { return nil }
    let size = columns / groups
    return size & (size - 1) == 0 ? size : nil
  }

  /// What is stored a group after the other, read a row of codes after the other.
  private static func byRows(_ tensor: Tensor) -> Tensor {
    let (groups, rows) = (
      tensor.shape[tensor.shape.count - 2], tensor.shape[tensor.shape.count - 1]
    )
    let outer = tensor.elementCount / (groups * rows)
    let piece = Piece(shape: [outer, rows, groups], strides: [groups * rows, 1, rows])
    return Tensor(
      name: tensor.name, dtype: tensor.dtype, shape: [outer * rows, groups],
      bytes: tensor.bytes.moved(Move(reading: piece), tensor.dtype, count: tensor.elementCount))
  }

  func coded(_ module: StoredModule) throws(CheckpointError) -> CodedTensor {
    let matrix = CodeMatrix(rows: self, shape: shape, isTransposed: false, dtype: dtype)
    return CodedTensor(
      codec: module.codec, stored: stored,
      tensor: try matrix.tensor(
        module.weight, shape: codes.shape.dropLast() + [shape.columns], codes: codes),
      codes: matrix)
  }

  func numbers(
    of row: Int, _ columns: Range<Int>, code: Int?
  ) throws(CheckpointError) -> [Float] {
    let first = row * shape.columns / 2
    let start = columns.lowerBound / 2
    let bytes =
      code == nil
      ? try codes.bytes(of: first + start..<first + (columns.upperBound + 1) / 2) : []
    let groups = columns.lowerBound / groupSize..<(columns.upperBound - 1) / groupSize + 1
    let factors = try scales.numbers(row, groups)
    let shifts = try zeros.numbers(row, groups)
    return columns.map { column in
      let group = column / groupSize - groups.lowerBound
      // From 0 to 15: what is stored has its sign.
      let number = code ?? Int(bytes[column / 2 - start] >> UInt8(column % 2 * 4) & 15 ^ 8)
      return Float(number) * factors[group] + (shifts[group] - factors[group] * 8)
    }
  }
}
