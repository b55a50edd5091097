import TensorCore

/// The architecture that was asked for, that the config names, or that the tensors' names show.
///
/// - Throws: `CheckpointError` of the category unsupported.
func recognizedArchitecture(
  _ config: JSONValue?, _ names: NumberedNames, named name: String?, among families: [Family]
) throws(CheckpointError) -> any Architecture.Type {
  if let value = config?["model_type"], name == nil, value != .null, value.string == nil {
    throw CheckpointError(
      .malformed("config: model_type must be a string, is \(value.text())"),
      advice: "correct it, or pass --architecture NAME; \(listOfArchitectures)")
  }
  if let found = name ?? config?["model_type"]?.string {
    if let type = families.architecture(named: found) { return type }
    // A config's name may be that of another model, and no mistake, unless the tensors say otherwise.
    let shown = families.dialects.filter { $0.isShown(by: names) }.map(\.architecture)
    let known = name == nil ? shown : families.architectures.map { $0.name }
    throw CheckpointError(
      .unsupported(
        "the architecture \"\(found)\" is not supported"
          + (missingPieces[found].map { ": \($0) missing" } ?? "")),
      advice: didYouMean(found, known) ?? listOfArchitectures)
  }
  let dialects = families.dialects.filter { $0.isShown(by: names) }
  // A config of an ecosystem's own may say more than names do.
  let named = dialects.filter { dialect in
    config.map { dialect.nativeConfig?.recognizes($0, names.table) ?? false } ?? false
  }
  if named.isEmpty, let own = config?[GGUFFacts.architectureKey]?.string {
    throw CheckpointError(
      .unsupported(
        "the architecture \"\(own)\" is not supported with these tensors' names"),
      advice: "pass --config FILE, if it is another one; \(listOfArchitectures)")
  }
  if named.isEmpty, config != nil, CTranslate2Settings.are(in: names.table) {
    let own = families.dialects.filter { $0.ownFiles?.container == CTranslate2Settings.container }
    throw CheckpointError(
      .unsupported(
        "the settings of CTranslate2 among the tensors are those of no model that is read"),
      advice:
        "read are \(own.map(\.architecture).joined(separator: ", ")), as CTranslate2's converter of"
        + " transformers' models writes them")
  }
  let shown = Set((named.isEmpty ? dialects : named).map(\.architecture))
  let candidates = families.architectures.filter { shown.contains($0.name) }
  if candidates.count == 1 { return candidates[0] }
  if let config, let type = architecture(ofClassIn: config, among: candidates) { return type }
  if let prefix = UnknownPrefix(of: names, hiding: families.dialects) { throw prefix.error }
  throw CheckpointError(
    .unsupported("neither a config.json nor the tensors' names show the architecture"),
    advice:
      "pass --config FILE\(config == nil ? "" : ", or --architecture NAME"); \(listOfArchitectures)"
  )
}

/// The one architecture that has the class which a config without `model_type` names.
private func architecture(
  ofClassIn config: JSONValue, among architectures: [any Architecture.Type]
) -> (any Architecture.Type)? {
  guard let name = config["architectures"]?.elements?.first?.string else { return nil }
  let found = architectures.filter { type in
    var reader = ConfigReader(config)
    _ = type.init(config: &reader) { _ in false }
    return reader.facts.contains { fact in
      if case .modelClass(let names) = fact.kind { names.contains(name) } else { false }
    }
  }
  return found.count == 1 ? found[0] : nil
}

/// Where all of them are.
private let listOfArchitectures = "tfconvert list architectures shows what is supported"

/// The dialect that was asked for, or that the tensors' names show.
///
/// - Throws: `CheckpointError` of the category unsupported.
func recognizedDialect(
  of architecture: String, _ names: NumberedNames, named name: String?, among families: [Family]
) throws(CheckpointError) -> Dialect {
  let dialects = families.dialects(of: architecture)
  let asked = name.map { name in dialects.filter { $0.name == name } } ?? dialects
  let known = dialects.map(\.name).distinct.joined(separator: ", ")
  guard let first = asked.first else {
    throw CheckpointError(
      .unsupported("\(architecture) has no dialect \"\(name ?? "")\"; it has: \(known)"),
      advice: didYouMean(name ?? "", dialects.map(\.name)))
  }
  let shown = asked.filter { $0.isShown(by: names) }
  // Of two forms of one dialect that both are shown, nothing tells them apart: a model without a layer.
  let several = shown.map(\.name).distinct
  if several.count > 1 {
    throw CheckpointError(
      .unsupported(
        "the tensors' names show more than one dialect: " + several.joined(separator: ", ")),
      advice: "pass --from-dialect with one of them")
  }
  // If nothing shows a dialect, the usual one lists what is missing.
  return shown.first ?? first
}

/// The dialect of that name in which a model is written.
///
/// - Throws: `CheckpointError` of the category unsupported.
func writtenDialect(
  named name: String, of architecture: String, among families: [Family]
) throws(CheckpointError) -> Dialect {
  let dialects = families.dialects(of: architecture)
  if let dialect = dialects.first(where: { $0.name == name || $0.fullName == name }) {
    return dialect
  }
  let known = dialects.map(\.fullName).distinct.joined(separator: ", ")
  throw CheckpointError(
    .unsupported("\(architecture) has no dialect \"\(name)\"; it has: \(known)"),
    advice: didYouMean(name, dialects.map(\.fullName)))
}

/// `did you mean nanogpt?`, if something is spelled nearly like that.
private func didYouMean(_ name: String, _ known: [String]) -> String? {
  nearestName(to: name, among: known).map { "did you mean \($0)?" }
}
