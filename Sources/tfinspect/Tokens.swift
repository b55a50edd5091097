import ArgumentParser
import CommandSupport
import Containers
import SystemPackage
import TensorCore
import Tokenizers
import TransformerKit

struct Tokens: Verb {
  static let configuration = CommandConfiguration(
    commandName: "tokens",
    abstract: "Show a text as the tokens of a model.",
    usage: "tfinspect tokens [<options>] <source> [<text>]",
    discussion: """
      Each token with its id, the bytes of the text that it stands for, and its piece as the \
      vocabulary writes it. Tokens of a second text say so; those that are put around the texts \
      stand for no bytes. -q prints the ids alone. With --lines each line of a file is a text: a line of \
      ids, or with --json an object.

      Examples:
        tfinspect tokens bert-base/ 'Hello, world!'
        tfinspect tokens gpt2/ 'Hello, world!' --json
        tfinspect tokens bert-base/ 'First text.' --pair 'Second text.' -q
      """)

  @Argument(help: "A model's folder or file, or a tokenizer's file.")
  var source: FilePath

  @Argument(help: "The text.")
  var text: GivenText?

  @Option(help: ArgumentHelp("A file with the text.", valueName: "file"))
  var textFile: FilePath?

  @Flag(help: "Each line of the file is a text of its own.")
  var lines = false

  @Option(help: ArgumentHelp("A second text.", valueName: "text"))
  var pair: GivenText?

  @Flag(help: "Put no special tokens around the texts.")
  var noSpecial = false

  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard (text == nil) != (textFile == nil) else {
      throw ValidationError("give a text, or --text-file")
    }
    guard !lines || textFile != nil && pair == nil else {
      throw ValidationError("--lines goes with --text-file, and with no --pair")
    }
  }

  func perform() throws -> ExitStatus {
    let found = try FoundTokenizer(source)
    let first = try textFile.map { try CommandSupport.text(ofFile: $0) } ?? text?.text ?? ""
    let second = try pair?.text
    if let caveat = found.caveat, !common.quiet { standardError("note: \(caveat)") }
    if common.verbose { standardError("tokenizer \(escaped(displayed(found.file)))") }
    do throws(CheckpointError) {
      guard !lines else {
        try encodeLines(first, found)
        return .success
      }
      let encoding = try found.tokenizer.encode(first, pair: second, addsSpecial: !noSpecial)
      let report = TokensReport(
        tokenizer: found.tokenizer, file: displayed(found.file), encoding: encoding,
        texts: [first] + (second.map { [$0] } ?? []))
      if common.json {
        report.printJSON()
      } else if common.quiet {
        var shown = ""
        append(encoding.ids, to: &shown)
        standardOutput(shown)
      } else {
        report.printTable()
      }
    } catch {
      throw error.inFile(displayed(found.file))
    }
    return .success
  }

  private func encodeLines(_ text: String, _ found: FoundTokenizer) throws(CheckpointError) {
    var texts = text.utf8.split(separator: 10, omittingEmptySubsequences: false)
    if texts.last?.isEmpty == true { texts.removeLast() }
    var memory = Tokenizer.Memory()
    var shown = ""
    defer { standardOutput(shown, terminator: "") }
    for line in texts {
      let line = String(Substring(line))
      let encoding = try found.tokenizer.encode(line, addsSpecial: !noSpecial, &memory)
      if common.json {
        let report = TokensReport(
          tokenizer: found.tokenizer, file: displayed(found.file), encoding: encoding,
          texts: [line])
        shown += report.json.text()
      } else {
        append(encoding.ids, to: &shown)
      }
      shown += "\n"
      if shown.utf8.count > 1 << 16 {
        standardOutput(shown, terminator: "")
        shown = ""
      }
    }
  }

  /// Adds ids to a text, with a space between two.
  private func append(_ ids: [Int], to text: inout String) {
    for (index, id) in ids.enumerated() {
      if index > 0 { text += " " }
      text += String(id)
    }
  }
}

/// What is said of the tokens of a text.
private struct TokensReport {
  let tokenizer: Tokenizer
  let file: String
  let encoding: TokenizedText
  let texts: [String]

  func printTable() {
    var table = Table([("TOKEN", .right), ("ID", .right), ("BYTES", .left), ("PIECE", .left)])
    for (index, token) in encoding.tokens.enumerated() {
      let place = token.sequence.map { sequence in
        let bytes = token.bytes
        return (sequence == 1 ? "2nd " : "") + "\(bytes.lowerBound):\(bytes.upperBound)"
      }
      table.add([
        "\(index)", "\(token.id)", place ?? "-", escaped(tokenizer.text(index, of: encoding)),
      ])
    }
    standardOutput(lines: table.lines())
  }

  func printJSON() {
    let characters = texts.map(CharacterOffsets.init)
    standardOutput(
      "tfinspect.tokens/1", listing: "tokens",
      encoding.tokens.indices.lazy.map { row($0, characters) })
  }

  /// All of it as one object.
  var json: JSONValue {
    let characters = texts.map(CharacterOffsets.init)
    return [
      "schema": "tfinspect.tokens/1",
      "tokens": .array(encoding.tokens.indices.map { row($0, characters) }),
    ]
  }

  private func row(_ index: Int, _ characters: [CharacterOffsets]) -> JSONValue {
    let token = encoding.tokens[index]
    let range = token.sequence.flatMap { characters.indices.contains($0) ? characters[$0] : nil }?
      .characters(token.bytes)
    return [
      "id": .number(token.id), "piece": .string(tokenizer.text(index, of: encoding)),
      "bytes": token.sequence == nil
        ? .null : [.number(token.bytes.lowerBound), .number(token.bytes.upperBound)],
      "characters": range.map { [.number($0.lowerBound), .number($0.upperBound)] } ?? .null,
      "sequence": token.sequence.map { .number($0) } ?? .null,
      "word": token.word.map { .number($0) } ?? .null, "type": .number(token.typeID),
      "special": .bool(token.isSpecial), "attended": .bool(token.isAttended),
    ]
  }
}
