import TensorCore

extension CodingSettings {
  mutating func checkGPTQ() throws(CheckpointError) {
    guard settings["dynamic"]?.members?.isEmpty ?? true else { return }
    let bits = settings["bits"]?.int
    for module in modules where module.codes.name.text.hasSuffix(".qweight") {
      guard let scales = table[TensorName(module.name + ".scales")], scales.shape.count == 2,
        let zeros = table[TensorName(module.name + ".qzeros")], zeros.shape.count == 2,
        module.codes.shape.count == 2
      else { continue }
      let (codes, outputs, groups) = (module.codes, scales.shape[1], scales.shape[0])
      guard codes.shape[1] == outputs else {
        if codes.shape[1] < 1 << 50, codes.shape[1] * 8 == outputs {
          add(codes, "is packed along outputs, as AWQ's are, and quant_method is gptq")
        }
        continue
      }
      let order = table[TensorName(module.name + ".g_idx")]
      if let bits, !checkBits(bits, codes, zeros, outputs, inputs: order?.shape.first) { continue }
      guard let bits, [2, 3, 4, 8].contains(bits), codes.shape[0] < 1 << 50 else { continue }
      let inputs = order?.shape.first ?? codes.shape[0] * 32 / bits
      guard checkGroups(scales, inputs, groups) else { continue }
      if let order, order.shape.count == 1 { try checkOrder(order, inputs, groups) }
      try checkZeros(zeros, PackedCodes(bits: bits), outputs)
    }
  }

  /// Whether zero points and codes are of so many bits.
  private mutating func checkBits(
    _ bits: Int, _ codes: Tensor, _ zeros: Tensor, _ outputs: Int, inputs: Int?
  ) -> Bool {
    let widths = [2, 3, 4, 8].filter {
      let packed = PackedCodes(bits: $0)
      return packed.fill(outputs, zeros.shape[1])
        && (inputs.map { packed.fill($0, codes.shape[0]) } ?? true)
    }
    guard !widths.isEmpty, !widths.contains(bits) else { return true }
    let own = widths.map { "\($0)" }.joined(separator: " or ")
    add(
      codes,
      "has \(own) bits: \(describe(shape: codes.shape)) words beside zero points of"
        + " \(describe(shape: zeros.shape)) for \(outputs) outputs; bits says \(bits)")
    return false
  }

  /// Whether there are as many groups as `group_size` makes.
  private mutating func checkGroups(_ scales: Tensor, _ inputs: Int, _ groups: Int) -> Bool {
    guard let size = settings["group_size"]?.int, size == -1 || size > 0, inputs > 0 else {
      return true
    }
    let wanted = size == -1 ? 1 : (inputs - 1) / size + 1
    if wanted == groups { return true }
    add(
      scales,
      "has \(groups) groups of \(inputs) inputs; group_size \(size) makes \(wanted)")
    return false
  }

  /// Whether inputs are in their groups one after the other, as `desc_act` says.
  private mutating func checkOrder(
    _ order: Tensor, _ inputs: Int, _ groups: Int
  ) throws(CheckpointError) {
    guard settings["desc_act"]?.bool == false, [.i32, .i64].contains(order.dtype),
      let declared = settings["group_size"]?.int
    else { return }
    let size = declared > 0 ? declared : inputs
    let listed = try order.integers(0..<inputs)
    guard let place = listed.indices.first(where: { listed[$0] != $0 / size }) else { return }
    add(
      order,
      "has input \(place) in group \(listed[place]), which is \(place / size) where desc_act is false"
    )
  }

  /// Whether all zero points are in the middle, as `sym` says.
  private mutating func checkZeros(
    _ zeros: Tensor, _ packed: PackedCodes, _ outputs: Int
  ) throws(CheckpointError) {
    guard settings["sym"]?.bool == true, zeros.dtype == .i32, packed.fill(outputs, zeros.shape[1])
    else { return }
    let named = settings["checkpoint_format"]?.string ?? "gptq"
    let middle = Int32(packed.count / 2)
    let stored = named == "gptq_v2" ? middle : middle - 1
    for row in 0..<zeros.shape[0] {
      let codes = packed.codes(0..<outputs, in: try zeros.words(row, 0..<zeros.shape[1]))
      guard let other = codes.first(where: { $0 != stored }) else { continue }
      let is2 = codes.allSatisfy { $0 == (named == "gptq_v2" ? middle - 1 : middle) }
      add(
        zeros,
        is2
          ? "has zero points \(other), as checkpoint_format \(named == "gptq_v2" ? "gptq" : "gptq_v2") stores"
            + " the middle of \(packed.bits) bits; the config says \(named), which stores \(stored)"
          : "has zero points that are not all \(stored), as checkpoint_format \(named) stores the middle of"
            + " \(packed.bits) bits: sym is true, and one is \(other)")
      return
    }
  }
}
