public import TensorCore

/// How to understand a checkpoint where its files do not say it themselves.
public struct RecognitionOptions: Sendable {
  /// The architecture, instead of what config and names show.
  public var architecture: String?
  /// The dialect, instead of what the names show.
  public var dialect: String?
  /// The families that a checkpoint may be of.
  public var families: [Family] { makeFamilies() }
  /// The model's class, instead of the one that the config names.
  public var className: String?
  /// Whether optimiser slots and step counters are left out instead of refused.
  public var dropsTrainingState: Bool
  /// Whether tensors that are no part of the model are left out instead of refused.
  public var allowsExtra: Bool
  /// Whether to look for the numbers of the config that are wrong where tensors do not fit it.
  public var explainsMisfit = false

  private let makeFamilies: @Sendable () -> [Family]

  /// Options; nothing given but the families means: recognise it. All families are the module `Families`', and are made
  /// when they are asked for: what only reads tensors needs none.
  public init(
    architecture: String? = nil, dialect: String? = nil, className: String? = nil,
    dropsTrainingState: Bool = false, allowsExtra: Bool = false,
    families: @autoclosure @escaping @Sendable () -> [Family]
  ) {
    self.architecture = architecture
    self.dialect = dialect
    self.className = className
    self.dropsTrainingState = dropsTrainingState
    self.allowsExtra = allowsExtra
    makeFamilies = families
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
    _ table: TensorTable, config: JSONValue?, options: RecognitionOptions
  ) throws(CheckpointError) {
    let (type, dialect) = try recognized(table, config, options)
    guard let config else {
      throw CheckpointError(
        .missing(
          "the \(type.name) model needs its config.json, which is not beside it: pass it with"
            + " --config FILE"))
    }
    try self.init(table, config: config, as: type, in: dialect, options: options)
  }

  /// Fails if the architecture, dialect or class that `options` name does not exist, or not for these
  /// tensors and their config. Nothing is placed, and without a config nothing is said of a class.
  ///
  /// - Throws: `CheckpointError`, of the category unsupported if that is so.
  public static func requireNamed(
    by options: RecognitionOptions, _ table: TensorTable, config: JSONValue?
  ) throws(CheckpointError) {
    let (type, dialect) = try recognized(table, config, options)
    guard let config else { return }
    let usual = try usualConfig(config, table, dialect, options)
    _ = try read(usual, table, as: type, in: dialect.filled(for: usual))
  }

  /// Places the tensors of a checkpoint whose architecture and dialect are known.
  package init(
    _ table: TensorTable, config: JSONValue, as type: any Architecture.Type, in dialect: Dialect,
    options: RecognitionOptions
  ) throws(CheckpointError) {
    let usual = try usualConfig(config, table, dialect, options)
    try self.init(
      table, usualConfig: usual, as: type, in: dialect.filled(for: usual), options: options,
      isExplained: options.explainsMisfit)
  }

  /// Places the tensors of a checkpoint whose config has Hugging Face's keys.
  ///
  /// - Parameter isExplained: whether to look for the cause if they do not fit.
  private init(
    _ table: TensorTable, usualConfig config: JSONValue, as type: any Architecture.Type,
    in dialect: Dialect, options: RecognitionOptions, isExplained: Bool = false
  ) throws(CheckpointError) {
    let (reader, model) = try read(config, table, as: type, in: dialect)
    let declared = model.declaration()
    var placing = try Placing(table, dialect, declared, model, options: options)
    do throws(CheckpointError) {
      try placing.place()
    } catch {
      guard isExplained, error.category == .refused else { throw error }
      throw try error.explained(
        by: MisfitCause(reader, placing, table, as: type, in: dialect, options: options))
    }
    self.init(reader, model, dialect, declared.keeping(placing.has), placing, options: options)
  }

  /// Understands a checkpoint as far as it can be: what is missing is left out of the graph, and so is what is there for
  /// nothing.
  ///
  /// - Returns: the graph, and what is wrong, a line each.
  /// - Throws: `CheckpointError` if it is not recognised, the config is broken, or a tensor cannot be read.
  package static func partial(
    _ table: TensorTable, config: JSONValue, options: RecognitionOptions
  ) throws(CheckpointError) -> (graph: WeightGraph, faults: [String]) {
    let (type, dialect) = try recognized(table, config, options)
    let usual = try usualConfig(config, table, dialect, options)
    let filled = dialect.filled(for: usual)
    let (reader, model) = try read(usual, table, as: type, in: filled)
    let declared = model.declaration()
    var placing = try Placing(table, filled, declared, model, options: options, givesHints: false)
    do throws(CheckpointError) {
      try placing.place()
    } catch {
      guard error.category == .refused else { throw error }
    }
    let graph = WeightGraph(
      reader, model, filled, declared.keeping(placing.has), placing, options: options)
    return (graph, placing.faults)
  }

