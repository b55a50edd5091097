public import SystemPackage
public import TensorCore

extension NameRules {
  /// The text that a file of rules begins with.
  public static let schema = "tfkit.rules/1"

  /// Reads a file of rules: a JSON object with `schema` and `rules`, a list of objects of which each has `from`, a
  /// pattern, and `to`, a name, or `drop`, true; and perhaps `transposed`, true. Other members are remarks.
  ///
  /// - Throws: `CheckpointError` that names the file, and the rule.
  public init(_ path: FilePath) throws(CheckpointError) {
    let file = try ConfigFile(path, bytes: SmallFile.read(path, limit: Limits.text))
    let name = displayed(path)
    do throws(CheckpointError) {
      guard file.value["schema"]?.string == Self.schema else {
        throw CheckpointError(
          .malformed("is no file of rules: its schema is not \"\(Self.schema)\""),
          advice: "docs/names.md says what is in one")
      }
      guard let rules = file.value["rules"]?.elements else {
        throw CheckpointError(.malformed("has no list of rules"))
      }
      self.init(
        try rules.enumerated().map { number, rule throws(CheckpointError) in
          try Rule(rule, number: number + 1, in: name)
        })
    } catch {
      throw error.inFile(name)
    }
  }
}

extension NameRules.Rule {
  /// - Parameter number: which one it is, from 1 on.
  fileprivate init(_ value: JSONValue, number: Int, in file: String) throws(CheckpointError) {
    let origin = "rule \(number) of \(file)"
    guard let text = value["from"]?.string, let pattern = NamePattern(text) else {
      throw CheckpointError(.malformed("rule \(number) has no pattern \"from\""))
    }
    if value["drop"] == true {
      guard value["to"] == nil else {
        throw CheckpointError(.malformed("rule \(number) has \"to\" and \"drop\""))
      }
      self.init(pattern, nil, origin: origin)
      return
    }
    guard let name = value["to"]?.string, let template = NameTemplate(name, for: pattern) else {
      throw CheckpointError(
        .malformed("rule \(number) has no name \"to\" that can be made of what its pattern holds"))
    }
    let turned = value["transposed"] ?? false
    guard let isTransposed = turned.bool else {
      throw CheckpointError(.malformed("rule \(number): \"transposed\" is neither true nor false"))
    }
    self.init(pattern, template, isTransposed: isTransposed, origin: origin)
  }
}
