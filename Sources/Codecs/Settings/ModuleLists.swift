public import TensorCore

extension CodingSettings {
  /// Whether a name begins with what a pattern matches. It takes its steps off those that are left, and is refused when
  /// there are none.
  public typealias NamePattern = (String, inout Int) throws(CheckpointError) -> Bool
  /// Reads a regular expression.
  public typealias PatternReader = (String) throws(CheckpointError) -> NamePattern
}

/// How compressed-tensors' `ignore` and `targets` name modules: by their whole names, after `re:` by patterns that a name must
/// begin with, or by classes.
///
/// Source: compressed-tensors 0.20 (`utils/match.py`: `match_name`, `match_targets`).
struct ModuleLists {
  /// What names modules: an item of a list.
  private struct Target {
    let text: String
    let scheme: JSONValue?
    let pattern: CodingSettings.NamePattern?
    /// Names of classes begin with a capital. Which class a module is, a file does not say.
    var isClass: Bool { pattern == nil && text.first?.isUppercase == true }
  }

  /// Steps that all patterns may take over all names.
  private static let mostSteps = 1 << 26

  private let targets: [Target]
  private let ignored: [Target]
  private var steps = Self.mostSteps

  /// - Throws: `CheckpointError` if a pattern cannot be read.
  init(
    _ settings: JSONValue, _ reader: CodingSettings.PatternReader
  ) throws(CheckpointError) {
    var schemes: [String: JSONValue?] = [:]
    for group in settings["config_groups"]?.members ?? [] {
      // A target of several groups has what the last one says.
      for target in (group.value["targets"]?.elements ?? []).compactMap(\.string) {
        schemes[target] = .some(group.value["weights"])
      }
    }
    // Whole names come before patterns, and both in the order of their letters.
    let order = schemes.keys.sorted {
      let (first, second) = ($0.contains("re:"), $1.contains("re:"))
      return first == second
        ? $0.unicodeScalars.lexicographicallyPrecedes($1.unicodeScalars) : second
    }
    var targets: [Target] = []
    for text in order {
      targets.append(try Self.target(text, schemes[text] ?? nil, "config_groups", reader))
    }
    var ignored: [Target] = []
    for text in (settings["ignore"]?.elements ?? []).compactMap(\.string) {
      ignored.append(try Self.target(text, nil, "ignore", reader))
    }
    (self.targets, self.ignored) = (targets, ignored)
  }

  private static func target(
    _ text: String, _ scheme: JSONValue?, _ key: String, _ reader: CodingSettings.PatternReader
  ) throws(CheckpointError) -> Target {
    guard text.hasPrefix("re:") else { return Target(text: text, scheme: scheme, pattern: nil) }
    do {
      let pattern = try reader(String(text.dropFirst(3)))
      return Target(text: text, scheme: scheme, pattern: pattern)
    } catch {
      throw refused(text, key, error)
    }
  }

  private static func refused(
    _ text: String, _ key: String, _ error: CheckpointError
  ) -> CheckpointError {
    let shown = text.count > 80 ? "\(text.prefix(80))…" : text
    return CheckpointError(
      .unsupported(
        "\(Codec.settingsKey).\(key) has \"\(escaped(shown))\": \(error.problem.text)"))
  }

  /// The item of `ignore` that names a module.
  ///
  /// - Throws: `CheckpointError`: refused if patterns take too many steps.
  mutating func ignoring(_ name: String) throws(CheckpointError) -> String? {
    try first(of: ignored, "ignore", name)?.text
  }

  /// Whether a target names a module, or one is a class, which it may be of.
  mutating func targets(_ name: String) throws(CheckpointError) -> Bool {
    if targets.isEmpty || targets.contains(where: \.isClass) { return true }
    return try first(of: targets, "config_groups", name) != nil
  }

  /// What a config says of a module's weight: that of the first target that names it; else that of classes, if it is one
  /// for all.
  mutating func scheme(of name: String) throws(CheckpointError) -> JSONValue? {
    if let target = try first(of: targets, "config_groups", name) { return target.scheme }
    let classes = targets.filter(\.isClass)
    return classes.allSatisfy { $0.scheme == classes[0].scheme } ? classes.first?.scheme : nil
  }

  private mutating func first(
    of list: [Target], _ key: String, _ name: String
  ) throws(CheckpointError) -> Target? {
    for target in list {
      guard let pattern = target.pattern else {
        if target.text == name { return target }
        continue
      }
      do {
        if try pattern(name, &steps) { return target }
      } catch {
        throw Self.refused(target.text, key, error)
      }
    }
    return nil
  }
}
