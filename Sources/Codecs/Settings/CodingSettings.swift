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

  let table: TensorTable
  let settings: JSONValue
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
  /// - Parameter patterns: reads the patterns of names that compressed-tensors' lists may have.
  /// - Throws: `CheckpointError` when bytes or patterns cannot be read.
  public init(
    _ table: TensorTable, config: JSONValue?, patterns: PatternReader
  ) throws(CheckpointError) {
    self.table = table
    settings = config?[Codec.settingsKey] ?? .null
    guard settings.members != nil, let method = settings["quant_method"]?.string else { return }
    checkPresence(method)
    if method != "compressed-tensors" { checkIgnored() }
    switch method {
    case "gptq": try checkGPTQ()
    case "awq": checkAWQ()
    case "compressed-tensors": try checkCompressedTensors(ModuleLists(settings, patterns))
    case "bitsandbytes": checkBitsAndBytes()
    case "fp8": checkBlocks()
    default: break
    }
  }

  mutating func add(_ tensor: Tensor?, _ text: String) {
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
    "fbgemm_fp8": ["weight_scale"], "torchao": ["._weight_qdata"],
    "compressed-tensors": [".weight_packed", ".weight_scale", ".bitmask"],
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
  var modules: [(name: String, codes: Tensor)] {
    table.tensors.compactMap { tensor in
      for end in [".qweight", ".weight_packed", "._weight_qdata"]
      where tensor.name.text.hasSuffix(end) {
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
