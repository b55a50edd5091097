import Kernels
import Models
import SystemPackage
import TestSupport
import Testing
import TransformerKit

/// What texts become before a model reads them.
@Suite struct TextInputsTests {
  /// A tokenizer whose words are `w0`, `w1`, …, and which says which of two texts a token is of.
  private func inputs(_ name: String, _ text: String) throws -> ModelInputs {
    let scratch = ScratchFolder()
    let words = (0..<30).map { "\"w\($0)\":\($0)" }.joined(separator: ",")
    let tokenizer = """
      {"model":{"type":"WordLevel","unk_token":"w0","vocab":{\(words)}},
       "pre_tokenizer":{"type":"WhitespaceSplit"}}
      """
    scratch.write(Array(tokenizer.utf8), to: "tokenizer.json")
    return try openModel(name).inputs(text, FoundTokenizer(scratch.path))
  }

  @Test func `a model with a table of types gets those of the tokenizer`() throws {
    let found = try inputs("bert/base", "w3 w1 w2")
    #expect(found["input_ids"]?.elements == [3, 1, 2])
    #expect(found["token_type_ids"]?.elements == [0, 0, 0])
    #expect(found["attention_mask"]?.elements == [1, 1, 1])
  }

  /// There, token 0's vector would be added everywhere.
  @Test(arguments: [
    "gpt2/base", "gpt1/base", "gptj/base", "gptneo/base", "codegen/base", "gptbigcode/base",
  ])
  func `a model that looks types up among the words gets none`(_ name: String) throws {
    let found = try inputs(name, "w3 w1 w2")
    #expect(found["input_ids"]?.elements == [3, 1, 2])
    #expect(found["token_type_ids"] == nil)
  }
}
