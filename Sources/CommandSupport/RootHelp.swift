internal import ArgumentParser

/// The help of a command: its own and its verbs, and if it does something without a verb, the arguments and
/// options of the verb that is meant then.
func mainHelp(of command: any ParsableCommand.Type) -> String {
  guard let verb = command.configuration.defaultSubcommand else { return command.helpMessage() }
  let own = HelpSections(command.helpMessage())
  let options = HelpSections(command.helpMessage(for: verb))
  let parts = [
    own.beginning, own["SUBCOMMANDS:"], options["ARGUMENTS:"], options["OPTIONS:"],
  ]
  return parts.filter { !$0.isEmpty }.map { $0.joined(separator: "\n") }.joined(separator: "\n\n")
}

/// A help text, by its headings.
private struct HelpSections {
  private var sections: [[String]] = [[]]

  init(_ text: String) {
    for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
      if ["ARGUMENTS:", "OPTIONS:", "SUBCOMMANDS:"].contains(line) { sections.append([]) }
      sections[sections.count - 1].append(line)
    }
    sections = sections.map { Array($0.reversed().drop { $0.isEmpty }.reversed()) }
  }

  /// The lines before the first heading.
  var beginning: [String] { sections[0] }

  /// A heading and the lines under it.
  subscript(heading: String) -> [String] { sections.first { $0.first == heading } ?? [] }
}
