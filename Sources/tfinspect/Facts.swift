import Codecs
import CommandSupport
import Containers
import Models
import SystemPackage
import TensorCore
import TransformerKit

/// What is known about a checkpoint.
struct Facts {
  let checkpoint: Checkpoint
  let model: Model?
  let obstacle: CheckpointError?
  /// What it is if it is an adapter, or why that cannot be said.
  private let adapter: Adapter?
  private let adapterFault: CheckpointError?
  private let options: RecognitionOptions
  private let beside: [Surroundings.Item]
  private let types: [(dtype: DType, tensors: Int, elements: Int, bytes: Int)]

  init(
    _ checkpoint: Checkpoint, _ model: Model?, _ obstacle: CheckpointError?,
    _ options: RecognitionOptions
  ) {
    self.checkpoint = checkpoint
    self.options = options
    self.model = model
    self.obstacle = obstacle
    beside = checkpoint.beside
    (adapter, adapterFault) = adapterFacts(checkpoint)
    var sums: [DType: (tensors: Int, elements: Int, bytes: Int)] = [:]
    for tensor in checkpoint.tensors.tensors {
      let sum = sums[tensor.dtype] ?? (0, 0, 0)
      sums[tensor.dtype] = (
        sum.tensors + 1, sum.elements + tensor.elementCount, sum.bytes + tensor.byteCount
      )
    }
    types = sums.map { ($0.key, $0.value.tensors, $0.value.elements, $0.value.bytes) }
      .sorted { $0.bytes == $1.bytes ? $0.dtype.name < $1.dtype.name : $0.bytes > $1.bytes }
  }

  private var elementCount: Int { types.reduce(0) { $0 + $1.elements } }

  /// The facts for people: what it is about, two spaces before a part of what stands above; and what
  /// is so.
  ///
  /// - Parameter isWhole: whether all metadata is wanted, of which there may be 100 MB.
  func rows(isWhole: Bool = false) -> [(String, String)] {
    var rows: [(String, String)] = []
    func add(_ what: String, _ text: String) { rows.append((what, text)) }
    let files = checkpoint.files.count
    add("path", escaped(displayed(checkpoint.path)))
    add("container", "\(checkpoint.format), \(describe(files, "file"))")
    if let part = checkpoint.part { add("part", escaped(part.words)) }
    if let adapter { rows += AdapterText(adapter).rows }
    if let adapterFault { add("adapter", "not understood: \(escaped("\(adapterFault)"))") }
    let bytes = checkpoint.tensors.byteCount
    add(
      "tensors",
      "\(checkpoint.tensors.count), \(describe(bytes: bytes)) to load,"
        + " \(describe(bytes: diskBytes)) on disk"
    )
    for type in types {
      add(
        "  \(type.dtype)",
        "\(describe(type.tensors, "tensor")), \(describe(count: type.elements))"
          + " \(type.elements == 1 ? "element" : "elements"),"
          + " \(describe(bytes: type.bytes))"
      )
    }
    if let graph = model?.graph {
      add(
        "architecture",
        "\(type(of: graph.architecture).name), \(graph.architecture.head),"
          + " by \(reasons.architecture)"
      )
      for codec in model?.plain.codecs ?? [] {
        add("codec", "\(codec.name), \(describe(codec.count, "weight"))")
      }
      if let stack = graph.sentenceStack {
        add("sentences", "a vector of \(stack.outputs) numbers for each, by modules.json")
        for module in stack.modules { add("  \(module.folder)", module.form.text) }
        if let kept = stack.truncation { add("  kept", "the first \(describe(kept, "number"))") }
        add("  texts", text(of: model?.sentences))
      }
      add("dialect", "\(graph.dialect.fullName), by \(reasons.dialect)")
      let tied = graph.ties.isEmpty ? "" : ", \(graph.ties.count) of them tied to others"
      let stored = checkpoint.tensors.count + (graph.sentenceStack?.tensorCount ?? 0)
      let of = stored == graph.slots.count ? "" : " in \(describe(stored, "tensor"))"
      add("weights", "\(graph.slots.count)\(of)\(tied)")
      let count = graph.parameterCount
      add("parameters", "\(describe(count: count)) (\(count)), tied weights counted once")
      let summary = ModelSummary(graph)
      for part in summary.parts { add("  \(part.name)", text(part, of: count)) }
      add("memory", memoryText(count))
      for layers in summary.attention { add("attention", text(layers)) }
      if let positions = summary.positions { add("context", describe(positions, "position")) }
      if let experts = summary.experts { add("experts", text(experts, of: count)) }
      if let cache = summary.cache { add("cache", text(cache)) }
      for dropped in graph.dropped {
        add("no weight", "\(escaped(dropped.name.text)): \(dropped.reason)")
      }
      if let keys = model?.unknownKeys, !keys.isEmpty {
        add("unknown keys", "\(list(keys)); outputs may depend on them")
      }
    } else if let obstacle {
      let place = obstacle.tensor.map { "\($0.text): " } ?? ""
      add("architecture", escaped("not recognised: \(place)\(obstacle.problem.text)"))
      for detail in foldedByLayer(obstacle.details) { add("", escaped(detail)) }
      if let advice = obstacle.advice { add("", "→ \(escaped(advice))") }
    }
    if let config = checkpoint.config {
      add("config", escaped(displayed(config.path)))
    }
    if let (prefix, count) = checkpoint.strippedPrefix {
      add("names", "\(describe(count, "name")) without \"\(escaped(prefix))\"")
    }
    rows += others(isWhole: isWhole)
    for item in beside { add("beside", escaped("\(item.name): \(item.what), not read")) }
    rows += metadata(isWhole: isWhole)
    return rows
  }

