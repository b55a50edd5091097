import Codecs
import Containers
import Kernels
import Models
public import SystemPackage
public import TensorCore
import Tokenizers

/// Looks for everything that can be wrong with a checkpoint.
///
/// - Parameters:
///   - path: a file, a shard index or a folder.
///   - options: how to understand it.
///   - selection: the tensors whose values are looked at. The model is checked whole.
///   - base: a checkpoint that it was made from, to say what it lacks of it.
///   - memory: the most memory that the process may take, in bytes.
///   - progress: hears how many bytes are done, and of how many.
/// - Throws: `CheckpointError` when there is nothing to check: no such file, no known container.
public func check(
  _ path: FilePath, options: OpenOptions = OpenOptions(),
  selection: TensorSelection = TensorSelection(), against base: FilePath? = nil,
  memory: Int? = nil,
  progress: @escaping (_ done: Int, _ total: Int) -> Void = { _, _ in }
) throws(CheckpointError) -> CheckReport {
  var report = CheckReport()
  guard let checkpoint = try opened(path, options, &report) else { return report }
  let hasConfig = report.faults.isEmpty
  do {
    try MemoryUse.check(cap: memory, reading: [checkpoint])
  } catch {
    throw error.inFile(displayed(path))
  }
  guard try report.checkIntegrity(checkpoint) else { return report }
  report.checkIndex(checkpoint)
  report.lookAround(checkpoint)
  let graph = hasConfig ? report.checkModel(checkpoint, options) : nil
  try report.checkCoding(checkpoint)
  if let base { try report.check(checkpoint, against: base, options) }
  var tensors = try checkpoint.choosing(selection, options: options).tensors.tensors
  report.tensorCount = tensors.count
  if checkpoint.tensors.count == 0 { report.add(.structure, nil, "has no tensor in it") }
  if let graph, selection.isEverything { tensors += graph.weights(notOf: checkpoint.tensors) }
  let total = tensors.reduce(0) { $0 + $1.byteCount }
  let found: [TensorStatistics]
  do throws(CheckpointError) {
    found = try statistics(of: tensors) { progress($0, total) }
  } catch {
    // Opened anew: a checksum is compared once.
    let fresh = try Checkpoint.open(path, options: options).choosing(selection, options: options)
    report.addUnreadable(fresh.tensors.tensors, instead: error)
    return report
  }
  try report.checkElements(tensors, found, graph, of: checkpoint.tensors)
  if let graph, selection.isEverything {
    for finding in try Conventions(graph).contradictions {
      report.add(.conventions, nil, "\(finding.place): \(finding.text)")
    }
  }
  return report
}

extension WeightGraph {
  /// Weights that are no tensors of the file: those of modules, and numbers that are decoded.
  func weights(notOf table: TensorTable) -> [Tensor] {
    slots.filter { ties[$0.path] == nil }.compactMap { tensor(at: $0.path) }
      .filter { table[$0.name] == nil }
  }
}

/// The checkpoint, or `nil` if the report says why it cannot be opened. One whose config alone cannot be read is
/// opened without it, and the report says so.
private func opened(
  _ path: FilePath, _ options: OpenOptions, _ report: inout CheckReport
) throws(CheckpointError) -> Checkpoint? {
  do throws(CheckpointError) {
    return try Checkpoint.open(path, options: options)
  } catch {
    let faults = structureFaults(of: path, format: options.format)
    // No such file, or nothing that we know: there is nothing to check.
    if case .system = error.problem { throw error }
    guard error.category == .failed else { throw error }
    report.isReadable = false
    if faults.isEmpty {
      // What remains is the config.
      let config = error.file.map { FilePath($0) } ?? path
      let bare = try? Checkpoint.open(path, format: options.format, config: .silent(config))
      guard let bare else { throw error }
      report.take(adviceOf: error, on: .config)
      report.add(error, to: .config)
      return bare
    }
    report.take(adviceOf: error, on: .structure)
    for fault in faults { report.add(fault) }
    return nil
  }
}

extension CheckReport {
  /// What the elements show.
  mutating func checkElements(
    _ tensors: [Tensor], _ found: [TensorStatistics], _ graph: WeightGraph?, of table: TensorTable
  ) throws(CheckpointError) {
    // Optimisers leave what they like.
    let weights = tensors.indices.filter { !isTrainingState(tensors[$0].name.text, in: table) }
    // Usually all are, and copies of hundreds of thousands would take much memory.
    let isAll = weights.count == tensors.count
    let stored = isAll ? tensors : weights.map { tensors[$0] }
    let values = isAll ? found : weights.map { found[$0] }
    try checkValues(stored, values, graph)
    try checkDuplicates(stored, values, graph)
    if let graph { checkTies(graph) }
    checkTypes(stored, graph)
  }

