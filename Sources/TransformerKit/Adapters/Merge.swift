import Codecs
public import Containers
import Models
public import TensorCore

/// Adapters that were merged into a base: a checkpoint of which weights are computed when they are read.
public struct Merge: Sendable {
  /// What became of one tensor of the base.
  public struct Change: Sendable {
    /// Where the adapter stands among those that were given.
    public let adapter: Int
    /// The tensor.
    public let name: TensorName
    /// The module that changes it; `nil` if a weight of the adapter takes its place.
    public let module: Adapter.Module?
    /// Whether it is a bias, to which B's is added.
    public let isBias: Bool
  }

  /// The adapters, in the order in which they were merged.
  public let adapters: [Adapter]
  /// The base with the adapters in it.
  public private(set) var checkpoint: Checkpoint
  /// The base as it was before, in the same names.
  public private(set) var unmerged: Checkpoint
  /// What was changed, in the order in which it was.
  public private(set) var changes: [Change] = []
  /// What is worth knowing, a line each.
  public private(set) var notes: [String] = []
  /// The dialect of the base, if it is another one than that in whose names the adapters were merged.
  public private(set) var translatedFrom: String?

  /// Merges adapters into a base, in their order, each into what the one before has left.
  ///
  /// - Parameters:
  ///   - adapters: LoRAs without fault.
  ///   - base: a model in any dialect that can be translated to Hugging Face's, or in that one, of any architecture.
  ///   - options: how to understand the base.
  /// - Throws: `CheckpointError`: refused, with every tensor that has no place; unsupported for adapters of other kinds.
  public init(
    _ adapters: [Adapter], into base: Checkpoint, options: OpenOptions = OpenOptions()
  ) throws(CheckpointError) {
    self.adapters = adapters
    checkpoint = base
    unmerged = base
    for adapter in adapters { try adapter.requireMergeable() }
    if let part = base.part {
      throw CheckpointError(part.problem, file: displayed(base.path))
    }
    try base.requirePlain(adapters, isTranslated: false, options)
    let model = try? Model(base, options: options)
    try translate(model, options)
    unmerged = checkpoint
    let graph =
      translatedFrom == nil
      ? model?.graph : try? Model(checkpoint, options: self.options(options)).graph
    var tensors = Dictionary(
      uniqueKeysWithValues: checkpoint.tensors.tensors.map { ($0.name, $0) })
    for (number, adapter) in adapters.enumerated() {
      var merging = Merging(
        adapter, number, names: BaseNames(checkpoint.tensors, wanted: adapter.wantedNames),
        tensors: tensors, graph: graph)
      try merging.run()
      tensors = merging.tensors
      changes += merging.changes
      notes += merging.notes
    }
    do {
      checkpoint = try checkpoint.replacing(
        checkpoint.tensors.tensors.map { tensors[$0.name] ?? $0 })
    } catch {
      throw error.inFile(displayed(base.path))
    }
  }

  /// Puts the base in names that the adapters have, if it is in others: in those of the form of Hugging Face's dialect
  /// that has the most of them.
  private mutating func translate(
    _ model: Model?, _ options: OpenOptions
  ) throws(CheckpointError) {
    let wanted = adapters.flatMap(\.wantedNames)
    let asItIs = found(wanted, in: checkpoint.tensors)
    guard let model, asItIs < wanted.count else { return }
    var best: (count: Int, tensors: [Tensor]) = (asItIs, [])
    for dialect in model.graph.forms(ofDialect: "huggingface") {
      guard let translated = try? model.graph.translated(to: dialect).map(\.tensor),
        let table = try? TensorTable(translated)
      else { continue }
      let count = found(wanted, in: table)
      if count > best.count { best = (count, translated) }
    }
    guard !best.tensors.isEmpty else { return }
    try checkpoint.requirePlain(adapters, isTranslated: true, options)
    translatedFrom = model.graph.dialect.fullName
    notes.append(
      "the base was translated from \(model.graph.dialect.fullName) to the adapter's names")
    do {
      let config = Array((model.graph.completedConfig.text(pretty: true) + "\n").utf8)
      checkpoint = try checkpoint.replacing(best.tensors, config: config)
    } catch {
      throw error.inFile(displayed(checkpoint.path))
    }
  }
}

/// How many of an adapter's names are those of tensors of a base.
private func found(_ wanted: [String], in table: TensorTable) -> Int {
  let names = BaseNames(table, wanted: wanted)
  return wanted.count { names[$0] != nil }
}

extension Merge {
  /// How to understand the base with the adapters in it: as the base, but for a dialect that it is in no more.
  public func options(_ options: OpenOptions) -> OpenOptions {
    var options = options
    if translatedFrom != nil { options.recognition.dialect = nil }
    return options
  }
}