  /// What the container holds that is no tensor: ten lines of it.
  private func others(isWhole: Bool) -> [(String, String)] {
    let shown = isWhole ? checkpoint.others[...] : checkpoint.others.prefix(10)
    var rows = shown.map { ("no tensor", escaped("\($0.name): \($0.what)")) }
    let rest = checkpoint.otherCount - shown.count
    if rest > 0 {
      rows.append(("", "\(rest) more" + (isWhole ? "" : ": -v shows them, up to a thousand")))
    }
    return rows
  }

  /// The metadata, abridged: 20 pairs, and 300 characters of each.
  private func metadata(isWhole: Bool) -> [(String, String)] {
    let entries = checkpoint.metadata?.entries ?? []
    let shown = isWhole ? entries[...] : entries.prefix(20)
    var rows = shown.map { entry in
      let key = isWhole ? entry.key : abridged(entry.key, to: 300)
      let value = isWhole ? entry.value : abridged(entry.value, to: 300)
      return ("metadata", escaped("\(key) = \(value)"))
    }
    if shown.count < entries.count {
      rows.append(("", "\(entries.count - shown.count) more pairs: -v shows all of them"))
    }
    return rows
  }

  /// How texts are read: `256 tokens at most, prompts query, document`.
  private func text(of sentences: SentenceFolder?) -> String {
    let length = sentences?.longest.map { "\(describe($0, "token")) at most" } ?? "of any length"
    let prompts = (sentences?.prompts ?? []).filter { !$0.text.isEmpty }.map { escaped($0.name) }
    let usual = sentences?.usualPrompt.map { ", \(escaped($0)) if none is named" } ?? ""
    return length + (sentences?.lowercases == true ? ", in lower case" : "")
      + (prompts.isEmpty ? "" : ", prompts \(prompts.joined(separator: ", "))" + usual)
  }

  /// `85.1 M, 77.8 %, 12 blocks`.
  private func text(_ part: ModelSummary.Part, of total: Int) -> String {
    var text = describe(count: part.parameters)
    let tenths = total == 0 ? 0 : Int((Double(part.parameters) / Double(total) * 1000).rounded())
    text += ", \(tenths / 10).\(tenths % 10) %"
    if part.blocks > 0 { text += ", " + describe(part.blocks, "block") }
    return text
  }

