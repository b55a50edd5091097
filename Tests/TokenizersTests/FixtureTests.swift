import SystemPackage
import TensorCore
import TestSupport
import Testing
import Tokenizers

/// A tokenizer of `Fixtures/tokenizers`, and what its own library makes of texts.
struct TokenizerFixture: CustomTestStringConvertible, Sendable {
  let name: String
  var testDescription: String { name }

  static let all = fileNames(in: fixture("tokenizers")).sorted().map(TokenizerFixture.init)

  private func bytes(_ file: String) -> [UInt8] { readFile(fixture("tokenizers/\(name)/\(file)")) }

  func tokenizer() throws -> Tokenizer {
    let files = fileNames(in: fixture("tokenizers/\(name)"))
    if files.contains("tokenizer.json") {
      return try Tokenizer(tokenizerJSON: bytes("tokenizer.json"))
    }
    if files.contains("tokenizer.model") {
      return try Tokenizer(sentencePiece: bytes("tokenizer.model"))
    }
    if files.contains("source.spm") {
      return try Tokenizer(
        sentencePiece: bytes("source.spm"), numberedBy: bytes("vocab.json"))
    }
    if files.contains("vocab.txt") {
      return try Tokenizer(wordPieces: bytes("vocab.txt"), settings: nil)
    }
    if files.contains("vocab.json") {
      return try Tokenizer(words: bytes("vocab.json"), merges: bytes("merges.txt"), settings: nil)
    }
    let ranks = try #require(files.first { $0.hasSuffix(".tiktoken") })
    return try Tokenizer(ranks: bytes(ranks), name: ranks)
  }

  func expected() throws -> [JSONValue] {
    try #require(JSONValue(parsing: bytes("expected.json"), grammar: .strict).elements)
  }
}

/// Tokens, and all that is said of them, are those of the library that the file is from.
@Suite struct FixtureTests {
  @Test(arguments: TokenizerFixture.all)
  func `texts are encoded as the original library does`(_ fixture: TokenizerFixture) throws {
    let tokenizer = try fixture.tokenizer()
    let expected = try fixture.expected()
    #expect(expected.count >= 19)
    for value in expected {
      let text = try #require(value["text"]?.string)
      let pair = value["pair"]?.string
      let addsSpecial = value["special"]?.bool ?? true
      if value["refused"] != nil {
        #expect(throws: CheckpointError.self) {
          try tokenizer.encode(text, pair: pair, addsSpecial: addsSpecial)
        }
        continue
      }
      let encoding = try tokenizer.encode(text, pair: pair, addsSpecial: addsSpecial)
      let tokens = encoding.tokens
      let what = "\(fixture.name): \(text.debugDescription)"
      #expect(.array(encoding.ids.map { .number($0) }) == value["ids"], "\(what)")
      if let bytes = value["bytes"] {
        #expect(.array(tokens.map { list($0.bytes) }) == bytes, "\(what)")
      }
      if let offsets = value["offsets"] {
        let characters = [CharacterOffsets(text), CharacterOffsets(pair ?? "")]
        let own = tokens.map { token in
          list(token.sequence.map { characters[$0].characters(token.bytes) } ?? 0..<0)
        }
        #expect(.array(own) == offsets, "\(what)")
      }
      if let words = value["words"] {
        #expect(.array(tokens.map { $0.word.map { .number($0) } ?? .null }) == words, "\(what)")
        #expect(.array(tokens.map { .number($0.typeID) }) == value["types"], "\(what)")
        #expect(.array(tokens.map { .number($0.isSpecial ? 1 : 0) }) == value["mask"], "\(what)")
        #expect(
          .array(tokens.map { .number($0.isAttended ? 1 : 0) }) == value["attention"], "\(what)")
        let pieces = tokens.indices.map { JSONValue.string(tokenizer.text($0, of: encoding)) }
        #expect(.array(pieces) == value["tokens"], "\(what)")
      }
      #expect(try tokenizer.decode(encoding.ids) == value["decoded"]?.string, "\(what)")
      if let all = value["decodedAll"] {
        #expect(try tokenizer.decode(encoding.ids, skipsSpecial: false) == all.string, "\(what)")
      }
    }
  }

  private func list(_ range: Range<Int>) -> JSONValue {
    [.number(range.lowerBound), .number(range.upperBound)]
  }

  @Test(arguments: TokenizerFixture.all)
  func `a word's id leads back to the word`(_ fixture: TokenizerFixture) throws {
    let tokenizer = try fixture.tokenizer()
    var found = 0
    for id in 0..<tokenizer.idCount {
      guard let word = tokenizer.word(id), tokenizer.id(of: word) == id else { continue }
      found += 1
    }
    #expect(found > tokenizer.idCount / 2)
  }
}
