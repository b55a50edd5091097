import TensorCore

extension CodingSettings {
  mutating func checkBlocks() {
    let sizes = (settings["weight_block_size"]?.elements ?? []).compactMap(\.int)
    guard sizes.count == 2, sizes.allSatisfy({ $0 > 0 }) else { return }
    for module in modules {
      guard let scales = table[TensorName(module.name + ".weight_scale_inv")],
        scales.shape.count == 2, module.codes.shape.count == 2,
        module.codes.shape.allSatisfy({ $0 > 0 })
      else { continue }
      let wanted = zip(module.codes.shape, sizes).map { ($0 - 1) / $1 + 1 }
      if scales.shape != wanted {
        add(
          scales,
          "is \(describe(shape: scales.shape)) for \(describe(shape: module.codes.shape)); weight_block_size"
            + " \(describe(shape: sizes)) makes \(describe(shape: wanted))")
      }
    }
  }
}
