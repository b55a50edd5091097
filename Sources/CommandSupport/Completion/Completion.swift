internal import TensorCore

/// What may stand at the cursor.
package struct Completion: Equatable {
  /// A word, and what it is.
  package struct Candidate: Equatable {
    package let text: String
    package let note: String
  }

  /// What is in a checkpoint and has a name.
  package enum Named {
    case tensors
    case classes
    case prompts

    init?(_ argument: CommandDefinition.Argument) {
      if ["tensor", "glob"].contains(argument.valueName) {
        self = .tensors
      } else if argument.names.contains("--class") {
        self = .classes
      } else if argument.names.contains("--prompt") {
        self = .prompts
      } else {
        return nil
      }
    }
  }

  package private(set) var candidates: [Candidate] = []
  /// Whether the names of files may stand there too.
  package private(set) var hasFiles = false

  /// Looks for what a word can become.
  ///
  /// - Parameters:
  ///   - root: the command.
  ///   - words: what stands before the word, after the command's name.
  ///   - current: the word, as far as it stands before the cursor.
  ///   - names: the names of something in a checkpoint.
  package init(
    _ root: CommandDefinition, after words: [String], _ current: String,
    names: (Named, String) -> [String]
  ) {
    let line = TypedLine(root, words)
    if let option = line.pending {
      addValues(of: option, current, line, names)
    } else if !line.isAfterOptions, current.hasPrefix("--"), let end = current.firstIndex(of: "=") {
      guard let option = line.option(String(current[..<end])) else { return }
      let start = current[...end]
      addValues(of: option, String(current.dropFirst(start.count)), line, names)
      candidates = candidates.map { Candidate(text: start + $0.text, note: $0.note) }
    } else if !line.isAfterOptions, current.hasPrefix("-") {
      addOptions(current, line)
    } else {
      if words.isEmpty {
        add(root.verbs.map { Candidate(text: $0.name, note: $0.abstract) }, current)
      }
      if line.verb == "help" {
        let verbs = root.verbs.filter { $0.name != "help" }
        add(verbs.map { Candidate(text: $0.name, note: $0.abstract) }, current)
      } else if let argument = line.next {
        addValues(of: argument, current, line, names)
      }
    }
  }

  private mutating func add(_ all: [Candidate], _ current: String) {
    candidates += all.filter { $0.text.hasPrefix(current) }
  }

  /// Options that are not there yet, or may be there again.
  private mutating func addOptions(_ current: String, _ line: TypedLine) {
    let given = Set(line.options.flatMap(\.option.names))
    let free = line.command.arguments.filter { option in
      option.kind != .positional
        && (option.isRepeating || !option.names.contains(where: given.contains))
    }
    add(
      free.flatMap { option in option.names.map { Candidate(text: $0, note: option.abstract) } },
      current)
  }

  private mutating func addValues(
    of argument: CommandDefinition.Argument, _ current: String, _ line: TypedLine,
    _ names: (Named, String) -> [String]
  ) {
    switch argument.values {
    case .list(let values): add(values.map { Candidate(text: $0, note: "") }, current)
    case .files: hasFiles = true
    case .any:
      // Names and patterns are of what is in the checkpoint that the command is about.
      guard let named = Named(argument), let source = line.positionals.first else { return }
      add(names(named, source).map { Candidate(text: $0, note: "") }, current)
    }
  }
}

// MARK: What shells ask

/// Splits what was typed at a shell into words as bash does, without running anything.
///
/// - Returns: the words before the last one, and that one, which may be empty or unfinished.
package func shellWords(_ line: String) -> (words: [String], current: String) {
  var (words, current, isWord) = ([String](), "", false)
  var quote: Character?
  var isEscaped = false
  for character in line {
    if isEscaped {
      if quote == "\"", !"\"\\$`".contains(character) { current.append("\\") }
      current.append(character)
      isEscaped = false
    } else if character == "\\", quote != "'" {
      (isEscaped, isWord) = (true, true)
    } else if let open = quote {
      if character == open { quote = nil } else { current.append(character) }
    } else if character == "'" || character == "\"" {
      (quote, isWord) = (character, true)
    } else if character == " " || character == "\t" || character == "\n" {
      if isWord { words.append(current) }
      (current, isWord) = ("", false)
    } else {
      current.append(character)
      isWord = true
    }
  }
  return (words, current)
}

/// A word as bash has to be given it.
package func quotedForShell(_ word: String) -> String {
  String(
    word.flatMap { character -> [Character] in
      let isPlain =
        character.isLetter || character.isNumber || "_-./,:=@%+~".contains(character)
      return isPlain ? [character] : ["\\", character]
    })
}