  /// What it lacks of a base, or has otherwise.
  ///
  /// - Throws: `CheckpointError` if the base is no model that is known.
  fileprivate mutating func check(
    _ checkpoint: Checkpoint, against path: FilePath, _ options: OpenOptions
  ) throws(CheckpointError) {
    var ofBase = OpenOptions()
    ofBase.recognition.allowsExtra = true
    ofBase.recognition.dropsTrainingState = true
    let base = try Model(path, options: ofBase)
    do throws(CheckpointError) {
      let found = try BaseCheck(checkpoint, against: base, options: options)
      faults += found.faults
      notes += found.notes
    } catch {
      guard error.category != .failed else { throw error }
      add(.base, nil, "cannot be held against the base: \(error.withDetails)")
    }
  }

  /// Compares everything in a container that has checksums of everything; whether all is well.
  mutating func checkIntegrity(_ checkpoint: Checkpoint) throws(CheckpointError) -> Bool {
    let faults = try checkpoint.integrityFaults()
    for fault in faults { add(fault, of: fault.tensor) }
    if !faults.isEmpty { isReadable = false }
    return faults.isEmpty
  }

  /// What the index says about itself.
  mutating func checkIndex(_ checkpoint: Checkpoint) {
    if !checkpoint.differingMetadata.isEmpty {
      note(.structure, nil, "__metadata__: \(checkpoint.differingShardsText)")
    }
    if checkpoint.lacksIndex {
      add(
        .structure, nil,
        "\(checkpoint.files.count) shards and no index that joins them: transformers does not open the folder; convert it into another one"
      )
    }
    guard let size = checkpoint.indexMetadata?["total_size"]?.int,
      size != checkpoint.tensors.byteCount
    else { return }
    note(
      .structure, nil,
      "the index says total_size \(size), the tensors have \(checkpoint.tensors.byteCount) bytes")
  }

  /// What else lies in the checkpoint's folder: other weights, and what no conversion takes along.
  mutating func lookAround(_ checkpoint: Checkpoint) {
    for item in checkpoint.others.prefix(100) {
      note(.structure, nil, "\(item.name) in it: \(item.what), not read")
    }
    if checkpoint.otherCount > 100 {
      note(.structure, nil, "\(checkpoint.otherCount - 100) more in it, not read")
    }
    do throws(CheckpointError) {
      let found = try checkpoint.surroundings(isDeep: true)
      beside = found.weights
      for item in found.weights {
        note(.structure, nil, "\(item.name) beside it: \(item.what), not read")
      }
      for item in found.others {
        note(.structure, nil, "\(item.name) beside it: \(item.what), not taken along")
      }
    } catch {
      note(.structure, nil, "not looked at what lies beside it: \(error.problem.text)")
    }
  }

  /// Holds the tensors against the model that the config declares.
  mutating func checkModel(
    _ checkpoint: Checkpoint, _ options: OpenOptions
  ) -> WeightGraph? {
    if let part = checkpoint.part {
      note(.weights, nil, "not held against a model: this is \(part.words)")
      if case .adapter = part { checkAdapter(checkpoint) }
      return nil
    }
    if let text = unknownMethod(checkpoint.config?.value) { note(.config, nil, text) }
    do throws(CheckpointError) {
      let known = try Model(checkpoint, options: options)
      let graph = known.graph
      let table = checkpoint.tensors
      decoded = Set(known.plain.coded.map(\.tensor.name).filter { table[$0] == nil })
      model =
        "\(type(of: graph.architecture).name), \(graph.architecture.head), \(graph.dialect.fullName)"
        + (graph.sentenceStack.map { ", sentence embeddings of \($0.outputs) numbers" } ?? "")
      if !known.unknownKeys.isEmpty {
        let keys = known.unknownKeys.map(escaped).joined(separator: ", ")
        note(
          .weights, nil, "keys of the config that are not known, and may mean something: \(keys)")
      }
      let state = graph.dropped.filter(\.isTrainingState)
      if let first = state.first {
        let rest = state.count == 1 ? "" : " and \(state.count - 1) more"
        note(.weights, nil, "training state was left out: \(first.name.text)\(rest)")
      }
      for key in known.doubtfulKeys { note(.config, nil, key.text) }
      checkTokens(graph, of: checkpoint)
      checkDeclaredType(checkpoint)
      return graph
    } catch {
      switch error.category {
      case .failed where error.problem.isMissing:
        note(.weights, nil, "not held against a model: \(error.problem.text)")
      case .refused:
        if error.details.isEmpty { add(.weights, error.tensor, error.problem.text) }
        for detail in error.details { add(.weights, nil, detail) }
        take(adviceOf: error, on: .weights)
      case .unsupported: note(.weights, nil, "not held against a model: \(error.problem.text)")
      case .failed:
        let group: Group = error.isOfConfig(of: checkpoint) ? .config : .structure
        // A config that says what cannot be was read, and is the fault.
        isReadable = group == .config
        take(adviceOf: error, on: group)
        add(error, to: group)
      }
      return nil
    }
  }

