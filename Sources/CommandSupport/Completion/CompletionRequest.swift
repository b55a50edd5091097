internal import ArgumentParser
internal import Containers
internal import Models
internal import SystemPackage
internal import TensorCore
internal import TransformerKit

/// What the completion scripts of the shells ask the command for.
///
///     tfinspect ---complete bash LINE WORD
///     tfinspect ---complete zsh WORDS…
///     tfinspect ---complete fish WORDS…
///
/// The answer's first line is `words` or, if names of files may stand there too, `files`; then comes a
/// candidate a line, with what it is after a tab. Three dashes begin no option of ours.
struct CompletionRequest {
  private let shell: String
  private let words: [String]
  private let current: String
  /// How much of the current word stays as it is, because the shell takes it for words of its own.
  private let kept: Int

  /// The request that a command line is, if it is one.
  init?(_ arguments: [String]) {
    guard arguments.first == "---complete", arguments.count > 2 else { return nil }
    shell = arguments[1]
    var (words, kept) = (Array(arguments.dropFirst(2)), 0)
    if shell == "bash" {
      // bash divides words at = and : as well, and replaces what comes after.
      let line = shellWords(words[0])
      let part = words.count > 1 ? words[1] : ""
      if line.current.hasSuffix(part) { kept = line.current.count - part.count }
      words = line.words.dropFirst() + [line.current]
    }
    current = words.popLast() ?? ""
    self.words = words
    self.kept = kept
  }

  /// The answer.
  func answer(_ root: CommandDefinition) -> String {
    let completion = Completion(root, after: words, current) { names(of: $0, in: $1) }
    let lines = completion.candidates.map { candidate in
      shell == "bash"
        ? quotedForShell(String(candidate.text.dropFirst(kept)))
        : candidate.text + "\t" + candidate.note
    }
    return ([completion.hasFiles ? "files" : "words"] + lines).joined(separator: "\n")
  }

  private func names(of named: Completion.Named, in source: String) -> [String] {
    switch named {
    case .tensors: tensorNames(of: source)
    case .classes: model(source)?.graph.classes ?? []
    case .prompts: model(source)?.sentences?.prompts.map(\.name) ?? []
    }
  }

  private func checkpoint(_ source: String) -> Checkpoint? {
    FilePath(argument: expandingHome(source)).flatMap { try? Checkpoint.open($0) }
  }

  private func model(_ source: String) -> Model? { checkpoint(source).flatMap { try? Model($0) } }

  /// What the tensors of a checkpoint are called: in the file, and if it is a known model, by meaning where
  /// no name in the file begins like that.
  private func tensorNames(of source: String) -> [String] {
    guard let checkpoint = checkpoint(source) else { return [] }
    let names = checkpoint.tensors.tensors.map(\.name.text).filter { escaped($0) == $0 }
    if names.contains(where: { $0.hasPrefix(current) }) { return names }
    return (try? Model(checkpoint))?.graph.slots.map(\.path) ?? []
  }
}
