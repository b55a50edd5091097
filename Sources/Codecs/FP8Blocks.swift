import TensorCore

extension Codec {
  /// Matrices of 8-bit floats with a scale for each block: `X.weight` in F8_E4M3 `[rows, columns]`, and
  /// `X.weight_scale_inv` `[⌈rows / R⌉, ⌈columns / C⌉]`. The weight is `weight · scale`, computed in single
  /// precision and rounded once. `R` and `C` are `quantization_config.weight_block_size` of the config, 128
  /// each if it does not say; blocks at the end of an axis have what is left.
  ///
  /// Source: Liu et al., arXiv 2412.19437, section 3.3.2, and its `inference/kernel.py`
  /// (`weight_dequant`); transformers writes the same with `FineGrainedFP8Config`.
  public static let fp8Blocks = Codec(
    name: codecName, configKeys: [settingsKey]
  ) { table, config throws(CheckpointError) in
    let pairs = pairs(in: table)
    if pairs.isEmpty { return [] }
    let size = try blockSize(config)
    var matrices: [ScaledMatrix] = []
    var faults: [String] = []
    for (codes, scales) in pairs {
      let matrix = try ScaledMatrix(codes, scales, blockSize: size, codec: codecName)
      if let fault = matrix.fault { faults.append(fault) }
      matrices.append(matrix)
    }
    guard faults.isEmpty else {
      let count = faults.count == 1 ? "1 tensor" : "\(faults.count) tensors"
      throw CheckpointError(
        .refused("the scales of \(codecName) do not fit their codes: \(count)"),
        advice: "quantization_config.weight_block_size of the config says how large blocks are",
        details: faults)
    }
    return matrices.map { matrix in
      CodedTensor(
        codec: codecName,
        stored: [matrix.codes, matrix.scales] + table.activationScales(beside: matrix.codes),
        tensor: matrix.tensor, codes: matrix.rows)
    }
  }
}

/// Codes, and the scales that are called after them, without those of which a whole tensor has one.
private func pairs(in table: TensorTable) -> [(codes: Tensor, scales: Tensor)] {
  table.tensors.compactMap { scales in
    let name = scales.name.text
    guard name.hasSuffix(".weight" + suffix),
      let codes = table[TensorName(String(name.dropLast(suffix.count)))], codes.dtype == .f8e4m3,
      !scales.isOneNumber
    else { return nil }
    return (codes, scales)
  }
}

private let codecName = "fp8-blocks"
private let suffix = "_scale_inv"

/// Rows and columns of a block.
private func blockSize(_ config: JSONValue?) throws(CheckpointError) -> (rows: Int, columns: Int) {
  let declared = config?["quantization_config"]?["weight_block_size"] ?? .null
  if declared == .null { return (128, 128) }
  let sizes = declared.elements?.compactMap(\.int) ?? []
  guard sizes.count == 2, declared.elements?.count == 2, sizes.allSatisfy({ $0 > 0 }) else {
    throw CheckpointError(
      .malformed("the config's weight_block_size is no pair of whole numbers from 1"))
  }
  return (sizes[0], sizes[1])
}
