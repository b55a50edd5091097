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
        .unsupported("the \(type.name) model needs its config.json, which is not beside it"),
        advice: "pass it with --config FILE")
    }
    try self.init(table, config: config, as: type, in: dialect, options: options)
  }

  /// Places the tensors of a checkpoint whose architecture and dialect are known.
  package init(
    _ table: TensorTable, config: JSONValue, as type: any Architecture.Type, in dialect: Dialect,
    options: RecognitionOptions = RecognitionOptions()
  ) throws(CheckpointError) {
    // An ecosystem's own config does not say which architecture it is.
    let isNative = config["model_type"] == nil
    let usual = isNative ? dialect.nativeConfig?.usual(config) ?? config : config
    var reader = ConfigReader(usual)
    let model = type.init(config: &reader) { dialect.stores($0, in: table) }
    try reader.check()
    let (root, slots) = model.declaration()
    let forms = StoredForms(dialect, slots: slots, dimensions: model.dimensions)
    var placing = Placing(table, dialect, slots, head: model.head, options: options)
    try placing.place(forms)
    self.init(
      config: usual, architecture: model, dialect: dialect, root: root, slots: slots,
      placements: placing.placements, ties: placing.ties, dropped: placing.dropped,
      zeroed: placing.zeroed, families: options.families)
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
