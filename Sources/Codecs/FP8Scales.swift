import TensorCore

extension Codec {
  /// Matrices of 8-bit floats with one scale, one for each row, or one for each group of a row or block: `X.weight` in
  /// F8_E4M3 `[rows, columns]`, and `X.weight_scale` of shape `[]`, `[1]`, `[1, 1]`, `[rows]`, `[rows, 1]`, `[rows, groups]`, or of
  /// one for each block of `block_structure` of the config; or `X.weight_scale_inv` of shape `[]` or `[1]`. The weight is `weight · scale`, computed in single precision and rounded once;
  /// with scales in U8, which are powers of two (`mxfp8-quantized`: 2^(scale − 127)), it is BF16.
  ///
  /// Source: compressed-tensors 0.20 (`quantization/lifecycle/forward.py`: the strategies `tensor`,
  /// `channel`, `group` and `block`, symmetric), transformers' `FbgemmFp8Linear`, and its `FP8Linear` without blocks.
  public static let fp8Scales = Codec(
    name: codecName, configKeys: [settingsKey]
  ) { table, config throws(CheckpointError) in
    let sizes = blockSizes(config)
    var found: [CodedTensor] = []
    for scales in table.tensors {
      guard let codes = codes(of: scales, in: table) else { continue }
      let matrix = try matrix(codes, scales, sizes)
      found.append(
        CodedTensor(
          codec: codecName, stored: [codes, scales] + table.activationScales(beside: codes),
          tensor: matrix.tensor, codes: matrix.rows))
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
private func matrix(
  _ codes: Tensor, _ scales: Tensor, _ sizes: [[Int]]
) throws(CheckpointError) -> ScaledMatrix {
  guard codes.shape.count == 2 else {
    throw ScaledMatrix.unknownScales(scales, of: codes, codecName)
  }
  let (rows, columns) = (codes.shape[0], max(1, codes.shape[1]))
  let isWhole = scales.elementCount == 1 && scales.shape.count <= 2
  if !isWhole, let size = blockSize(codes, scales, sizes) {
    return try ScaledMatrix(codes, scales, blockSize: size, codec: codecName)
  }
  guard isWhole || scales.shape == [rows] || scales.shape == [rows, 1] else {
    throw ScaledMatrix.unknownScales(scales, of: codes, codecName)
  }
  let table = Tensor(
    name: scales.name, dtype: scales.dtype, shape: isWhole ? [1, 1] : [rows, 1],
    bytes: scales.bytes)
  return try ScaledMatrix(
    codes, table, blockSize: (isWhole ? max(1, rows) : 1, columns), codec: codecName)
}

/// Rows and columns that have a scale together, where rows have several: the blocks of the config that fit, or
/// groups.
private func blockSize(
  _ codes: Tensor, _ scales: Tensor, _ sizes: [[Int]]
) -> (rows: Int, columns: Int)? {
  guard scales.shape.count == 2, codes.shape.allSatisfy({ $0 > 0 }) else { return nil }
  for size in sizes where zip(codes.shape, size).map({ ($0 - 1) / $1 + 1 }) == scales.shape {
    return (size[0], size[1])
  }
  let (columns, groups) = (codes.shape[1], scales.shape[1])
  guard scales.shape[0] == codes.shape[0], groups > 1, columns.isMultiple(of: groups),
    columns > groups
  else { return nil }
  return (1, columns / groups)
}

/// The sizes of blocks that the config names.
private func blockSizes(_ config: JSONValue?) -> [[Int]] {
  let groups = config?["quantization_config"]?["config_groups"]?.members ?? []
  return groups.compactMap { group in
    let sizes = group.value["weights"]?["block_structure"]?.elements?.compactMap(\.int) ?? []
    return sizes.count == 2 && sizes.allSatisfy { $0 > 0 } ? sizes : nil
  }
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
