import TensorCore

extension Codec {
  /// Floats of 4 bits (E2M1), two in a byte, the lower half first, with scales of groups in each row and one of the whole.
  ///
  /// - compressed-tensors, `nvfp4-pack-quantized`: `X.weight_packed` U8 `[out, in / 2]`, `X.weight_scale` F8_E4M3
  ///   `[out, in / 16]`, `X.weight_global_scale` F32. The weight is `code · (scale / global)`, each step in single precision
  ///   where the global scale has an axis and in bfloat16 where it has none, then BF16.
  /// - compressed-tensors, `mxfp4-pack-quantized`: `X.weight_scale` U8 `[out, in / 32]`, and no global scale. The weight is BF16,
  ///   `code · 2^(scale − 127)`.
  /// - compressed-tensors, `mxfp6-pack-quantized`: the same of E2M3, four in three bytes, the lowest bits first.
  /// - ModelOpt: `X.weight` U8 `[out, in / 2]`, `X.weight_scale` F8_E4M3 `[out, in / 16]`, `X.weight_scale_2` F32. The weight is F32,
  ///   `code · (scale · scale_2)`, each step rounded; ModelOpt rounds it once more, to the model's type.
  ///
  /// Source: compressed-tensors 0.20 (`compressors/nvfp4`, `compressors/mx_utils.py`); ModelOpt 0.47 (`NVFP4QTensor.dequantize`).
  public static let nvfp4 = Codec(
    name: codecName, configKeys: [settingsKey]
  ) { table, _ throws(CheckpointError) in
    try table.groups(of: codecName, parts: ["weight_packed", "weight"]) {
      codes, part, module throws(CheckpointError) in
      let isPacked = part == "weight_packed"
      guard codes.dtype == .u8, module[isPacked ? "weight_scale" : "weight_scale_2"] != nil else {
        return nil
      }
      return try FloatMatrix(codes, module, isPacked: isPacked).coded(module)
    }
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
  /// Bits of a code.
  let bits: Int

  var codeCount: Int { 1 << bits }
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
    // Of six bits are only those whose scales are too few for four.
    let isSix = isPower && scales.shape.last.map { $0 == codes.shape[1] / 24 } == true
    bits = isSix ? 6 : 4
    let bytesInGroup = groupSize * bits / 8
    guard codes.shape[1].isMultiple(of: bytesInGroup) else {
      throw module.misfit(codes, "are those of rows of whole groups of \(groupSize)")
    }
    columns = codes.shape[1] / bytesInGroup * groupSize
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
    let codes = try code == nil ? self.codes(row, columns) : []
    return columns.map { column in
      value(of: code ?? codes[column - columns.lowerBound])
        * factors[column / groupSize - groups.lowerBound]
    }
  }

  /// The codes of a part of a row.
  private func codes(_ row: Int, _ columns: Range<Int>) throws(CheckpointError) -> [Int] {
    let start = row * codes.shape[1]
    let first = columns.lowerBound * bits / 8
    let end = (columns.upperBound * bits + 7) / 8
    let bytes = try codes.bytes(of: start + first..<start + end)
    return columns.map { column in
      let (byte, bit) = (column * bits).quotientAndRemainder(dividingBy: 8)
      var word = Int(bytes[byte - first])
      if bit + bits > 8 { word |= Int(bytes[byte - first + 1]) << 8 }
      return word >> bit & (codeCount - 1)
    }
  }

  /// What a code stands for. Zero has no sign in ModelOpt.
  private func value(of code: Int) -> Float {
    if bits == 6 { return numbersOfE2M3[code] }
    return code == 8 && !isReciprocal ? 0 : numbersOfE2M1[code]
  }

  /// The scales of groups of a row.
  private func factors(_ row: Int, _ groups: Range<Int>) throws(CheckpointError) -> [Float] {
    let start = row * scales.shape[1]
    let codes = try scales.bytes(of: start + groups.lowerBound..<start + groups.upperBound)
    guard let outer else {
      return codes.map(powerOfTwo)
    }
    let whole = try outer.singlePrecision(of: 0..<1)[0]
    let inner = codes.map { numbersOfE4M3[Int($0)] }
    guard isReciprocal else { return inner.map { $0 * whole } }
    return inner.map { outer.shape.isEmpty ? bfloat16($0 / whole) : $0 / whole }
  }
}

/// A number, rounded to bfloat16.
private func bfloat16(_ value: Float) -> Float {
  Float(bitPattern: UInt32(truncatingIfNeeded: DType.bf16.roundedBits(of: Double(value))) << 16)
}
