import Kernels
import Models
import SystemPackage
import TensorCore
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

  /// Filled up at the end, and at the beginning.
  @Test(arguments: ["bert", "xlnet"])
  func `pairs become the batch that their tokenizer makes`(_ name: String) throws {
    let path = fixture("pairs/\(name)")
    let (model, golden) = (try Model(path), try Golden(path.appending("golden.npz")))
    let lines = String(decoding: readFile(path.appending("pairs.tsv")), as: UTF8.self).split(
      separator: "\n")
    let pairs = lines.map { line in
      let texts = line.split(separator: "\t").map(String.init)
      return (text: texts[0], pair: Optional(texts[1]))
    }
    #expect(pairs.count == 4)
    let found = try model.inputs(batch: pairs, FoundTokenizer(path))
    #expect(found.arrays == golden.inputs.arrays)
    #expect(try model.check(golden).isVerified)
  }

  @Test func `texts of several lengths need a token to fill them up`() throws {
    let scratch = ScratchFolder()
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
      scratch.write(readFile(fixture("pairs/bert/\(file)")), to: file)
    }
    let (model, tokenizer) = (try Model(scratch.path), try FoundTokenizer(scratch.path))
    #expect(throws: CheckpointError.self) {
      try model.inputs(batch: [("a", "b"), ("a", "b c")], tokenizer)
    }
    #expect(try model.inputs(batch: [("a", "b"), ("c", "d")], tokenizer)["input_ids"]?.rows == 2)
    // The side and the type that the file says.
    scratch.write(
      Array(#"{"pad_token": "[PAD]", "pad_token_type_id": 1, "padding_side": "left"}"#.utf8),
      to: "tokenizer_config.json")
    let filled = try Model(scratch.path).inputs(batch: [("a", "b"), ("a", "b c")], tokenizer)
    #expect(filled["attention_mask"]?.elements == [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1])
    #expect(filled["token_type_ids"]?.elements == [1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1])
  }
}
