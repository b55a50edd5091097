import TensorCore

extension CodingSettings {
  mutating func checkCompressedTensors(_ lists: ModuleLists) throws(CheckpointError) {
    checkFormat()
    var lists = lists
    let modules = modules
    try checkLists(&lists, modules)
    for group in settings["config_groups"]?.members ?? [] {
      if let bits = group.value["weights"]?["num_bits"]?.int, !(1...16).contains(bits) {
        add(nil, "num_bits is \(bits), and codes have 1 to 16")
      }
    }
    for module in modules {
      guard let scheme = try lists.scheme(of: module.name), scheme.members != nil else { continue }
      let isFloat = scheme["type"]?.string == "float"
      let bits = scheme["num_bits"]?.int
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
          // Bytes of floats: two of four bits in one, four of six bits in three.
          columns = columns * 8 / (bits == 6 ? 6 : 4)
        }
      }
      if let scales { checkScales(scales, columns, scheme) }
      try checkKind(module.codes, scheme)
      guard !isFloat, let symmetric = scheme["symmetric"]?.bool else { continue }
      if symmetric, let zeros {
        add(zeros, "is there, and symmetric is true")
      } else if !symmetric, zeros == nil {
        add(module.codes, "has no weight_zero_point beside it, and symmetric is false")
      }
    }
  }

  /// Whether what is in codes is what `ignore` leaves out, or what no target names.
  private mutating func checkLists(
    _ lists: inout ModuleLists, _ modules: [(name: String, codes: Tensor)]
  ) throws(CheckpointError) {
    var untargeted: [Tensor] = []
    for module in modules {
      if let item = try lists.ignoring(module.name) {
        add(module.codes, "is in codes, and ignore has \(escaped(item))")
      }
      if try !lists.targets(module.name) { untargeted.append(module.codes) }
    }
    // Where targets name nothing, modules are called otherwise in the file.
    if untargeted.count == modules.count { return }
    for codes in untargeted {
      add(codes, "is in codes, and no target of config_groups names it")
    }
  }

  /// What `format` stores: the end of the codes' names, and their types.
  private static let formats: [String: (end: String, dtypes: [DType])] = [
    "pack-quantized": (".weight_packed", [.i32]), "int-quantized": (".weight", [.i8]),
    "float-quantized": (".weight", [.f8e4m3]), "naive-quantized": (".weight", [.i8, .f8e4m3]),
    "nvfp4-pack-quantized": (".weight_packed", [.u8]),
    "mxfp4-pack-quantized": (".weight_packed", [.u8]),
    "mxfp6-pack-quantized": (".weight_packed", [.u8]), "mxfp8-quantized": (".weight", [.f8e4m3]),
  ]

  /// Whether codes are stored as `format` does.
  private mutating func checkFormat() {
    guard let format = settings["format"]?.string, let own = Self.formats[format] else { return }
    for module in modules {
      let codes = module.codes
      let end = codes.name.text.hasSuffix(".weight_packed") ? ".weight_packed" : ".weight"
      if end == own.end, own.dtypes.contains(codes.dtype) { continue }
      let others = Self.formats.filter {
        $0.value.end == end && $0.value.dtypes.contains(codes.dtype)
      }
      guard !others.isEmpty else { continue }
      let names = others.keys.filter { $0 != "naive-quantized" }.sorted().joined(separator: " or ")
      add(codes, "is …\(end) in \(codes.dtype), as \(names) stores it, and format is \(format)")
    }
  }

  /// Codes of each matrix that are read: those of more bits than said show early.
  private static let mostCodes = 1 << 16

  /// Whether codes are of the type that the config says, and none has more bits.
  private mutating func checkKind(_ codes: Tensor, _ scheme: JSONValue) throws(CheckpointError) {
    let isInteger = [.i8, .i32].contains(codes.dtype)
    if let type = scheme["type"]?.string, ["int", "float"].contains(type),
      isInteger ? type == "float" : type == "int" && codes.dtype == .f8e4m3
    {
      add(codes, "is \(codes.dtype), and type is \(type)")
    }
    guard codes.dtype == .i8, let bits = scheme["num_bits"]?.int, (1...7).contains(bits) else {
      return
    }
    let allowed = -(1 << (bits - 1))...(1 << (bits - 1)) - 1
    let read = try codes.integers(0..<min(codes.elementCount, Self.mostCodes))
    if !read.allSatisfy(allowed.contains) {
      add(
        codes,
        "has codes beyond \(allowed.lowerBound) to \(allowed.upperBound), which are all that num_bits \(bits)"
          + " has")
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
}
