import ArgumentParser
import CommandSupport
import Testing

/// What may stand at the cursor, from a command's definition.
@Suite struct CompletionTests {
  private struct Toy: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "toy", subcommands: [Move.self, Show.self, Roll.self],
      defaultSubcommand: Move.self)
  }

  private struct Move: ParsableCommand {
    enum Kind: String, ExpressibleByArgument, CaseIterable {
      case fast
      case slow
    }

    @Argument(completion: .file()) var source: String
    @Argument(completion: .file()) var target: String
    @Option(name: [.short, .long]) var kind = Kind.slow
    @Option(help: ArgumentHelp(valueName: "glob")) var include: [String] = []
    @Flag(name: [.short, .long]) var force = false
  }

  private struct Roll: ParsableCommand {
    @Option(name: [.short, .long]) var seed = 0
    @Option(name: .customShort("x")) var shift = 0
    @Flag var quick = false
    @Argument var rest: [String] = []
  }

  @Test(
    arguments: [
      (["roll", "--seed", "-1"], ["roll", "--seed=-1"]),
      (["roll", "-s", "-1", "--quick"], ["roll", "--seed=-1", "--quick"]),
      (["roll", "--seed", "-.5e3"], ["roll", "--seed=-.5e3"]),
      (["roll", "--seed=-1", "-1"], ["roll", "--seed=-1", "-1"]),
      (["roll", "--quick", "-1"], ["roll", "--quick", "-1"]),
      (["roll", "--seed", "-q"], ["roll", "--seed", "-q"]),
      (["roll", "--", "--seed", "-1"], ["roll", "--", "--seed", "-1"]),
      (["roll", "-x", "-1"], ["roll", "-x", "-1"]), (["-1"], ["-1"]), ([], []),
    ])
  func `a number below zero belongs to the option before it`(
    _ words: [String], _ joined: [String]
  ) throws {
    let root = try #require(CommandDefinition(Toy.self))
    #expect(joiningNegativeNumbers(words, root) == joined)
  }

  private struct Show: ParsableCommand {
    @Argument(completion: .file()) var source: String
    @Argument var tensor: String
  }

  private func completion(_ words: String..., current: String) throws -> Completion {
    let root = try #require(CommandDefinition(Toy.self))
    return Completion(root, after: words, current) { _, source in
      source == "m" ? ["h.0.weight", "h.1.weight", "wte"] : []
    }
  }

  private func texts(_ words: String..., current: String) throws -> [String] {
    let root = try #require(CommandDefinition(Toy.self))
    let completion = Completion(root, after: words, current) { _, source in
      source == "m" ? ["h.0.weight", "wte"] : []
    }
    return completion.candidates.map(\.text)
  }

  @Test func `the first word is a verb or what the main form takes`() throws {
    let first = try completion(current: "")
    #expect(first.candidates.map(\.text) == ["move", "show", "roll", "help"] && first.hasFiles)
    let begun = try completion(current: "ft-")
    #expect(begun.candidates.isEmpty && begun.hasFiles)
    let second = try completion("a", current: "")
    #expect(second.candidates.isEmpty && second.hasFiles)
    let third = try completion("a", "b", current: "")
    #expect(third.candidates.isEmpty && !third.hasFiles)
  }

  @Test func `values come after their option, in both spellings`() throws {
    #expect(try texts("a", "--kind", current: "") == ["fast", "slow"])
    #expect(try texts("a", "-k", current: "f") == ["fast"])
    #expect(try texts("a", current: "--kind=s") == ["--kind=slow"])
    #expect(try texts("move", "a", "--kind", current: "x") == [])
  }

  @Test func `options are offered once, repeatable ones again`() throws {
    #expect(try texts("a", "--force", current: "--") == ["--kind", "--include", "--help"])
    #expect(try texts("a", "--include", "x", current: "--inc") == ["--include"])
    #expect(try texts("a", "--", current: "-") == [])
  }

  @Test func `names of tensors are those of the checkpoint that was typed`() throws {
    #expect(try texts("show", "m", current: "h") == ["h.0.weight"])
    #expect(try texts("show", "other", current: "") == [])
    #expect(try texts("m", "--include", current: "w") == ["wte"])
  }

  @Test func `what bash has typed is divided as bash divides it`() {
    let words = shellWords(#"toy 'a b' c\ d "e\"f$g" --x="#)
    #expect(words.words == ["toy", "a b", "c d", "e\"f$g"] && words.current == "--x=")
    #expect(shellWords("toy a ").current == "")
    #expect(shellWords("toy 'a b").current == "a b")
    #expect(quotedForShell("h.0/a b(*)") == #"h.0/a\ b\(\*\)"#)
  }
}

/// What is said to somebody whose command line is not understood.
@Suite struct AdviceTests {
  private struct Tool: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "tool", subcommands: [Look.self], defaultSubcommand: Look.self)
  }

  private struct Look: ParsableCommand {
    enum Order: String, ExpressibleByArgument, CaseIterable {
      case name
      case size
    }

    @Argument var source: String
    @Option var sort = Order.name
  }

  @Test func `the help that has the options, and the nearest value`() throws {
    let root = try #require(CommandDefinition(Tool.self))
    #expect(advice(root, ["x", "--sort", "weight"]) == "see tool --help")
    #expect(
      advice(root, ["look", "x", "--sort", "szie"]) == "did you mean size? see tool look --help")
    #expect(advice(root, ["x", "--sort=nam"]) == "did you mean name? see tool --help")
  }
}
