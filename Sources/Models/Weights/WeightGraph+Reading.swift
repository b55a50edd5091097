public import TensorCore

/// How to understand a checkpoint where its files do not say it themselves.
public struct RecognitionOptions: Sendable {
  /// The architecture, instead of what config and names show.
  public var architecture: String?
  /// The dialect, instead of what the names show.
  public var dialect: String?
  /// The families that a checkpoint may be of.
  public var families: [Family]
  /// Whether optimiser slots and step counters are left out instead of refused.
  public var dropsTrainingState: Bool

  /// Options; nothing given means: recognise it.
  public init(
    architecture: String? = nil, dialect: String? = nil, dropsTrainingState: Bool = false,
    families: [Family] = Family.all
  ) {
    self.architecture = architecture
    self.dialect = dialect
    self.dropsTrainingState = dropsTrainingState
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
    let usual = try native?.usual(config, table) ?? config
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
    let forms = StoredForms(dialect, slots: declared.slots, dimensions: model.dimensions)
    var placing = Placing(table, dialect, declared.slots, head: model.head, options: options)
    try placing.place(forms)
    self.init(reader, model, dialect, declared, placing, options: options)
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

extension Dialect {
  /// Whether the checkpoint stores a tensor of which the weight at `path` is a part.
  fileprivate func stores(_ path: String, in table: TensorTable) -> Bool {
    rules.contains { rule in
      rule.layouts[0].paths.contains { filled($0, layer: 0) == path }
        && spellings(of: filled(rule.stored, layer: 0)).contains { table[$0] != nil }
    }
  }
}