  private func text(_ experts: ModelSummary.Experts, of total: Int) -> String {
    "\(experts.count) in \(describe(experts.layers, "layer")), \(experts.active) of them active:"
      + " \(describe(count: experts.activeParameters)) of \(describe(count: total)) parameters"
      + " for a token"
  }

  /// What the parameters take when they are loaded.
  private func memoryText(_ count: Int) -> String {
    "the parameters take \(describe(bytes: 4 * count)) in F32, \(describe(bytes: 2 * count)) in 16 bits,"
      + " \(describe(bytes: count)) in 8"
  }

  /// `32 heads of 128 that share 8 of keys and values, window 4096, in 16 layers`.
  private func text(_ layers: ModelSummary.AttentionLayers) -> String {
    let shape = layers.shape
    var text = "\(describe(shape.heads, "head")) of \(shape.headSize)"
    if shape.valueSize != shape.headSize { text += ", values of \(shape.valueSize)" }
    if shape.keyHeads != shape.heads { text += " that share \(shape.keyHeads) of keys and values" }
    if shape.isCross { text += ", over the encoder's text" }
    if let window = shape.window {
      text += shape.seesAhead ? ", \(window - 1) keys on either side" : ", window \(window)"
    }
    return text + ", in \(describe(layers.count, "layer"))"
  }

  private func text(_ cache: ModelSummary.Cache) -> String {
    var text =
      "keys and values take \(describe(bytes: cache.perToken)) a token,"
      + " \(describe(bytes: cache.perThousandTokens)) for 1,000"
    if cache.perEncoderToken > 0 {
      text += ", and \(describe(bytes: cache.perEncoderToken)) a token of the encoder"
    }
    return text + ", in \(cache.dtype)"
  }

  /// How the model was recognised.
  private var reasons: (architecture: String, dialect: String) {
    let config = checkpoint.config?.value
    let declaration: String? =
      if config?["model_type"] != nil {
        "model_type of the config"
      } else if config?["general.architecture"] != nil {
        "general.architecture of the key-values"
      } else if config?["architectures"] != nil {
        "the tensors' names and the class of the config"
      } else { nil }
    return (
      options.architecture != nil ? "--architecture" : declaration ?? "the tensors' names",
      options.dialect != nil ? "--from-dialect" : "the tensors' names"
    )
  }

  /// The bytes of the files that hold the weights.
  private var diskBytes: Int {
    checkpoint.files.reduce(0) { $0 + Int($1.status?.size ?? 0) }
  }

