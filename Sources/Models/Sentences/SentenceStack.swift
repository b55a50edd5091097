public import TensorCore

/// The modules that stand on the hidden states of a model and make one vector of each text: `sentence_embedding`.
///
/// They are no architecture: whatever gives hidden states can stand under them.
public struct SentenceStack: Sendable, Equatable {
  /// A module.
  public struct Module: Sendable, Equatable {
    /// Its place among all modules, that of the Transformer being 0.
    public let number: Int
    /// Its folder.
    public let folder: String
    /// What it does.
    public let form: SentenceModule
  }

  /// A module as it is stored.
  public struct Record: Sendable {
    let folder: String
    let type: String
    let config: JSONValue?

    /// Describes a module.
    ///
    /// - Parameters:
    ///   - folder: its folder, by which it is named; empty for the model's own.
    ///   - type: the class that made it.
    ///   - config: what its config.json says.
    public init(folder: String, type: String, config: JSONValue?) {
      (self.folder, self.type, self.config) = (folder, type, config)
    }

    /// The class without the modules of Python around it.
    fileprivate var className: String { type.split(separator: ".").last.map(String.init) ?? "" }

    fileprivate var isOurs: Bool { type.hasPrefix("sentence_transformers.") }
  }

  /// The modules behind the Transformer, the pooling first.
  public let modules: [Module]
  /// How many numbers of the vector are kept, if not all.
  public let truncation: Int?

  /// Reads the modules of a model.
  ///
  /// - Parameters:
  ///   - records: all of them, in order.
  ///   - settings: what config_sentence_transformers.json says.
  /// - Returns: `nil` if there is nothing behind the Transformer.
  /// - Throws: `CheckpointError`: unsupported if a module is not known, malformed if its config is broken, refused
  ///   if the width of one is not that of what comes before it.
  public init?(_ records: [Record], settings: JSONValue?) throws(CheckpointError) {
    guard let first = records.first, first.isOurs, first.className == "Transformer" else {
      throw Self.unsupported(
        records.first.map { "the first module is a \(escaped($0.type))" } ?? "there is no module")
    }
    guard records.count > 1 else { return nil }
    guard first.folder.isEmpty else {
      throw Self.unsupported(
        "the Transformer is in the folder \(escaped(first.folder)), as before sentence-transformers 2"
      )
    }
    var modules: [Module] = []
    for (index, record) in records.enumerated().dropFirst() {
      modules.append(
        Module(
          number: index, folder: record.folder,
          form: try Self.form(of: record, number: index)))
    }
    self.modules = modules
    var reader = ConfigReader(settings ?? [:])
    truncation = reader.optionalCount("truncate_dim")
    do throws(CheckpointError) {
      try reader.check()
    } catch {
      throw error.inFile("config_sentence_transformers.json")
    }
    try checkWidths()
  }

  private static func form(
    of record: Record, number: Int
  ) throws(CheckpointError) -> SentenceModule {
    let isFirst = number == 1
    guard record.isOurs, isFirst == (record.className == "Pooling") else {
      throw unsupported("module \(number) is a \(escaped(record.type))")
    }
    guard record.config != nil || ["Normalize", "Dropout"].contains(record.className) else {
      throw CheckpointError(
        .malformed("modules.json: \(escaped(record.folder))/config.json is not there"))
    }
    var reader = ConfigReader(record.config ?? [:])
    let form: SentenceModule
    switch record.className {
    case "Pooling": form = .pooling(PoolingForm(&reader))
    case "Dense": form = .dense(DenseForm(&reader))
    case "LayerNorm":
      if !reader.has("dimension") { reader.reject("dimension is missing") }
      form = .layerNorm(width: reader.count("dimension", default: 1))
    case "Normalize":
      reader.requireSentence()
      form = .normalize
    case "Dropout": form = .dropout
    default: throw unsupported("module \(number) is a \(escaped(record.type))")
    }
    do throws(CheckpointError) {
      try reader.check()
    } catch {
      throw error.inFile("\(record.folder)/config.json")
    }
    return form
  }

  private static func unsupported(_ reason: String) -> CheckpointError {
    CheckpointError(
      .unsupported("modules.json: \(reason), which is not supported"),
      advice: "name the file of its weights, instead of its folder, for the Transformer alone")
  }

  /// That each module reads as many numbers as the one before it gives.
  private func checkWidths() throws(CheckpointError) {
    var faults: [String] = []
    var width: Int?
    for module in modules {
      if let inputs = module.form.inputs, let width, inputs != width {
        faults.append(
          "\(module.folder) reads \(inputs) numbers, what comes before it gives \(width)")
      }
      width = module.form.outputs ?? width
    }
    guard faults.isEmpty else { throw Self.misfit(faults) }
  }

  /// That modules do not fit together, or not their weights.
  static func misfit(_ faults: [String]) -> CheckpointError {
    CheckpointError(
      .refused(
        "the modules on the Transformer do not fit: "
          + (faults.count == 1 ? faults[0] : "\(faults.count) faults")),
      details: faults.count == 1 ? [] : faults)
  }

  /// The width of the hidden states that it reads.
  var inputs: Int? { modules.first?.form.inputs }

  /// The width of the vector.
  public var outputs: Int {
    let width = modules.compactMap(\.form.outputs).last ?? 0
    return min(truncation ?? width, width)
  }

  /// What outputs depend on and shapes do not show.
  var mathematics: [(key: String, value: String)] {
    modules.compactMap { module in
      module.form.mathematics.map { ("sentence.\(module.number)", $0) }
    } + (truncation.map { [("sentence.truncate_dim", "\($0)")] } ?? [])
  }
}
