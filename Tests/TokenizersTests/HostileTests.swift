import SystemPackage
import TensorCore
import TestSupport
import Testing
import Tokenizers

/// Files that are broken, or ask for too much, end in an error.
@Suite struct HostileTests {
  private func file(
    model: String = #"{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}"#,
    _ more: String = ""
  ) -> [UInt8] {
    Array(#"{"version":"1.0","model":\#(model)\#(more)}"#.utf8)
  }

  private func split(_ pattern: String) -> String {
    #","pre_tokenizer":{"type":"Split","pattern":{"Regex":"\#(pattern)"},"behavior":"Isolated","invert":false}"#
  }

  @Test func `a plain file is read`() throws {
    let tokenizer = try Tokenizer(tokenizerJSON: file())
    #expect(try tokenizer.encode("abab").ids == [2, 2])
  }

  @Test(arguments: [
    "", "{", "[]", "{}", #"{"model":3}"#, #"{"version":"2.0","model":{}}"#,
    #"{"model":{"type":"BPE"}}"#, #"{"model":{"type":"BPE","vocab":[]}}"#,
    #"{"model":{"type":"BPE","vocab":{"a":-1}}}"#, #"{"model":{"type":"BPE","vocab":{"a":1.5}}}"#,
    #"{"model":{"type":"BPE","vocab":{"a":99999999999}}}"#,
    #"{"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}}"#,
    #"{"model":{"type":"BPE","vocab":{"a":0},"merges":["a"]}}"#,
    #"{"model":{"type":"BPE","vocab":{"a":0},"merges":[["a"]]}}"#,
    #"{"model":{"type":"BPE","vocab":{"a":0},"merges":[3]}}"#,
    #"{"model":{"type":"BPE","vocab":{"a":0},"merges":{}}}"#,
    #"{"model":{"type":"BPE","vocab":{"a":0,"a":1},"merges":[]}}"#,
    #"{"model":{"type":"BPE","vocab":{},"merges":[],"dropout":0.1}}"#,
    #"{"model":{"type":"Unigram","vocab":[["a"]]}}"#,
    #"{"model":{"type":"Unigram","vocab":[["a",-1]],"unk_id":7}}"#,
    #"{"model":{"type":"Unigram","vocab":{"a":-1}}}"#, #"{"model":{"type":"Magic","vocab":{}}}"#,
    #"{"model":{"type":"WordPiece","vocab":{}},"normalizer":{"type":"Precompiled","precompiled_charsmap":"AAAA"}}"#,
    #"{"model":{"type":"WordPiece","vocab":{}},"normalizer":{"type":"Precompiled","precompiled_charsmap":"////fw=="}}"#,
    #"{"model":{"type":"WordPiece","vocab":{}},"normalizer":{"type":"Unheard"}}"#,
    #"{"model":{"type":"WordPiece","vocab":{}},"decoder":{"type":"Strip","content":"ab","start":0,"stop":0}}"#,
    #"{"model":{"type":"WordPiece","vocab":{}},"pre_tokenizer":{"type":"FixedLength","length":0}}"#,
    #"{"model":{"type":"WordPiece","vocab":{}},"padding":{"strategy":{"Fixed":2000000000},"pad_id":0,"pad_token":"p"}}"#,
    #"{"model":{"type":"WordPiece","vocab":{}},"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x","type_id":0}}],"pair":[],"special_tokens":{}}}"#,
  ])
  func `a broken tokenizer.json is refused`(_ text: String) {
    #expect(throws: CheckpointError.self) { try Tokenizer(tokenizerJSON: Array(text.utf8)) }
  }

  @Test(arguments: [
    "(a", "a)", "[a", "a{2000}", "*a", "\\\\1", "\\\\p{Nothing}", "(?<=a+)b", "(?z)", "\\\\xZZ",
  ])
  func `a pattern that is not known is refused`(_ pattern: String) {
    #expect(throws: CheckpointError.self) { try Tokenizer(tokenizerJSON: file(split(pattern))) }
  }

  @Test(arguments: ["(a+)+$!", "(a|a)*c", "(a|aa)+c", "(.*)*c", "(?:(?:a?){30}){30}c"])
  func `a pattern whose work explodes ends in an error`(_ pattern: String) throws {
    let tokenizer: Tokenizer
    do {
      tokenizer = try Tokenizer(tokenizerJSON: file(split(pattern)))
    } catch {
      return
    }
    let text = String(repeating: "a", count: 5000)
    let error = #expect(throws: CheckpointError.self) { try tokenizer.encode(text) }
    #expect(error?.category == .refused)
  }

  @Test func `groups in groups end in an error`() {
    let deep = String(repeating: "(", count: 5000) + String(repeating: ")", count: 5000)
    #expect(throws: CheckpointError.self) { try Tokenizer(tokenizerJSON: file(split(deep))) }
  }

  @Test func `merges that lead back to themselves end`() throws {
    // "aba" has the id of "a", and "aab" that of "ab". How many are left is what tokenizers 0.23 says.
    let model = #"""
      {"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"aba":0,"aab":2},"merges":["a b","ab a","a ab"]}
      """#
    let tokenizer = try Tokenizer(tokenizerJSON: file(model: model))
    #expect(try tokenizer.encode(String(repeating: "ab", count: 3000)).tokens.count == 3000)
    #expect(try tokenizer.encode(String(repeating: "aab", count: 200)).tokens.count == 1)
  }

  @Test func `every file that is cut short is refused or read`() throws {
    for name in ["sentencepiece-unigram/tokenizer.model", "sentencepiece-bpe/tokenizer.model"] {
      let whole = readFile(fixture("tokenizers/\(name)"))
      for end in stride(from: 0, to: whole.count, by: 37) {
        _ = try? Tokenizer(sentencePiece: Array(whole[..<end])).encode("Hello, world! ﬁ")
      }
      var generator = SeededGenerator(seed: 7)
      for _ in 0..<300 {
        var changed = whole
        let place = Int.random(in: 0..<changed.count, using: &generator)
        changed[place] = UInt8.random(in: 0...255, using: &generator)
        _ = try? Tokenizer(sentencePiece: changed).encode("Hello, world! ﬁ Å A\u{3000}b")
      }
    }
  }

  @Test(arguments: ["YQ== 0 1", "YQ== x", "YQ= 0", "YQ== 0\nYQ== 1", "YQ== 99999999"])
  func `a broken list of ranks is refused`(_ text: String) {
    #expect(throws: CheckpointError.self) { try Tokenizer(ranks: Array(text.utf8), name: "gpt2") }
  }

  @Test func `vocabularies of too many words, or bytes, are refused`() throws {
    let most = 1 << 20
    let lines = [UInt8](repeating: 10, count: most)
    _ = try Tokenizer(wordPieces: lines, settings: nil)
    let long = String(repeating: "a", count: 60_000)
    let pieces = (0..<300).map { #"["\#(long)\#($0)",-1]"# }.joined(separator: ",")
    let words = (0..<300).map { #""\#(long)\#($0)":\#($0)"# }.joined(separator: ",")
    let added = (0..<300).map { #"{"id":\#($0),"content":"\#(long)\#($0)"}"# }
    let refused: [() throws -> Void] = [
      { _ = try Tokenizer(wordPieces: lines + [10], settings: nil) },
      {
        let word = String(repeating: "YWFh", count: 30_000)
        _ = try Tokenizer(ranks: Array("\(word) 0".utf8), name: "gpt2")
      },
      {
        let pairs = Array(String(repeating: "a a\n", count: 2 * most + 1).utf8)
        _ = try Tokenizer(words: Array(#"{"a":0,"aa":1}"#.utf8), merges: pairs, settings: nil)
      },
      {
        _ = try Tokenizer(
          tokenizerJSON: file(model: #"{"type":"Unigram","unk_id":0,"vocab":[\#(pieces)]}"#))
      },
      {
        _ = try Tokenizer(
          tokenizerJSON: file(
            model: #"{"type":"WordLevel","unk_token":"x","vocab":{\#(words)}}"#))
      },
      {
        _ = try Tokenizer(
          tokenizerJSON: file(#","added_tokens":[\#(added.joined(separator: ","))]"#))
      },
      {
        let piece = [UInt8](long.utf8)
        let length: [UInt8] = [0xE0, 0xD4, 0x03]
        let field: [UInt8] = [0x0A, 0xE4, 0xD4, 0x03, 0x0A] + length + piece
        _ = try Tokenizer(sentencePiece: Array(repeatElement(field, count: 300).joined()))
      },
    ]
    for (index, read) in refused.enumerated() {
      let error = #expect(throws: CheckpointError.self, "\(index)") { try read() }
      #expect(error?.description.contains("the limit is") == true, "\(index)")
    }
  }

  @Test func `ranks without a known way to cut are not supported`() {
    let error = #expect(throws: CheckpointError.self) {
      try Tokenizer(ranks: Array("YQ== 0\n".utf8), name: "mine.tiktoken")
    }
    #expect(error?.category == .unsupported)
  }

  @Test func `what is unknown and has no token is refused`() throws {
    let model = #"{"type":"WordLevel","vocab":{"a":0},"unk_token":"<unk>"}"#
    let tokenizer = try Tokenizer(tokenizerJSON: file(model: model))
    #expect(throws: CheckpointError.self) { try tokenizer.encode("b") }
  }
}
