/// A command line as far as it has been typed, in the terms of the command's definition.
struct TypedLine {
  /// The command with its verbs.
  let root: CommandDefinition
  /// The verb that was named, if one was.
  let verb: String?
  /// What the words are for: the verb that was named, or the one that is meant without.
  let command: CommandDefinition
  /// The values of positional arguments.
  private(set) var positionals: [String] = []
  /// The options and flags, and the values that options were given.
  private(set) var options: [(option: CommandDefinition.Argument, value: String?)] = []
  /// The option whose value comes next.
  private(set) var pending: CommandDefinition.Argument?
  /// What begins as an option does, and is none.
  private(set) var unknownOptions: [String] = []
  /// Whether `--` ended the options.
  private(set) var isAfterOptions = false

  /// Reads the words after the command's name.
  init(_ root: CommandDefinition, _ words: [String]) {
    self.root = root
    let named = words.first.flatMap(root.verb)
    verb = named?.name
    command = named ?? root.defaultVerb.flatMap(root.verb) ?? root
    for word in words.dropFirst(named == nil ? 0 : 1) { add(word) }
  }

  private mutating func add(_ word: String) {
    if let option = pending {
      options.append((option, word))
      pending = nil
    } else if isAfterOptions || !word.hasPrefix("-") || word == "-" {
      positionals.append(word)
    } else if word == "--" {
      isAfterOptions = true
    } else if word.hasPrefix("--") {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let option = option(String(parts[0])) else {
        return unknownOptions.append(String(parts[0]))
      }
      add(option, parts.count > 1 ? String(parts[1]) : nil)
    } else if let option = option(String(word.prefix(2))) {
      let rest = String(word.dropFirst(2))
      add(option, option.kind == .flag || rest.isEmpty ? nil : rest)
    }
  }

  private mutating func add(_ option: CommandDefinition.Argument, _ value: String?) {
    if option.kind == .option, value == nil {
      pending = option
    } else {
      options.append((option, value))
    }
  }

  /// The names of all options.
  var optionNames: [String] { command.arguments.flatMap(\.names) }

  /// The option of that name, `--sort` or `-o`.
  func option(_ name: String) -> CommandDefinition.Argument? {
    command.arguments.first { $0.names.contains(name) }
  }

  /// The positional argument that comes next.
  var next: CommandDefinition.Argument? { argument(at: positionals.count) }

  private func argument(at index: Int) -> CommandDefinition.Argument? {
    let all = command.arguments.filter { $0.kind == .positional }
    if index < all.count { return all[index] }
    return all.last.flatMap { $0.isRepeating ? $0 : nil }
  }

  /// Values that are none of those that their argument may have, with what it may have.
  var wrongValues: [(value: String, known: [String])] {
    let all =
      options.map { ($0.option, $0.value) }
      + positionals.enumerated().compactMap { index, value in
        argument(at: index).map { ($0, value) }
      }
    return all.compactMap { argument, value in
      guard let value, case .list(let known) = argument.values, !known.contains(value) else {
        return nil
      }
      return (value, known)
    }
  }
}
