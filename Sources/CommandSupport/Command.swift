public import ArgumentParser
internal import Kernels
internal import TensorCore

/// What a command's exit code means, the same in all commands.
public enum ExitStatus: Int32, Sendable {
  /// Done; equal; verified; no fault found.
  case success = 0
  /// It ran, and the answer is no.
  case negative = 1
  /// It could not: usage, malformed input, I/O.
  case failed = 2
  /// Not supported.
  case unsupported = 3
  /// Refused.
  case refused = 4

  init(_ category: CheckpointError.Category) {
    switch category {
    case .failed: self = .failed
    case .unsupported: self = .unsupported
    case .refused: self = .refused
    }
  }

  /// The table that every `--help` ends with.
  public static let help = """
    Exit codes: 0 done, equal or verified; 1 the answer is no; 2 could not (usage, malformed \
    input, I/O); 3 not supported; 4 refused (the message says which flag allows it).
    """
}

/// A command or verb of ours.
///
/// `run` returns whether the answer was yes; problems are thrown as `CheckpointError`.
public protocol Verb: ParsableCommand {
  /// Does the work and prints the result.
  func perform() throws -> ExitStatus
}

extension Verb {
  public func run() throws {
    let status = try perform()
    if status != .success { throw ExitCode(status.rawValue) }
  }
}

/// Parses the command line, runs the command, prints errors as one line each, and exits.
///
/// - Parameter skipped: how many words of the command line stand before the command's own.
public func runCommand<Root: ParsableCommand>(_: Root.Type, skipping skipped: Int = 0) -> Never {
  occupyStandardDescriptors()
  Parallel.endIdleThreads()
  ignorePipeSignals()
  removeTemporariesOnInterrupt()
  let name = Root.configuration.commandName ?? "tfkit"
  let words = Array(arguments().dropFirst(skipped))
  do {
    try raiseDescriptorLimit()
    answerShell(Root.self, words)
    if words.isEmpty || [["--help"], ["-h"], ["help"]].contains(words) {
      standardOutput(mainHelp(of: Root.self))
      terminate(.success)
    }
    try refuseMisspeltVerb(Root.self, words)
    var command = try Root.parseAsRoot(joiningNegativeNumbers(words, Root.self))
    try command.run()
    terminate(.success)
  } catch let error as CheckpointError {
    report(error, command: name)
    if words.contains("--json") { printError(error.json(command: name)) }
    terminate(ExitStatus(error.category))
  } catch {
    finish(Root.self, error, name, words)
  }
}

/// Prints the completions that a shell asks for, or the script that makes it ask, and ends, if that is what
/// the command line wants.
private func answerShell(_ root: any ParsableCommand.Type, _ words: [String]) {
  if let request = CompletionRequest(words), let definition = CommandDefinition(root) {
    standardOutput(request.answer(definition))
    terminate(.success)
  }
  guard words.first == "--generate-completion-script" else { return }
  let shell = words.count > 1 ? words[1] : loginShell
  if let script = CompletionScript.text(shell, root._commandName) {
    standardOutput(script)
    terminate(.success)
  }
  standardError("\(root._commandName): no completions for \"\(escaped(shell))\"")
  standardError("there are some for bash, zsh and fish")
  terminate(.failed)
}

/// Ends after an error that is not ours: a wrong command line, or a request for help.
private func finish<Root: ParsableCommand>(
  _: Root.Type, _ error: any Error, _ command: String, _ words: [String]
) -> Never {
  let code = Root.exitCode(for: error)
  if code == .success {
    standardOutput(Root.fullMessage(for: error))
    terminate(.success)
  }
  if let status = ExitStatus(rawValue: code.rawValue), error is ExitCode { terminate(status) }
  let definition = CommandDefinition(Root.self)
  // What may have been meant is said below, from what this verb has.
  var message = reworded(Root.message(for: error))
  // An option that does not exist goes before what is missing because of it.
  if message.hasPrefix("Missing expected argument"),
    let option = definition.flatMap({ TypedLine($0, words).unknownOptions.first })
  {
    message = "Unknown option '\(option)'"
  }
  let lines = message.split(separator: "\n").map { escaped(String($0)) }
  standardError("\(command): \(lines.joined(separator: " "))")
  if words.contains("--json") {
    let error = CheckpointError(.malformed(lines.joined(separator: " ")))
    printError(error.json(command: command))
  }
  standardError(definition.map { advice($0, words) } ?? "see \(command) --help")
  terminate(.failed)
}

/// A message of ArgumentParser without its own guess, which is made for short words as for long ones, and with what a
/// size or a rule of names is where a value is none.
private func reworded(_ message: String) -> String {
  if message.contains(" is invalid for "), message.contains("<size>") {
    return message + ": sizes are such as 512MB, 5GB or 4GiB, from 1 byte"
  }
  if message.contains(" is invalid for "), message.contains("<pattern=name>") {
    return message
      + ": it is PATTERN=NAME, and PATTERN must have each {i} and as many * as NAME has"
  }
  guard message.hasPrefix("Unknown option"), let end = message.firstRange(of: ". Did you mean")
  else {
    return message
  }
  return String(message[..<end.lowerBound])
}

/// How many faults of a mapping an error lists.
private let listedFaults = 40

/// One line for the error, at most one of advice, and one for each fault of a mapping, or for each kind
/// if layers have the same.
private func report(_ error: CheckpointError, command: String) {
  guard error.category == .refused else {
    standardError("\(command): \(error.withDetails)")
    if let advice = error.advice, error.category != .failed { standardError(escaped(advice)) }
    return
  }
  standardError("\(command): \(error)")
  let lines = foldedByLayer(error.details)
  for line in lines.prefix(listedFaults) { standardError("  \(escaped(abridged(line, to: 1000)))") }
  if lines.count > listedFaults {
    let all = error.listing.map { ": \($0)" } ?? ""
    standardError("  … \(lines.count - listedFaults) more lines\(all)")
  }
  if let advice = error.advice { standardError(escaped(advice)) }
}

/// Prints an error as an object, unless a part of a result stands there already.
private func printError(_ object: JSONValue) {
  guard outputIsEmpty else { return }
  standardOutput(object.text(pretty: true))
}

extension CheckpointError {
  /// What `--json` prints of it; details up to so many as are collected of a file.
  fileprivate func json(command: String) -> JSONValue {
    let status = ExitStatus(category)
    return [
      "schema": "tfkit.error/1", "command": .string(command), "exit": .int(Int64(status.rawValue)),
      "kind": .string("\(category)"), "message": .string(description),
      "file": file.map { .string($0) } ?? .null,
      "tensor": tensor.map { .string($0.text) } ?? .null,
      "offset": offset.map { .int(Int64($0)) } ?? .null, "reason": .string(problem.text),
      "details": .array(details.prefix(1000).map { .string($0) }),
      "advice": advice.map { .string($0) } ?? .null,
    ]
  }
}