  /// The pattern of names that a text is.
  private func namePattern(
    _ text: String
  ) throws(CheckpointError) -> CodingSettings.NamePattern {
    let pattern = try PrefixPattern(text)
    return { (name, steps) throws(CheckpointError) in try pattern.matches(name, steps: &steps) }
  }

  /// Holds what the config says of codes against the tensors.
  fileprivate mutating func checkCoding(_ checkpoint: Checkpoint) throws(CheckpointError) {
    do throws(CheckpointError) {
      let settings = try CodingSettings(
        checkpoint.tensors, config: checkpoint.config?.value, patterns: namePattern)
      for fault in settings.faults {
        add(.config, fault.tensor, "\(fault.text) (\(codingKey))")
      }
    } catch {
      guard error.category != .failed else { throw error }
      note(
        .config, nil, "\(error.problem.text), so codes are not held against \(codingKey)")
    }
  }

  /// Says if the config names a narrower type than weights have.
  private mutating func checkDeclaredType(_ checkpoint: Checkpoint) {
    // Scales and the like keep their types.
    if checkpoint.config?.value[Codec.settingsKey] != nil { return }
    for key in ["dtype", "torch_dtype"] {
      guard let name = checkpoint.config?.value[key]?.string else { continue }
      guard let declared = dtype(named: name) else {
        if !typesOfTorch.contains(name.hasPrefix("torch.") ? String(name.dropFirst(6)) : name) {
          add(.config, nil, "\(key) is \"\(escaped(name))\", which is no type of torch's")
        }
        continue
      }
      let wider = checkpoint.tensors.tensors.filter {
        $0.dtype.isComputable && $0.dtype.bitWidth > declared.bitWidth
      }
      guard let first = wider.first else { return }
      note(
        .config, nil,
        "\(key) is \(name), and \(wider.count) of \(checkpoint.tensors.count) tensors are wider"
          + " (\(first.dtype)): transformers 5 rounds them to it when it loads the model")
      return
    }
  }

  /// Lists all tensors that cannot be read.
  fileprivate mutating func addUnreadable(_ tensors: [Tensor], instead error: CheckpointError) {
    isReadable = false
    var count = 0
    for tensor in tensors {
      do throws(CheckpointError) {
        _ = try statistics(of: [tensor])
      } catch {
        count += 1
        add(error, of: tensor.name)
      }
    }
    if count == 0 { add(error) }
  }
}

/// What transformers takes for a type in a config beside those that weights are cast to (torch 2.13, `torch.dtype`).
private let typesOfTorch: Set = [
  "auto", "float", "double", "half", "float32", "float64", "float16", "bfloat16", "float8_e4m3fn",
  "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2", "bool",
  "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "short", "int", "long",
  "complex32", "complex64", "complex128", "cfloat", "cdouble", "chalf", "qint8", "quint8", "qint32",
]

extension CheckpointError {
  /// Whether it is the config's: the tensors' files have been opened when a model is made of them, so that
  /// what cannot be, and is none of them nor of a module's files, stands in the config.
  fileprivate func isOfConfig(of checkpoint: Checkpoint) -> Bool {
    let paths = [checkpoint.path, checkpoint.config?.path].compactMap(\.self).map { displayed($0) }
    guard file.map(paths.contains) ?? true else { return false }
    switch problem {
    case .malformed, .overflow, .limitExceeded: return tensor == nil
    default: return false
    }
  }
}
