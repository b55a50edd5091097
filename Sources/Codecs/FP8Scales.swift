import TensorCore

extension Codec {
  /// Matrices of 8-bit floats with one scale, or one for each row: `X.weight` in F8_E4M3 `[rows, columns]`,
  /// and `X.weight_scale` of shape `[]`, `[1]`, `[1, 1]`, `[rows]` or `[rows, 1]`; or `X.weight_scale_inv` of
  /// shape `[]` or `[1]`. The weight is `weight · scale`, computed in single precision and rounded once.
  ///
  /// Source: compressed-tensors 0.20 (`quantization/lifecycle/forward.py`: the strategies `tensor` and
  /// `channel`, symmetric), transformers' `FbgemmFp8Linear`, and its `FP8Linear` without blocks.
  public static let fp8Scales = Codec(
    name: codecName, configKey: "quantization_config"
  ) { table, _ throws(CheckpointError) in
    var found: [CodedTensor] = []
    for scales in table.tensors {
      guard let codes = codes(of: scales, in: table) else { continue }
      let matrix = try matrix(codes, scales)
      found.append(
        CodedTensor(
          codec: codecName, stored: [codes, scales] + table.activationScales(beside: codes),
          tensor: matrix.tensor))
    }
    return found
  }
}

private let codecName = "fp8-scales"

/// The codes that scales are called after.
private func codes(of scales: Tensor, in table: TensorTable) -> Tensor? {
  let name = scales.name.text
  let suffix = name.hasSuffix(".weight_scale") ? "_scale" : "_scale_inv"
  guard name.hasSuffix(".weight" + suffix), suffix == "_scale" || scales.isOneNumber,
    let codes = table[TensorName(String(name.dropLast(suffix.count)))], codes.dtype == .f8e4m3
  else { return nil }
  return codes
}

/// The matrix that both are.
///
/// - Throws: `CheckpointError` if the scales are those of something else.
private func matrix(_ codes: Tensor, _ scales: Tensor) throws(CheckpointError) -> ScaledMatrix {
  guard codes.shape.count == 2 else {
    throw ScaledMatrix.unknownScales(scales, of: codes, codecName)
  }
  let (rows, columns) = (codes.shape[0], max(1, codes.shape[1]))
  let isWhole = scales.elementCount == 1 && scales.shape.count <= 2
  guard isWhole || scales.shape == [rows] || scales.shape == [rows, 1] else {
    throw ScaledMatrix.unknownScales(scales, of: codes, codecName)
  }
  let table = Tensor(
    name: scales.name, dtype: scales.dtype, shape: isWhole ? [1, 1] : [rows, 1],
    bytes: scales.bytes)
  return try ScaledMatrix(
    codes, table, blockSize: (isWhole ? max(1, rows) : 1, columns), codec: codecName)
}

extension Tensor {
  /// Whether it is one number, and not the scale of a single block.
  var isOneNumber: Bool { elementCount == 1 && shape.count < 2 }
}

extension TensorTable {
  /// The scale of what a matrix is multiplied with, which is no part of the weight: `X.input_scale` in
  /// compressed-tensors, `X.activation_scale` in transformers.
  func activationScales(beside codes: Tensor) -> [Tensor] {
    let module = codes.name.text.dropLast("weight".count)
    return ["input_scale", "activation_scale"].compactMap { self[TensorName(module + $0)] }
  }
}
