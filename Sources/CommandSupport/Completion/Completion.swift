internal import TensorCore

/// What may stand at the cursor.
package struct Completion: Equatable {
  /// A word, and what it is.
  package struct Candidate: Equatable {
    package let text: String
    package let note: String
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
  ///   - tensors: the names of the tensors of a checkpoint.
  package init(
    _ root: CommandDefinition, after words: [String], _ current: String,
    tensors: (String) -> [String]
  ) {
    let line = TypedLine(root, words)
    if let option = line.pending {
      addValues(of: option, current, line, tensors)
    } else if !line.isAfterOptions, current.hasPrefix("--"), let end = current.firstIndex(of: "=") {
      guard let option = line.option(String(current[..<end])) else { return }
      let start = current[...end]
      addValues(of: option, String(current.dropFirst(start.count)), line, tensors)
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
        addValues(of: argument, current, line, tensors)
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
    _ tensors: (String) -> [String]
  ) {
    switch argument.values {
    case .list(let values): add(values.map { Candidate(text: $0, note: "") }, current)
    case .files: hasFiles = true
    case .any:
      // Names and patterns are of the tensors of what the command is about.
      guard ["tensor", "glob"].contains(argument.valueName), let source = line.positionals.first
      else { return }
      add(tensors(source).map { Candidate(text: $0, note: "") }, current)
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
