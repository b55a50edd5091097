import TensorCore

extension CodingSettings {
  mutating func checkAWQ() {
    let version = (settings["version"]?.string ?? settings["format"]?.string ?? "gemm").lowercased()
    for module in modules where module.codes.name.text.hasSuffix(".qweight") {
      guard let scales = table[TensorName(module.name + ".scales")], scales.shape.count == 2,
        let zeros = table[TensorName(module.name + ".qzeros")], zeros.shape.count == 2,
        module.codes.shape.count == 2,
        [module.codes, scales, zeros].allSatisfy({ $0.shape.allSatisfy { (1..<1 << 50) ~= $0 } })
      else { continue }
      let (codes, size) = (
        module.codes, settings["group_size"]?.int ?? settings["q_group_size"]?.int
      )
      checkBits(codes, scales)
      let isGEMM = codes.shape[1] * 8 == scales.shape[1] && zeros.shape[1] == codes.shape[1]
      let isGEMV = codes.shape[0] == scales.shape[0] && zeros.shape[1] * 8 == scales.shape[1]
      if !isGEMM, codes.shape[1] == scales.shape[1] {
        add(codes, "is packed down inputs, as GPTQ's are, and quant_method is awq")
      } else if isGEMM != isGEMV, ["gemm", "gemv"].contains(version),
        (version == "gemm") != isGEMM
      {
        add(
          codes,
          "is \(describe(shape: codes.shape)) beside scales \(describe(shape: scales.shape)), as"
            + " \(isGEMM ? "gemm" : "gemv") stores it; version says \(version)")
      } else if isGEMM, let size, size > 0 {
        let inputs = codes.shape[0]
        let wanted = (inputs - 1) / size + 1
        if wanted != scales.shape[0] {
          add(
            scales,
            "has \(scales.shape[0]) groups of \(inputs) inputs; group_size \(size) makes \(wanted)")
        }
      }
    }
  }

  /// Whether words have codes of as many bits as the config says; all of AutoAWQ's have 4.
  private mutating func checkBits(_ codes: Tensor, _ scales: Tensor) {
    guard let bits = settings["bits"]?.int ?? settings["w_bit"]?.int, bits != 4,
      codes.shape[1] * 8 == scales.shape[1]
    else { return }
    add(
      codes,
      "has 4 bits: \(codes.shape[1]) words for \(scales.shape[1]) outputs; bits says \(bits)")
  }
}