extension Checkpoint {
  /// Fails if weights that adapters change are stored as codes, which a sum is none of any more, or as what a weight is
  /// computed from.
  ///
  /// - Parameter isTranslated: whether the base gets other names, and all of it is laid out anew.
  fileprivate func requirePlain(
    _ adapters: [Adapter], isTranslated: Bool, _ options: OpenOptions
  ) throws(CheckpointError) {
    let plain: PlainTable
    do throws(CheckpointError) {
      plain = try PlainTable(tensors, config: config?.value, families: options.recognition.families)
    } catch {
      throw error.inFile(displayed(path))
    }
    let coded = Dictionary(plain.coded.map { ($0.tensor.name, $0) }) { first, _ in first }
    guard let some = plain.coded.first else { return }
    let advice = "write plain weights of the base first (tfconvert BASE PLAIN/ --dequantize)"
    guard !isTranslated else {
      throw CheckpointError(
        .refused(
          "\(plain.coded.count == 1 ? "1 weight is" : "\(plain.coded.count) weights are") stored as codes (\(some.codec)), which are not translated to the adapter's names"
        ), file: displayed(path), advice: advice)
    }
    var touched: [TensorName: CodedTensor] = [:]
    for adapter in adapters {
      let names = BaseNames(plain.tensors, wanted: adapter.wantedNames)
      for name in adapter.wantedNames {
        guard let tensor = names[name], let group = coded[tensor.name] else { continue }
        touched[tensor.name] = group
      }
    }
    guard let first = touched.values.min(by: { $0.tensor.name < $1.tensor.name }) else { return }
    let count = touched.count
    throw CheckpointError(
      .refused(
        "\(count == 1 ? "1 weight" : "\(count) weights") that \(adapters.count == 1 ? "the adapter changes" : "adapters change") \(count == 1 ? "is" : "are") stored as codes (\(first.codec), \(escaped(first.tensor.name.text))), into which nothing is merged"
      ), file: displayed(path), advice: advice)
  }
}

extension Adapter {
  /// The names of the base's tensors that it changes, biases last.
  fileprivate var wantedNames: [String] {
    modules.map { $0.path + ".weight" } + saved.map(\.name.text)
      + modules.filter { $0.bias != nil }.map { $0.path + ".bias" }
  }

  /// Fails if it is of a kind that is not merged, or has a fault.
  fileprivate func requireMergeable() throws(CheckpointError) {
    if let obstacle = config.obstacles.first {
      throw CheckpointError(
        .unsupported("the adapter cannot be merged: \(obstacle)"), file: displayed(config.file.path)
      )
    }
    guard faults.isEmpty else {
      throw CheckpointError(
        .refused("the adapter has \(faults.count == 1 ? "a fault" : "\(faults.count) faults")"),
        file: displayed(path), details: faults.map(\.line))
    }
  }
}

extension Adapter.Fault {
  /// The fault in a line, with the tensor.
  public var line: String { (tensor.map { "\($0): " } ?? "") + text }
}

/// One adapter on its way into a base.
private struct Merging {
  let adapter: Adapter
  let number: Int
  let names: BaseNames
  private(set) var tensors: [TensorName: Tensor]
  /// What is known of a known architecture's tensors.
  let isStoredInputsFirst: [TensorName: Bool]
  let pathsTied: [TensorName: [String]]
  private(set) var changes: [Merge.Change] = []
  private(set) var notes: [String] = []
  private var faults: [String] = []
  private var merged: Set<TensorName> = []
  private var replaced: Set<TensorName> = []
  private let products = RecentProducts()

  init(
    _ adapter: Adapter, _ number: Int, names: BaseNames, tensors: [TensorName: Tensor],
    graph: WeightGraph?
  ) {
    self.adapter = adapter
    self.number = number
    self.names = names
    self.tensors = tensors
    isStoredInputsFirst = graph?.isStoredInputsFirst ?? [:]
    pathsTied = graph?.pathsTied ?? [:]
  }

  mutating func run() throws(CheckpointError) {
    // A module may be on what is saved: words were added to an embedding.
    for tensor in adapter.saved { try replace(tensor) }
    for module in adapter.modules {
      try add(module)
      if module.bias != nil { try addBias(module) }
    }
    guard faults.isEmpty else {
      throw CheckpointError(
        .refused(
          "the adapter does not fit the base: \(faults.count == 1 ? "1 tensor" : "\(faults.count) tensors")"
        ), file: displayed(adapter.path), details: faults)
    }
  }

