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
}
