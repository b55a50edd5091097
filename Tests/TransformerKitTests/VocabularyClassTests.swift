import SystemPackage
import TensorCore
import TestSupport
import Testing
import Tokenizers

import TransformerKit

/// Models that have a vocabulary beside them, and no tokenizer.json: `Fixtures/vocabularies`.
@Suite struct VocabularyClassTests {
  static let folders = fileNames(in: fixture("vocabularies")).sorted()

  private func expected(_ name: String) throws -> [JSONValue] {
    let bytes = readFile(fixture("vocabularies/\(name)/expected.json"))
    return try #require(JSONValue(parsing: bytes, grammar: .strict).elements)
  }

  @Test(arguments: folders)
  func `tokens are those of the class that transformers takes`(_ name: String) throws {
    let found = try FoundTokenizer(fixture("vocabularies/\(name)"))
    #expect(found.caveat == nil)
    let tokenizer = found.tokenizer
    let cases = try expected(name)
    #expect(cases.count >= 30)
    for value in cases {
      let text = try #require(value["text"]?.string)
      let pair = value["pair"]?.string
      let encoding = try tokenizer.encode(text, pair: pair)
      let what = "\(name): \(text.debugDescription)"
      #expect(.array(encoding.ids.map { .number($0) }) == value["ids"], "\(what)")
      if let types = value["types"] {
        #expect(.array(encoding.tokens.map { .number($0.typeID) }) == types, "\(what)")
      }
      if let offsets = value["offsets"] {
        let characters = [CharacterOffsets(text), CharacterOffsets(pair ?? "")]
        let own = encoding.tokens.map { token -> JSONValue in
          let range = token.sequence.map { characters[$0].characters(token.bytes) } ?? 0..<0
          return [.number(range.lowerBound), .number(range.upperBound)]
        }
        #expect(.array(own) == offsets, "\(what)")
      }
      #expect(try tokenizer.decode(encoding.ids) == value["decoded"]?.string, "\(what)")
    }
  }

  @Test func `a vocabulary that is named is read alone`() throws {
    let path = fixture("vocabularies/xlm-roberta/sentencepiece.bpe.model")
    let found = try FoundTokenizer(path)
    #expect(found.caveat != nil)
    let alone = try Tokenizer(sentencePiece: readFile(path))
    #expect(try found.tokenizer.encode("the model").ids == alone.encode("the model").ids)
  }

  @Test func `words around texts that a vocabulary lacks come behind it`() throws {
    let scratch = ScratchFolder()
    _ = scratch.write(Array(#"{"model_type": "esm"}"#.utf8), to: "config.json")
    _ = scratch.write(Array("A\nB\n<unk>\n<cls>".utf8), to: "vocab.txt")
    // <eos> is added behind the others, as the class does it.
    #expect(try FoundTokenizer(scratch.path).tokenizer.encode("AB").ids == [3, 0, 1, 4])
    _ = scratch.write([0x41, 0x0A, 0xFF], to: "vocab.txt")
    let error = #expect(throws: CheckpointError.self) { try FoundTokenizer(scratch.path) }
    #expect(error?.description.contains("not valid UTF-8") == true)
  }
}
