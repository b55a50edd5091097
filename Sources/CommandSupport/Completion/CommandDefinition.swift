package import ArgumentParser
internal import TensorCore

/// What ArgumentParser says of a command: its options, arguments and verbs.
///
/// Completions and advice come from it, so that they know what `--help` knows.
package struct CommandDefinition: Sendable {
  let name: String
  let abstract: String
  let arguments: [Argument]
  let verbs: [CommandDefinition]
  /// The verb that is meant when none is named.
  let defaultVerb: String?

  /// An option, a flag or a positional argument.
  struct Argument: Equatable, Sendable {
    enum Kind: String {
      case positional
      case option
      case flag
    }

    /// What may be completed with.
    enum Values: Equatable {
      case any
      case files
      case list([String])
    }

    let kind: Kind
    /// `--sort`, `-o`.
    let names: [String]
    let valueName: String
    let abstract: String
    let isRepeating: Bool
    let values: Values
  }

  /// The definition of a command; `nil` if ArgumentParser's description cannot be read.
  package init?(_ command: any ParsableCommand.Type) {
    let text = Array(command._dumpHelp().utf8)
    guard let value = try? JSONValue(parsing: text, grammar: .strict), let root = value["command"]
    else { return nil }
    self.init(root, defaultVerb: command.configuration.defaultSubcommand?._commandName)
  }

  private init(_ value: JSONValue, defaultVerb: String? = nil) {
    name = value["commandName"]?.string ?? ""
    abstract = value["abstract"]?.string ?? ""
    self.defaultVerb = defaultVerb
    arguments = (value["arguments"]?.elements ?? []).compactMap(Argument.init)
    verbs = (value["subcommands"]?.elements ?? []).map { CommandDefinition($0) }
  }

  /// The verb of that name.
  func verb(_ name: String) -> CommandDefinition? { verbs.first { $0.name == name } }
}

extension CommandDefinition.Argument {
  fileprivate init?(_ value: JSONValue) {
    guard value["shouldDisplay"]?.bool ?? true,
      let kind = Kind(rawValue: value["kind"]?.string ?? "")
    else { return nil }
    self.kind = kind
    names = (value["names"]?.elements ?? []).compactMap { name in
      name["name"]?.string.map { (name["kind"]?.string == "long" ? "--" : "-") + $0 }
    }
    valueName = value["valueName"]?.string ?? ""
    abstract = value["abstract"]?.string ?? ""
    isRepeating = value["isRepeating"]?.bool ?? false
    let completion = value["completionKind"]
    let listed = value["allValues"] ?? completion?["list"]?["values"]
    if let list = listed?.elements?.compactMap(\.string) ?? Self.names(of: valueName) {
      values = .list(list)
    } else {
      values = completion?["file"] == nil ? .any : .files
    }
  }

  /// Values that are known from all families' tables. They are not in the options' declarations, which
  /// every command makes before it does anything.
  private static func names(of valueName: String) -> [String]? {
    switch valueName {
    case "dialect": dialectNames
    case "architecture": architectureNames
    default: nil
    }
  }
}
