import TensorCore

extension Codec {
  /// What torchao quantises, as transformers saves it: `X._weight_qdata` I8 or F8_E4M3 `[out, in]`, with `X._weight_scale` of as
  /// many axes, each of which divides that of the codes, and perhaps `X._weight_zero_point` of the same shape. The weight is
  /// `scale · (code − zero)`, rounded once to the config's `dtype`, or to the scales' type where it has none. Where zero points are
  /// numbers, codes are two in a byte (`TorchAOHalfBytes`). What is packed for one kind of processor is refused by name.
  ///
  /// Source: torchao 0.18 (`Int8Tensor`, `IntxUnpackedToInt8Tensor`, `Float8Tensor`, `dequantize_affine`;
  /// `prototype/safetensors`, which names the parts).
  static let torchAO = Codec(
    name: codecName, configKeys: [settingsKey]
  ) { table, config throws(CheckpointError) in
    try table.groups(of: codecName, parts: ["_weight_qdata"]) {
      codes, _, module throws(CheckpointError) in
      try refusePacked(codes, module)
      if let scales = module["_weight_scale"], let zeros = module["_weight_zero_point"],
        numberTypes.contains(zeros.dtype)
      {
        return try TorchAOHalfBytes(codes, module, scales, zeros, config).coded(module)
      }
      return try TorchAOMatrix(codes, module, config).coded(module)
    }
  }
}

private let numberTypes: [DType] = [.f32, .bf16, .f16]

/// - Throws: `CheckpointError` if codes of 4 bits lie as one kind of processor needs them, or are those of another number than
///   the weight's.
private func refusePacked(_ codes: Tensor, _ module: StoredModule) throws(CheckpointError) {
  let advice = "quantise with int4_packing_format \"plain\", or by IntxWeightOnlyConfig"
  if module["_weight_scale_and_zero"] != nil {
    throw CheckpointError(
      .unsupported(
        "is packed in 4 bits in tiles of tensor cores (Int4TilePackedTo4dTensor), not decoded"),
      tensor: codes.name, advice: advice)
  }
  if codes.dtype == .i32 {
    throw CheckpointError(
      .unsupported("is packed in 4 bits in words (Int4PlainInt32Tensor), not decoded"),
      tensor: codes.name, advice: advice)
  }
  if module["_weight_act_pre_scale"] != nil {
    throw CheckpointError(
      .unsupported("is of inputs that are scaled first (act_pre_scale), not decoded"),
      tensor: codes.name)
  }
}

/// The type of weights that a config names.
func torchAODType(_ config: JSONValue?) -> DType? {
  let name = config?["dtype"]?.string ?? config?["torch_dtype"]?.string
  return ["float32": .f32, "bfloat16": .bf16, "float16": .f16][name ?? ""]
}

private let codecName = "torchao"

private struct TorchAOMatrix: CodeRows {
  let codes: Tensor
  let scales: Tensor
  let zeros: Tensor?
  let blockSize: (rows: Int, columns: Int)
  /// The type of the weight.
  let dtype: DType
  /// The codes of whole numbers that are used.
  let range: ClosedRange<Int>

  var codeCount: Int { range.count }
  var isEven: Bool { codes.dtype == .i8 }
  var floats: FloatCodes? { isEven ? nil : .e4m3 }

  /// - Throws: `CheckpointError` if parts do not fit each other.
  init(
    _ codes: Tensor, _ module: StoredModule, _ config: JSONValue?
  ) throws(CheckpointError) {
    self.codes = codes
    scales = try module.required("_weight_scale", beside: codes)
    zeros = module["_weight_zero_point"]
    try module.require(codes, [.i8, .f8e4m3])
    try module.require(scales, numberTypes)
    guard codes.shape.count == 2, scales.shape.count == 2,
      (codes.shape + scales.shape).allSatisfy({ (1..<1 << 56).contains($0) }),
      zip(codes.shape, scales.shape).allSatisfy({ $0.isMultiple(of: $1) })
    else { throw module.misfit(scales, "are \(describe(shape: codes.shape)) codes") }
    blockSize = (codes.shape[0] / scales.shape[0], codes.shape[1] / scales.shape[1])
    if let zeros {
      try module.require(zeros, [.i8, .i32, .i64])
      try module.require(zeros, shape: scales.shape)
    }
    dtype = torchAODType(config) ?? scales.dtype
    range = codes.dtype == .i8 ? Self.codes(config) : 0...255
  }

  /// The codes of the type that a config's `weight_dtype` names, where it is one for all.
  private static func codes(_ config: JSONValue?) -> ClosedRange<Int> {
    let kind = config?[Codec.settingsKey]?["quant_type"]?["default"]?["_data"]?["weight_dtype"]
    guard let name = kind?["_data"]?.string, name.hasPrefix("int"),
      let bits = Int(name.dropFirst(3)),
      (1...8).contains(bits)
    else { return -128...127 }
    return -(1 << (bits - 1))...(1 << (bits - 1)) - 1
  }

  func coded(_ module: StoredModule) throws(CheckpointError) -> CodedTensor {
    let matrix = CodeMatrix(
      rows: self, shape: (codes.shape[0], codes.shape[1]), isTransposed: false, dtype: dtype)
    return CodedTensor(
      codec: codecName, stored: [codes, scales] + [zeros].compactMap(\.self),
      tensor: try matrix.tensor(module.weight, codes: codes), codes: matrix)
  }

  func numbers(
    of row: Int, _ columns: Range<Int>, code: Int?
  ) throws(CheckpointError) -> [Float] {
    let numbers =
      if let code {
        Array(
          repeating: isEven ? Float(range.lowerBound + code) : numbersOfE4M3[code],
          count: columns.count)
      } else { try codes(row, columns) }
    let blocks =
      columns.lowerBound / blockSize.columns..<(columns.upperBound - 1) / blockSize.columns + 1
    let line = row / blockSize.rows
    let factors = try scales.numbers(line, blocks)
    let start = line * scales.shape[1]
    let shifts = try zeros?.integers(start + blocks.lowerBound..<start + blocks.upperBound)
    return columns.map { column in
      let block = column / blockSize.columns - blocks.lowerBound
      let number = numbers[column - columns.lowerBound]
      guard let shift = shifts?[block] else { return number * factors[block] }
      return (number - Float(shift)) * factors[block]
    }
  }

  private func codes(_ row: Int, _ columns: Range<Int>) throws(CheckpointError) -> [Float] {
    let first = row * codes.shape[1]
    let bytes = try codes.bytes(of: first + columns.lowerBound..<first + columns.upperBound)
    return bytes.map { isEven ? Float(Int8(bitPattern: $0)) : numbersOfE4M3[Int($0)] }
  }
}
