internal import ArgumentParser
internal import SystemPackage
internal import TensorCore

/// The line under an error of usage: what may have been meant, and which `--help` has the options.
package func advice(_ root: CommandDefinition, _ words: [String]) -> String {
  let line = TypedLine(root, words)
  let command = ([root.name] + [line.verb].compactMap(\.self)).joined(separator: " ")
  let wrong = line.wrongValues + line.unknownOptions.map { ($0, line.optionNames) }
  let near = wrong.lazy.compactMap { nearestName(to: $0.0, among: $0.1) }.first
  return (near.map { "did you mean \(escaped($0))? " } ?? fileNamedAs(line.verb, words))
    + "see \(command) --help"
}

/// A sentence about the file that is called like the verb, if there is one and it may have been meant.
private func fileNamedAs(_ verb: String?, _ words: [String]) -> String {
  guard let verb, words.first == verb, (try? FilePath(verb).stat()) != nil else { return "" }
  return "\(verb) is the verb, and what is called so ./\(verb): "
}

/// Ends the command if its first word is neither a verb nor the name of a file, but nearly a verb, or if help is asked
/// for about what is no verb.
///
/// - Throws: `CheckpointError` that names the verb.
func refuseMisspeltVerb(
  _ root: any ParsableCommand.Type, _ words: [String]
) throws(CheckpointError) {
  let verbs = root.configuration.subcommands.map { $0._commandName } + ["help"]
  if words.count > 1, words[0] == "help", !words[1].hasPrefix("-"), !verbs.contains(words[1]) {
    let near = nearestName(to: words[1], among: verbs).map { "; did you mean \($0)?" }
    throw CheckpointError(
      .malformed(
        "\"\(words[1])\" is no verb\(near ?? "; there are \(verbs.joined(separator: ", "))")"))
  }
  guard let word = words.first, !word.hasPrefix("-"), !word.contains("/"), !verbs.contains(word),
    let verb = nearestName(to: word, among: verbs), let path = FilePath(argument: word),
    (try? path.stat()) == nil
  else { return }
  throw CheckpointError(
    .malformed("\"\(word)\" is no verb, and no such file; did you mean \(verb)?"))
}

/// The words with a number below zero joined to the option before it, `--seed=-1`: by itself it would be
/// taken for an option.
func joiningNegativeNumbers(_ words: [String], _ root: any ParsableCommand.Type) -> [String] {
  guard words.contains(where: isNegativeNumber), let definition = CommandDefinition(root) else {
    return words
  }
  return joiningNegativeNumbers(words, definition)
}

package func joiningNegativeNumbers(_ words: [String], _ root: CommandDefinition) -> [String] {
  var joined: [String] = []
  for (index, word) in words.enumerated() {
    let option = TypedLine(root, Array(words[..<index])).pending
    if isNegativeNumber(word), let name = option?.names.first(where: { $0.hasPrefix("--") }) {
      joined[joined.count - 1] = "\(name)=\(word)"
    } else {
      joined.append(word)
    }
  }
  return joined
}

/// Whether a word begins as a number below zero does.
private func isNegativeNumber(_ word: String) -> Bool {
  let rest = word.dropFirst()
  return word.hasPrefix("-") && (rest.first?.isASCII ?? false)
    && (rest.first?.isNumber ?? false || rest.first == ".")
}
