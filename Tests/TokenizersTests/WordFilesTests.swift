import TensorCore
import Testing
import Tokenizers

/// Vocabularies without a tokenizer.json, as transformers 5.23 reads them.
@Suite struct WordFilesTests {
  @Test func `the space before a mask stays`() throws {
    let words = #"{"<s>":0,"<pad>":1,"</s>":2,"<unk>":3,"a":4,"Ġ":5,"b":6,"<mask>":7}"#
    let tokenizer = try Tokenizer(
      words: Array(words.utf8), merges: Array("#version: 0.2\n".utf8), settings: nil)
    #expect(try tokenizer.encode("a <mask> b").ids == [0, 4, 5, 7, 5, 6, 2])
  }

  /// A vocabulary of characters has that of the number 0 as soon as a text had it.
  @Test func `a word may be NUL`() throws {
    let words = #"{"<unk>":0,"a":1,"\u0000":2,"\u0000b":3}"#
    let model = #"{"type":"WordLevel","vocab":\#(words),"unk_token":"<unk>"}"#
    let tokenizer = try Tokenizer(
      tokenizerJSON: Array(
        #"{"model":\#(model),"pre_tokenizer":{"type":"WhitespaceSplit"}}"#.utf8))
    #expect(try tokenizer.encode("a \0 \0b b").ids == [1, 2, 3, 0])
    let pieces = try Tokenizer(
      words: Array(#"{"<unk>":0,"a":1,"\u0000":2}"#.utf8), merges: Array("#version: 0.2\n".utf8),
      settings: nil)
    #expect(try pieces.encode("a").ids == [1])
  }
}
