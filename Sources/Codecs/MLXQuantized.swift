import TensorCore

extension Codec {
  /// What Apple's mlx quantises: `X.weight` U32, several codes in each, with `X.scales`. It is known, and not
  /// decoded.
  ///
  /// Source: mlx 0.32 (`mlx.core.quantize`), mlx-lm's `quantization` of a config.
  static let mlxQuantized = Codec(
    name: "mlx", configKey: "quantization"
  ) { table, config throws(CheckpointError) in
    let found = table.tensors.filter { codes in
      let name = codes.name.text
      return name.hasSuffix(".weight") && codes.dtype == .u32
        && table[TensorName(name.dropLast("weight".count) + "scales")] != nil
    }
    guard let first = found.first else { return [] }
    let settings = config?["quantization"]
    let size = settings?["bits"]?.int.map { "\($0) bits" }
    let group = settings?["group_size"]?.int.map { "groups of \($0)" }
    let how = [size, group].compactMap(\.self).joined(separator: ", ")
    let rest = found.count == 1 ? "is" : "and \(found.count - 1) more are"
    throw CheckpointError(
      .unsupported(
        "\(first.name) \(rest) quantised by mlx\(how.isEmpty ? "" : " (\(how))"), which is not decoded"
      ),
      advice: "mlx_lm.convert --dequantize writes plain weights")
  }
}
