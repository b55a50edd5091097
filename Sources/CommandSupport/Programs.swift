internal import TensorCore

/// One of the commands that a file has in it.
public struct Program {
  /// What it is called as a word after `tfkit`; its own name has `tf` before it.
  let verb: String
  /// What follows that.
  let usage: String
  /// Runs it, with so many words of the command line before its own.
  let run: (Int) -> Never

  /// Describes a command.
  public init(_ verb: String, _ usage: String, run: @escaping (Int) -> Never) {
    (self.verb, self.usage, self.run) = (verb, usage, run)
  }
}

/// Runs the command that this file is called as, or else the one that the first word names, and exits.
public func runPrograms(_ programs: [Program]) -> Never {
  if let named = programs.first(where: { "tf" + $0.verb == commandName }) { named.run(0) }
  let words = arguments()
  if let word = words.first, let named = programs.first(where: { $0.verb == word }) { named.run(1) }
  switch words {
  case [], ["--help"], ["-h"], ["help"]:
    standardOutput(help(programs))
    terminate(.success)
  case ["--version"]:
    standardOutput(toolVersion)
    terminate(.success)
  default:
    let verbs = programs.map(\.verb)
    let near = nearestName(to: words[0], among: verbs).map { "; did you mean \($0)?" }
    standardError(
      "tfkit: \"\(escaped(words[0]))\" is no command"
        + (near ?? "; there are \(verbs.joined(separator: ", "))"))
    terminate(.failed)
  }
}

private func help(_ programs: [Program]) -> String {
  let lines = programs.map { "  tfkit \($0.verb) \($0.usage)" }
  let width = lines.reduce(0) { max($0, $1.count) }
  let uses = zip(lines, programs).map { line, program in
    line + String(repeating: " ", count: width + 3 - line.count) + "what tf\(program.verb) does"
  }
  return
    (["Convert, inspect and prove Transformer checkpoints.", ""] + uses + [
      "", "tfkit COMMAND --help says more. A link to this file that is called tfconvert,",
      "tfinspect or tfverify is that command.",
    ]).joined(separator: "\n")
}