  var json: JSONValue {
    let types: [JSONValue] = types.map {
      [
        "dtype": .string($0.dtype.name), "tensors": .number($0.tensors),
        "elements": .number($0.elements), "bytes": .number($0.bytes),
      ]
    }
    let metadata = checkpoint.metadata.map { metadata in
      JSONValue.object(metadata.entries.map { JSONValue.Member($0.key, .string($0.value)) })
    }
    let graph = model?.graph
    let codecs: [JSONValue] = (model?.plain.codecs ?? []).map {
      ["name": .string($0.name), "weights": .number($0.count)]
    }
    let summary = graph.map { ModelSummary($0) }
    let sentences = graph?.sentenceStack.map { [JSONValue.Member("sentences", json($0))] } ?? []
    let report: JSONValue = [
      "schema": "tfinspect.info/1",
      "path": .string(displayed(checkpoint.path)),
      "container": .string(checkpoint.format.name),
      "files": .array(checkpoint.files.map { .string(displayed($0)) }),
      "config": checkpoint.config.map { .string(displayed($0.path)) } ?? .null,
      "tensors": .number(checkpoint.tensors.count),
      "elements": .number(elementCount),
      "bytes": .number(checkpoint.tensors.byteCount),
      "disk_bytes": .number(diskBytes),
      "dtypes": .array(types),
      "architecture": graph.map { .string(type(of: $0.architecture).name) } ?? .null,
      "head": graph.map { .string($0.architecture.head) } ?? .null,
      "codecs": .array(codecs),
      "dialect": graph.map { .string($0.dialect.name) } ?? .null,
      "parameters": graph.map { .number($0.parameterCount) } ?? .null,
      "modules": .array(summary?.parts.map(json) ?? []),
      "attention": .array(summary?.attention.map(json) ?? []),
      "positions": summary?.positions.map { .number($0) } ?? .null,
      "cache": summary?.cache.map(json) ?? .null,
      "experts": summary?.experts.map(json) ?? .null,
      "unknown_keys": .array(model?.unknownKeys.map { .string($0) } ?? []),
      "faults": .array(faults.map { .string($0) }),
      "part": checkpoint.part.map { .string($0.words) } ?? .null,
      "beside": .array(beside.map(\.json)),
      "stripped_prefix": checkpoint.strippedPrefix.map { .string($0.text) } ?? .null,
      "not_tensors": .array(
        checkpoint.others.map { ["name": .string($0.name), "what": .string($0.what)] }),
      "not_tensors_count": .number(checkpoint.otherCount),
      "metadata": metadata ?? .null,
    ]
    let adapter =
      adapter.map { [JSONValue.Member("adapter", .object(AdapterText($0).members))] } ?? []
    return .object((report.members ?? []) + sentences + adapter)
  }

  private func json(_ stack: SentenceStack) -> JSONValue {
    let modules: [JSONValue] = stack.modules.map {
      ["number": .number($0.number), "folder": .string($0.folder), "what": .string($0.form.text)]
    }
    let folder = model?.sentences
    let prompts = (folder?.prompts ?? []).map { JSONValue.Member($0.name, .string($0.text)) }
    return [
      "width": .number(stack.outputs), "modules": .array(modules),
      "longest": folder?.longest.map { .number($0) } ?? .null,
      "lower_case": .bool(folder?.lowercases ?? false), "prompts": .object(prompts),
      "usual_prompt": folder?.usualPrompt.map { .string($0) } ?? .null,
    ]
  }

  private func json(_ part: ModelSummary.Part) -> JSONValue {
    [
      "name": .string(part.name), "kind": .string(part.kind),
      "parameters": .number(part.parameters), "blocks": .number(part.blocks),
    ]
  }

  private func json(_ experts: ModelSummary.Experts) -> JSONValue {
    [
      "count": .number(experts.count), "active": .number(experts.active),
      "layers": .number(experts.layers), "active_parameters": .number(experts.activeParameters),
    ]
  }

  private func json(_ layers: ModelSummary.AttentionLayers) -> JSONValue {
    let shape = layers.shape
    return [
      "layers": .number(layers.count), "heads": .number(shape.heads),
      "key_heads": .number(shape.keyHeads), "head_size": .number(shape.headSize),
      "value_size": .number(shape.valueSize),
      "window": shape.window.map { .number($0) } ?? .null, "cross": .bool(shape.isCross),
    ]
  }

  private func json(_ cache: ModelSummary.Cache) -> JSONValue {
    [
      "bytes_per_token": .number(cache.perToken),
      "bytes_per_1000_tokens": .number(cache.perThousandTokens),
      "bytes_per_encoder_token": .number(cache.perEncoderToken), "dtype": .string(cache.dtype),
    ]
  }

  /// Why the model is not recognised.
  private var faults: [String] {
    obstacle.map { $0.details.isEmpty ? [$0.problem.text] : $0.details } ?? []
  }
}

/// What a checkpoint is if it is an adapter, or why that cannot be said.
private func adapterFacts(_ checkpoint: Checkpoint) -> (Adapter?, CheckpointError?) {
  guard case .adapter? = checkpoint.part else { return (nil, nil) }
  do throws(CheckpointError) {
    return (try Adapter(checkpoint), nil)
  } catch {
    return (nil, error)
  }
}