  /// The same tensors, understood as those of a model with another config under Hugging Face's keys.
  ///
  /// - Parameter table: the tensors of the checkpoint.
  /// - Throws: `CheckpointError` if they do not fit it.
  package func understood(
    with config: JSONValue, _ table: TensorTable
  ) throws(CheckpointError) -> WeightGraph {
    let graph = try WeightGraph(
      table, usualConfig: config, as: type(of: architecture), in: dialect, options: options)
    guard let sentences else { return graph }
    return try graph.topped(by: sentences.stack, sentences.tensors)
  }
}

extension WeightGraph {
  /// The classes of the architecture.
  public var classes: [String] {
    for case .modelClass(let names) in facts.map(\.kind) { return names }
    return []
  }

  /// The classes of the architecture that continue texts, as far as the config can be one of theirs.
  public var generatingClasses: [String] {
    classes.filter { name in
      var reader = ConfigReader(config.naming(class: name))
      let model = type(of: architecture).init(config: &reader) { tensor(at: $0) != nil }
      return (try? reader.check()) != nil && model.generation != nil
    }
  }
}

extension WeightGraph {
  /// The first class of a checkpoint's architecture that is as wanted, of those that its config can be one of.
  ///
  /// - Throws: `CheckpointError` if the checkpoint is not recognised.
  static func className(
    _ table: TensorTable, config: JSONValue?, options: RecognitionOptions,
    isWanted: (any Architecture) -> Bool
  ) throws(CheckpointError) -> String? {
    let (type, dialect) = try recognized(table, config, options)
    guard let config else { return nil }
    let usual = try usualConfig(config, table, dialect, options)
    let filled = dialect.filled(for: usual)
    func reading(_ config: JSONValue) -> (ConfigReader, any Architecture) {
      var reader = ConfigReader(config)
      let model = type.init(config: &reader) { filled.stores($0, in: table) }
      return (reader, model)
    }
    for case .modelClass(let names) in reading(usual).0.facts.map(\.kind) {
      return names.first { name in
        let (reader, model) = reading(usual.naming(class: name))
        return (try? reader.check()) != nil && isWanted(model)
      }
    }
    return nil
  }
}

/// The architecture and the dialect that were asked for, or that the checkpoint shows.
private func recognized(
  _ table: TensorTable, _ config: JSONValue?, _ options: RecognitionOptions
) throws(CheckpointError) -> (any Architecture.Type, Dialect) {
  let families = options.families
  let names = NumberedNames(table)
  let type = try recognizedArchitecture(
    config, names, named: options.architecture, among: families)
  if let prefix = UnknownPrefix(of: names, hiding: families.dialects(of: type.name)) {
    throw prefix.error
  }
  let dialect = try recognizedDialect(
    of: type.name, names, named: options.dialect, among: families)
  return (type, dialect)
}

/// The config under Hugging Face's keys, with the class that was asked for.
func usualConfig(
  _ config: JSONValue, _ table: TensorTable, _ dialect: Dialect, _ options: RecognitionOptions
) throws(CheckpointError) -> JSONValue {
  let native = dialect.nativeConfig.flatMap { $0.recognizes(config, table) ? $0 : nil }
  let usual = try native?.usual(config, table) ?? config
  return options.className.map { usual.naming(class: $0) } ?? usual
}

/// The architecture that a config describes, and what was read from it.
func read(
  _ config: JSONValue, _ table: TensorTable, as type: any Architecture.Type, in dialect: Dialect
) throws(CheckpointError) -> (ConfigReader, any Architecture) {
  var reader = ConfigReader(config)
  reader.disregardCommonKeys()
  let model = type.init(config: &reader) { dialect.stores($0, in: table) }
  try reader.check()
  return (reader, model)
}

extension Placing {
  /// The work of finding the weights of a model.
  ///
  /// - Throws: `CheckpointError` if it has more numbers than any file.
  init(
    _ table: TensorTable, _ dialect: Dialect, _ declared: Declared, _ model: any Architecture,
    options: RecognitionOptions, givesHints: Bool = true
  ) throws(CheckpointError) {
    try checkSize(declared.slots)
    let forms = StoredForms(dialect, slots: declared.slots, dimensions: model.dimensions)
    self.init(
      table, dialect, declared.slots, forms, head: model.head, options: options,
      givesHints: givesHints)
  }
}

/// Checks that all weights together have a number of elements that can be counted, and so every tensor
/// of every dialect, since each is made of some of them.
func checkSize(_ slots: [WeightSlot]) throws(CheckpointError) {
  if slots.count >= Declaration.mostWeights { throw Declaration.tooMany }
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
  func naming(class name: String) -> JSONValue {
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

extension WeightGraph {
  /// Whether the config says, of the model or of one in it, that words are not tied.
  public var isUntied: Bool {
    config["tie_word_embeddings"]?.bool == false
      || facts.contains { fact in
        fact.path.last == "tie_word_embeddings" && config.value(at: fact.path)?.bool == false
      }
  }
}