  /// The tensor of the base by an adapter's name, if there is one that can be changed.
  private mutating func target(_ name: String, of path: String) -> Tensor? {
    guard let named = names[name], let tensor = tensors[named.name] else {
      let tie = !name.hasSuffix(".weight") ? "" : tiedWords(name)
      faults.append("missing      \(path): the base has no \(name)\(tie)")
      return nil
    }
    guard tensor.dtype.isComputable else {
      faults.append("no numbers   \(tensor.name): \(tensor.dtype) in the base")
      return nil
    }
    return tensor
  }

  /// Why there may be no such weight.
  private func tiedWords(_ name: String) -> String {
    let isHead = ["lm_head", "embed_out", "decoder"].contains { name.hasSuffix("\($0).weight") }
    guard isHead, !pathsTied.isEmpty else { return "" }
    return ": it is tied to the embeddings, which a change of one side alone would untie"
  }

  /// Whether a tensor of the adapter has the shape of the one in the base that it changes; it is a fault if not.
  private mutating func fits(_ saved: Tensor, _ old: Tensor) -> Bool {
    if saved.shape == old.shape { return true }
    faults.append(
      "misshapen    \(saved.name): is \(describe(shape: saved.shape)), in the base"
        + " \(describe(shape: old.shape))")
    return false
  }

  private mutating func replace(_ saved: Tensor) throws(CheckpointError) {
    guard let old = target(saved.name.text, of: saved.name.text) else { return }
    guard fits(saved, old) else { return }
    guard replaced.insert(old.name).inserted else {
      faults.append("twice        \(saved.name): takes the place of \(old.name) again")
      return
    }
    tensors[old.name] = saved.cast(to: old.dtype).renamed(old.name)
    changes.append(Merge.Change(adapter: number, name: old.name, module: nil, isBias: false))
    noteTies(of: old.name)
  }

  private mutating func add(_ module: Adapter.Module) throws(CheckpointError) {
    guard let weight = target(module.path + ".weight", of: module.path) else { return }
    let isTransposed =
      module.isEmbedding
      || isStoredInputsFirst[weight.name] ?? adapter.config.isFanInFanOut
    let change = LowRankChange(module: module, isTransposed: isTransposed)
    guard weight.shape == change.shape else {
      faults.append(
        "misshapen    \(module.path): A and B are of a weight \(describe(shape: change.shape)), the base's is"
          + " \(describe(shape: weight.shape))")
      return
    }
    guard merged.insert(weight.name).inserted else {
      faults.append("twice        \(module.path): changes \(weight.name) again")
      return
    }
    tensors[weight.name] = Tensor(
      name: weight.name, dtype: weight.dtype, shape: weight.shape,
      bytes: MergedBytes(weight, change, products))
    changes.append(Merge.Change(adapter: number, name: weight.name, module: module, isBias: false))
    if !replaced.contains(weight.name) { noteTies(of: weight.name) }
  }

  /// The bias plus B's, times the scale.
  private mutating func addBias(_ module: Adapter.Module) throws(CheckpointError) {
    guard let bias = module.bias, let old = target(module.path + ".bias", of: module.path) else {
      return
    }
    guard fits(bias, old) else { return }
    guard merged.insert(old.name).inserted else {
      faults.append("twice        \(bias.name): changes \(old.name) again")
      return
    }
    tensors[old.name] = try old.adding(bias, times: module.scale)
    changes.append(Merge.Change(adapter: number, name: old.name, module: module, isBias: true))
  }

  /// Says which weights change with one that they are tied to.
  private mutating func noteTies(of name: TensorName) {
    guard !adapter.config.keepsTies, let tied = pathsTied[name], let first = tied.first
    else { return }
    let rest = tied.count == 1 ? "" : " and \(tied.count - 1) more"
    notes.append(
      "\(name) is stored once for \(first)\(rest), too: both change, as in PEFT's merge_and_unload; with the"
        + " adapter beside the base the first alone does")
  }
}

extension Tensor {
  /// This vector plus another one times a scale: in single precision, or in double if it is in it.
  fileprivate func adding(_ other: Tensor, times scale: Double) throws(CheckpointError) -> Tensor {
    let (own, others) = (try doubles(0..<elementCount), try other.doubles(0..<elementCount))
    let sums = zip(own, others).map { own, other in
      dtype == .f64
        ? own + other * scale : Double(Float(own) + Float(other) * Float(scale))
    }
    var bytes = [UInt8](repeating: 0, count: byteCount)
    var span = bytes.mutableSpan
    var target = unsafe span.mutableBytes
    dtype.round(sums.span, into: &target)
    return Tensor(name: name, dtype: dtype, shape: shape, bytes: ByteArray(bytes))
  }
}
