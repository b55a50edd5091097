public import TensorCore

/// What a config's `quantization_config` says of tensors, held against their shapes and, where these do not tell,
/// their numbers.
///
/// Source of what settings mean: transformers 5 (`utils/quantization_config.py`), AutoGPTQ and GPTQModel
/// (`desc_act`, `sym`, `checkpoint_format`), AutoAWQ, compressed-tensors (`QuantizationArgs`), bitsandbytes.
public struct CodingSettings {
  /// A contradiction.
  public struct Fault: Sendable, Equatable {
    /// The tensor.
    public let tensor: TensorName?
    /// What contradicts the setting, as a predicate of the tensor, with both figures.
    public let text: String
  }

  private let table: TensorTable
  private let settings: JSONValue
  private var found: [(text: String, tensors: [TensorName])] = []
  /// Where in `found` a text stands.
  private var places: [String: Int] = [:]

  /// All contradictions of one kind once, with the first tensor.
  public var faults: [Fault] {
    found.map { found in
      let more = found.tensors.count > 1 ? ", and \(found.tensors.count - 1) more are so" : ""
      return Fault(tensor: found.tensors.first, text: found.text + more)
    }
  }

  /// Holds tensors against the config's settings; none, if it has none.
  ///
  /// - Throws: `CheckpointError` when bytes cannot be read.
  public init(_ table: TensorTable, config: JSONValue?) throws(CheckpointError) {
    self.table = table
    settings = config?[Codec.settingsKey] ?? .null
    guard settings.members != nil, let method = settings["quant_method"]?.string else { return }
    checkPresence(method)
    checkIgnored()
    switch method {
    case "gptq": try checkGPTQ()
    case "awq": checkAWQ()
    case "compressed-tensors": checkCompressedTensors()
    case "bitsandbytes": checkBitsAndBytes()
    case "fp8": checkBlocks()
    default: break
    }
  }

  private mutating func add(_ tensor: Tensor?, _ text: String) {
    let names = tensor.map { [$0.name] } ?? []
    if let place = places[text] {
      found[place].tensors += names
    } else {
      places[text] = found.count
      found.append((text, names))
    }
  }

  // MARK: What is in codes

  /// The ends of names of which there must be some.
  private static let ends: [String: [String]] = [
    "gptq": [".qweight"], "awq": [".qweight"], "mxfp4": ["_blocks"],
    "bitsandbytes": [".absmax", ".SCB"], "fp8": ["weight_scale_inv", "weight_scale"],
    "fbgemm_fp8": ["weight_scale"],
    "compressed-tensors": [".weight_packed", ".weight_scale", ".weight_bitmask"],
  ]

  private mutating func checkPresence(_ method: String) {
    guard let ends = Self.ends[method], settings["format"]?.string != "dense" else { return }
    let isThere = table.tensors.contains { tensor in
      ends.contains { tensor.name.text.hasSuffix($0) } || tensor.dtype == .f8e4m3
    }
    if isThere { return }
    let last = ends.map { "…\($0)" }.joined(separator: " or ")
    add(nil, "quant_method is \(method), and no tensor is \(last): nothing is in codes")
  }

  /// The modules in codes, by their names.
  private var modules: [(name: String, codes: Tensor)] {
    table.tensors.compactMap { tensor in
      for end in [".qweight", ".weight_packed"] where tensor.name.text.hasSuffix(end) {
        return (String(tensor.name.text.dropLast(end.count)), tensor)
      }
      for end in [".weight_scale", ".weight_scale_inv", ".weight.absmax", ".SCB"]
      where tensor.name.text.hasSuffix(end) {
        let name = String(tensor.name.text.dropLast(end.count))
        if let codes = table[TensorName(name + ".weight")] { return (name, codes) }
      }
      return nil
    }
  }

  /// Modules that are said to be no codes, and are.
  private mutating func checkIgnored() {
    for key in ["modules_to_not_convert", "ignore", "llm_int8_skip_modules"] {
      let names = (settings[key]?.elements ?? []).compactMap(\.string)
        .filter { !$0.isEmpty && !$0.hasPrefix("re:") && !$0.contains("*") }
      if names.isEmpty { continue }
      let listed = Set(names)
      for module in modules {
        let parts = module.name.split(separator: ".", omittingEmptySubsequences: false)
        guard let name = parts.runs.first(where: { listed.contains($0) }) else { continue }
        add(module.codes, "is in codes, and \(key) has \(escaped(name))")
      }
    }
    checkBlocksOfLayers()
  }

  /// `modules_in_block_to_quantize`: all that is in codes is one of them.
  private mutating func checkBlocksOfLayers() {
    let lists = settings["modules_in_block_to_quantize"]?.elements ?? []
    let names = Set(lists.flatMap { $0.elements ?? [$0] }.compactMap(\.string))
    if names.isEmpty { return }
    for module in modules {
      let parts = module.name.split(separator: ".", omittingEmptySubsequences: false)
      if parts.indices.contains(where: { names.contains(parts[$0...].joined(separator: ".")) }) {
        continue
      }
      add(module.codes, "is in codes, and modules_in_block_to_quantize does not have it")
    }
  }

