package import TensorCore

/// What a dialect stores for a config, whatever the tensors at hand are called: to whom names say nothing.
package struct ExpectedTensors: Sendable {
  /// A tensor.
  package struct Tensor: Sendable {
    /// Its name, as it is written.
    package let name: String
    /// The shapes that it can have, the usual one first.
    package let shapes: [[Int]]
    /// The weights in it.
    package let paths: [String]
    /// How they lie in it.
    package let pieces: [Piece]
    /// Whether it must be there.
    package let isRequired: Bool
  }

  /// The model.
  package let architecture: String
  package let head: String
  /// The dialect, and the names of its other forms' tensors.
  package let dialect: Dialect
  /// The config under Hugging Face's keys, with the class of the model.
  package let config: JSONValue
  /// The tensors, in the order of the computation.
  package let tensors: [Tensor]
  /// The paths of the matrices of linear layers.
  package let matrices: Set<String>

  /// Everything that a config can mean: in each dialect of its architecture, of each class if it names none, with and
  /// without what may be missing.
  ///
  /// - Throws: `CheckpointError` if the architecture is not known, or the config cannot be.
  package static func all(
    _ config: JSONValue, _ table: TensorTable, options: RecognitionOptions
  ) throws(CheckpointError) -> [ExpectedTensors] {
    let families = options.families
    let type = try recognizedArchitecture(
      config, NumberedNames(table), named: options.architecture, among: families)
    let dialects = families.dialects(of: type.name).filter {
      options.dialect == nil || $0.name == options.dialect || $0.fullName == options.dialect
    }
    guard !dialects.isEmpty else {
      throw CheckpointError(
        .unsupported("\(type.name) has no dialect \"\(options.dialect ?? "")\""),
        advice: "tfconvert list dialects shows what there is")
    }
    var (found, failure): ([ExpectedTensors], CheckpointError?) = ([], nil)
    for dialect in dialects {
      do throws(CheckpointError) {
        found += try all(config, table, as: type, in: dialect, options)
      } catch {
        failure = failure ?? error
      }
    }
    if found.isEmpty, let failure { throw failure }
    return found
  }

  private static func all(
    _ config: JSONValue, _ table: TensorTable, as type: any Architecture.Type,
    in dialect: Dialect, _ options: RecognitionOptions
  ) throws(CheckpointError) -> [ExpectedTensors] {
    let usual = try usualConfig(config, table, dialect, options)
    let named = usual["architectures"]?.elements?.first != nil
    let configs =
      named ? [usual] : [usual] + classes(of: type, usual).map { usual.naming(class: $0) }
    let dialect = dialect.filled(for: usual)
    var (found, failure): ([ExpectedTensors], CheckpointError?) = ([], nil)
    for config in configs {
      for isStored in [false, true] {
        do throws(CheckpointError) {
          let expected = try ExpectedTensors(config, as: type, in: dialect, isStored: isStored)
          let isNew = !found.contains { $0.tensors.map(\.name) == expected.tensors.map(\.name) }
          if isNew { found.append(expected) }
        } catch {
          failure = failure ?? error
        }
      }
    }
    if found.isEmpty, let failure { throw failure }
    return found
  }

  private static func classes(of type: any Architecture.Type, _ config: JSONValue) -> [String] {
    var reader = ConfigReader(config)
    _ = type.init(config: &reader) { _ in false }
    for case .modelClass(let names) in reader.facts.map(\.kind) { return names }
    return []
  }

  private init(
    _ config: JSONValue, as type: any Architecture.Type, in dialect: Dialect, isStored: Bool
  ) throws(CheckpointError) {
    var reader = ConfigReader(config)
    reader.disregardCommonKeys()
    let model = type.init(config: &reader) { _ in isStored }
    try reader.check()
    let slots = model.declaration().slots
    try checkSize(slots)
    let forms = StoredForms(dialect, slots: slots, dimensions: model.dimensions)
    let needed = Set(slots.filter { $0.origin == nil && $0.role != .constant }.map(\.path))
    matrices = Set(slots.filter { $0.role == .linear }.map(\.path))
    architecture = type.name
    head = model.head
    self.dialect = dialect
    self.config = reader.config
    tensors = forms.forms.map { form in
      Tensor(
        name: dialect.writtenName(form.name, head: model.head),
        shapes: form.forms.map(\.storedShape).distinct, paths: form.paths,
        pieces: form.forms[0].pieces.map(\.piece),
        isRequired: form.paths.contains(where: needed.contains))
    }
  }
}
