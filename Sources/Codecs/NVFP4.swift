import TensorCore

extension Codec {
  /// 4-bit floats (E2M1), two in a byte, the lower half first, with scales of groups in each row and one of the whole.
  ///
  /// - compressed-tensors, `nvfp4-pack-quantized`: `X.weight_packed` U8 `[out, in / 2]`, `X.weight_scale` F8_E4M3
  ///   `[out, in / 16]`, `X.weight_global_scale` F32. The weight is `code · (scale / global)`, each step in single precision
  ///   where the global scale has an axis and in bfloat16 where it has none, then BF16.
  /// - compressed-tensors, `mxfp4-pack-quantized`: `X.weight_scale` U8 `[out, in / 32]`, and no global scale. The weight is BF16,
  ///   `code · 2^(scale − 127)`.
  /// - ModelOpt: `X.weight` U8 `[out, in / 2]`, `X.weight_scale` F8_E4M3 `[out, in / 16]`, `X.weight_scale_2` F32. The weight is F32,
  ///   `code · (scale · scale_2)`, each step rounded; ModelOpt rounds it once more, to the model's type.
  ///
  /// Source: compressed-tensors 0.20 (`compressors/nvfp4`, `compressors/mx_utils.py`); ModelOpt 0.47 (`NVFP4QTensor.dequantize`).
  public static let nvfp4 = Codec(
    name: codecName, configKey: "quantization_config"
  ) { table, _ throws(CheckpointError) in
    var found: [CodedTensor] = []
    for codes in table.tensors where codes.dtype == .u8 {
      if let module = StoredModule(codes, part: "weight_packed", in: table, codec: codecName),
        module["weight_scale"] != nil
      {
        found.append(try FloatMatrix(codes, module, isPacked: true).coded(module))
      } else if let module = StoredModule(codes, part: "weight", in: table, codec: codecName),
        module["weight_scale_2"] != nil
      {
        found.append(try FloatMatrix(codes, module, isPacked: false).coded(module))
      }
    }
    return found
  }
}

private let codecName = "nvfp4"

private struct FloatMatrix: CodeRows {
  let codes: Tensor
  let scales: Tensor
  let outer: Tensor?
  let columns: Int
  let groupSize: Int
  let isReciprocal: Bool

  var codeCount: Int { 16 }
  var isEven: Bool { false }

  init(_ codes: Tensor, _ module: StoredModule, isPacked: Bool) throws(CheckpointError) {
    (self.codes, isReciprocal) = (codes, isPacked)
    scales = try module.required("weight_scale", beside: codes)
    try module.require(scales, isPacked ? [.f8e4m3, .u8] : [.f8e4m3])
    let isPower = scales.dtype == .u8
    groupSize = isPower ? 32 : 16
    guard codes.shape.count == 2, codes.shape.allSatisfy({ (1..<1 << 56).contains($0) }) else {
      throw module.misfit(codes, "are those of a matrix")
    }
    columns = codes.shape[1] * 2
    guard columns.isMultiple(of: groupSize) else {
      throw module.misfit(codes, "are those of rows of whole groups of \(groupSize)")
    }
    try module.require(scales, shape: [codes.shape[0], columns / groupSize])
    let part = isPacked ? "weight_global_scale" : "weight_scale_2"
    outer = isPower ? nil : try module.required(part, beside: codes)
    guard let outer else { return }
    try module.require(outer, [.f32])
    guard outer.elementCount == 1, outer.shape.count < 2 else {
      throw module.misfit(outer, "need one number")
    }
  }

  func coded(_ module: StoredModule) throws(CheckpointError) -> CodedTensor {
    let matrix = CodeMatrix(
      rows: self, shape: (codes.shape[0], columns), isTransposed: false,
      dtype: isReciprocal ? .bf16 : .f32)
    let others: [Tensor?] = [outer, module["input_scale"], module["input_global_scale"]]
    return CodedTensor(
      codec: codecName, stored: [codes, scales] + others.compactMap(\.self),
      tensor: try matrix.tensor(module.weight, codes: codes), codes: matrix)
  }

  func numbers(
    of row: Int, _ columns: Range<Int>, code: Int?
  ) throws(CheckpointError) -> [Float] {
    let groups = columns.lowerBound / groupSize..<(columns.upperBound - 1) / groupSize + 1
    let factors = try factors(row, groups)
    let (start, first) = (row * codes.shape[1], columns.lowerBound / 2)
    let bytes =
      try code == nil ? codes.bytes(of: start + first..<start + (columns.upperBound + 1) / 2) : []
    return columns.map { column in
      let factor = factors[column / groupSize - groups.lowerBound]
      if let code { return value(of: code) * factor }
      let byte = bytes[column / 2 - first]
      return value(of: Int(column.isMultiple(of: 2) ? byte & 15 : byte >> 4)) * factor
    }
  }

  /// What a code stands for. Zero has no sign in ModelOpt.
  private func value(of code: Int) -> Float { code == 8 && !isReciprocal ? 0 : values[code] }

  /// The scales of groups of a row.
  private func factors(_ row: Int, _ groups: Range<Int>) throws(CheckpointError) -> [Float] {
    let start = row * scales.shape[1]
    let codes = try scales.bytes(of: start + groups.lowerBound..<start + groups.upperBound)
    guard let outer else {
      return codes.map { Float(sign: .plus, exponent: Int($0) - 127, significand: 1) }
    }
    let whole = try outer.singlePrecision(of: 0..<1)[0]
    let inner = codes.map { code in
      if case .single(let value) = DType.f8e4m3.element(at: 0, of: [code]) {
        value
      } else {
        Float.nan
      }
    }
    guard isReciprocal else { return inner.map { $0 * whole } }
    return inner.map { outer.shape.isEmpty ? bfloat16($0 / whole) : $0 / whole }
  }
}

/// A number, rounded to bfloat16.
private func bfloat16(_ value: Float) -> Float {
  Float(bitPattern: UInt32(truncatingIfNeeded: DType.bf16.roundedBits(of: Double(value))) << 16)
}

/// What each code stands for.
private let values: [Float] = (0..<16).map { code in
  if case .single(let value) = DType.f4.element(at: 0, of: [UInt8(code)]) { value } else { .nan }
}