  // MARK: GPTQ

  private mutating func checkGPTQ() throws(CheckpointError) {
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

  // MARK: AWQ

  private mutating func checkAWQ() {
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

  // MARK: compressed-tensors

  private mutating func checkCompressedTensors() {
    let groups = (settings["config_groups"]?.members ?? []).compactMap { $0.value["weights"] }
    guard let scheme = groups.first, groups.allSatisfy({ $0 == scheme }), scheme.members != nil
    else { return }
    let isFloat = scheme["type"]?.string == "float"
    let bits = scheme["num_bits"]?.int
    if let bits, !(1...16).contains(bits) {
      add(nil, "num_bits is \(bits), and codes have 1 to 16")
    }
    for module in modules {
      let scales = table[TensorName(module.name + ".weight_scale")]
      let zeros = table[TensorName(module.name + ".weight_zero_point")]
      var columns = module.codes.shape.last ?? 0
      if module.codes.name.text.hasSuffix(".weight_packed") {
        if module.codes.dtype == .i32 {
          guard let size = table[TensorName(module.name + ".weight_shape")], size.shape == [2],
            let shape = try? size.integers(0..<2), let bits, (1...8).contains(bits), shape[1] > 0,
            shape[1] < 1 << 50
          else { continue }
          columns = shape[1]
          guard module.codes.shape.allSatisfy({ $0 < 1 << 50 }) else { continue }
          if !PackedCodes(bits: bits).fill(columns, module.codes.shape.last ?? 0) {
            let words = module.codes.shape.last ?? 0
            add(
              module.codes,
              "has \(words) words for \(columns) codes, about \(words * 32 / columns) bits each; num_bits says \(bits)"
            )
            continue
          }
        } else if columns < 1 << 50 {
          columns *= 2
        }
      }
      if let scales { checkScales(scales, columns, scheme) }
      guard !isFloat, let symmetric = scheme["symmetric"]?.bool else { continue }
      if symmetric, let zeros {
        add(zeros, "is there, and symmetric is true")
      } else if !symmetric, zeros == nil {
        add(module.codes, "has no weight_zero_point beside it, and symmetric is false")
      }
    }
  }

  private mutating func checkScales(_ scales: Tensor, _ columns: Int, _ scheme: JSONValue) {
    let last = scales.shape.count == 2 ? scales.shape[1] : 1
    switch scheme["strategy"]?.string {
    case "group", "tensor_group":
      guard let size = scheme["group_size"]?.int, size > 0, columns > 0 else { return }
      let wanted = (columns - 1) / size + 1
      if last != wanted {
        add(scales, "has \(last) groups of \(columns) inputs; group_size \(size) makes \(wanted)")
      }
    case "channel":
      if last != 1 || scales.elementCount == 1 && scales.shape.count < 2 {
        add(
          scales, "is \(describe(shape: scales.shape)), and strategy channel has one for each row")
      }
    case "tensor":
      if scales.elementCount != 1 {
        add(scales, "is \(describe(shape: scales.shape)), and strategy tensor has one for all")
      }
    default: break
    }
  }

  // MARK: bitsandbytes

  private mutating func checkBitsAndBytes() {
    let isFour = settings["load_in_4bit"]?.bool ?? settings["_load_in_4bit"]?.bool
    let isEight = settings["load_in_8bit"]?.bool ?? settings["_load_in_8bit"]?.bool
    if isFour == isEight, let isFour {
      add(nil, "load_in_4bit and load_in_8bit are both \(isFour)")
    }
    let kind = settings["bnb_4bit_quant_type"]?.string
    let isNested = settings["bnb_4bit_use_double_quant"]?.bool
    for tensor in table.tensors {
      let name = tensor.name.text
      if name.hasSuffix(".SCB"), isFour == true, isEight != true {
        add(tensor, "is there, as 8 bits have it, and load_in_4bit is true")
      } else if let range = name.firstRange(of: ".quant_state.bitsandbytes__") {
        let own = name[range.upperBound...]
        if isEight == true, isFour != true {
          add(tensor, "is there, as 4 bits have it, and load_in_8bit is true")
        } else if let kind, kind != own {
          add(tensor, "is of \(own), and bnb_4bit_quant_type is \(escaped(kind))")
        }
        let nested = table[TensorName(name[..<range.lowerBound] + ".nested_absmax")] != nil
        if let isNested, isNested != nested, isFour != false {
          add(
            tensor,
            "has \(nested ? "" : "no ")nested_absmax beside it, and bnb_4bit_use_double_quant is \(isNested)"
          )
        }
      }
    }
  }

  // MARK: FP8

  private mutating func checkBlocks() {
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

extension [Substring] {
  /// The names that parts of a name make which follow one another; of the first sixteen parts, which is more than names have.
  fileprivate var runs: some Sequence<String> {
    let parts = prefix(16)
    return parts.indices.lazy.flatMap { first in
      (first..<parts.endIndex).lazy.map { parts[first...$0].joined(separator: ".") }
    }
  }
}
