public import TensorCore

/// How to understand a checkpoint where its files do not say it themselves.
public struct RecognitionOptions: Sendable {
  /// The architecture, instead of what config and names show.
  public var architecture: String?
  /// The dialect, instead of what the names show.
  public var dialect: String?
  /// The families that a checkpoint may be of.
  public var families: [Family]
  /// The model's class, instead of the one that the config names.
  public var className: String?
  /// Whether optimiser slots and step counters are left out instead of refused.
  public var dropsTrainingState: Bool
  /// Whether tensors that are no part of the model are left out instead of refused.
  public var allowsExtra: Bool

  /// Options; nothing given means: recognise it.
  public init(
    architecture: String? = nil, dialect: String? = nil, className: String? = nil,
    dropsTrainingState: Bool = false, allowsExtra: Bool = false, families: [Family] = Family.all
  ) {
    self.architecture = architecture
    self.dialect = dialect
    self.className = className
    self.dropsTrainingState = dropsTrainingState
    self.allowsExtra = allowsExtra
    self.families = families
  }
}

extension WeightGraph {
  /// Understands a checkpoint: recognises architecture and dialect, and places every tensor.
  ///
  /// - Parameters:
  ///   - table: the tensors.
  ///   - config: the config.json, if there is one.
  ///   - options: what is not left to recognition.
  /// - Throws: `CheckpointError`: unsupported if it is not recognised, malformed if the config is
  ///   broken, refused with every fault if tensors are missing, unexpected or misshapen.
  public init(
    _ table: TensorTable, config: JSONValue?, options: RecognitionOptions = RecognitionOptions()
  ) throws(CheckpointError) {
    let families = options.families
    let type = try recognizedArchitecture(
      config, table, named: options.architecture, among: families)
    if let prefix = UnknownPrefix(of: table, hiding: families.dialects(of: type.name)) {
      throw prefix.error
    }
    let dialect = try recognizedDialect(
      of: type.name, table, named: options.dialect, among: families)
    guard let config else {
      throw CheckpointError(
        .missing(
          "the \(type.name) model needs its config.json, which is not beside it: pass it with"
            + " --config FILE"))
    }
    try self.init(table, config: config, as: type, in: dialect, options: options)
  }

  /// Places the tensors of a checkpoint whose architecture and dialect are known.
  package init(
    _ table: TensorTable, config: JSONValue, as type: any Architecture.Type, in dialect: Dialect,
    options: RecognitionOptions = RecognitionOptions()
  ) throws(CheckpointError) {
    let native = dialect.nativeConfig.flatMap { $0.recognizes(config) ? $0 : nil }
    var usual = try native?.usual(config, table) ?? config
    if let name = options.className { usual = usual.naming(class: name) }
    try self.init(table, usualConfig: usual, as: type, in: dialect, options: options)
  }

  /// Places the tensors of a checkpoint whose config has Hugging Face's keys.
  private init(
    _ table: TensorTable, usualConfig config: JSONValue, as type: any Architecture.Type,
    in dialect: Dialect, options: RecognitionOptions
  ) throws(CheckpointError) {
    var reader = ConfigReader(config)
    reader.disregardCommonKeys()
    let model = type.init(config: &reader) { dialect.stores($0, in: table) }
    try reader.check()
    let declared = model.declaration()
    try checkSize(declared.slots)
    let forms = StoredForms(dialect, slots: declared.slots, dimensions: model.dimensions)
    var placing = Placing(table, dialect, declared.slots, head: model.head, options: options)
    try placing.place(forms)
    self.init(reader, model, dialect, declared.keeping(placing.has), placing, options: options)
  }

  /// The same tensors, understood as those of a model with another config under Hugging Face's keys.
  ///
  /// - Parameter table: the tensors of the checkpoint.
  /// - Throws: `CheckpointError` if they do not fit it.
  package func understood(
    with config: JSONValue, _ table: TensorTable
  ) throws(CheckpointError) -> WeightGraph {
    try WeightGraph(
      table, usualConfig: config, as: type(of: architecture), in: dialect, options: options)
  }
}

/// Checks that all weights together have a number of elements that can be counted, and so every tensor
/// of every dialect, since each is made of some of them.
private func checkSize(_ slots: [WeightSlot]) throws(CheckpointError) {
  var total = 0
  for slot in slots where slot.role != .constant {
    guard let count = checkedElementCount(of: slot.shape), count <= mostElements - total else {
      throw CheckpointError(
        .malformed(
          "config: its weights have more than 2^56 numbers, at \(slot.path)"
            + " \(describe(shape: slot.shape)); no file holds them"))
    }
    total += count
  }
}

/// The most numbers that a model is believed to have: few enough to count their bytes.
private let mostElements = 1 << 56

extension JSONValue {
  /// The same config with another class.
  fileprivate func naming(class name: String) -> JSONValue {
    let others = (members ?? []).filter { $0.key != "architectures" }
    return .object([Member("architectures", [.string(name)])] + others)
  }
}

extension Dialect {
  /// Whether the checkpoint stores a tensor of which the weight at `path` is a part.
  fileprivate func stores(_ path: String, in table: TensorTable) -> Bool {
    rules.contains { rule in
      rule.layouts[0].paths.contains { beginning(of: $0) == path }
        && spellings(of: beginning(of: rule.stored)).contains { table[$0] != nil }
    }
  }
}
