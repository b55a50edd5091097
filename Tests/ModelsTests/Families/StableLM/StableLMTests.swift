import Decoders
import Models
import TensorCore
import Testing

@Suite struct StableLMTests {
  @Test(
    arguments: [
      ("num_attention_heads", 3, "hidden_size 16 is not num_attention_heads 3 times the size"),
      ("partial_rotary_factor", .double(0.4), "turns 3 numbers of a head"),
    ] as [(String, JSONValue, String)])
  func `what cannot be is refused`(_ key: String, _ value: JSONValue, _ expected: String) throws {
    let sizes: [String: JSONValue] = [
      "vocab_size": 13, "hidden_size": 16, "num_attention_heads": 2, "num_key_value_heads": 1,
      "num_hidden_layers": 1, "intermediate_size": 6, "qk_layernorm": true,
    ]
    let error = try #require(
      fault { _ = try model(StableLM.self, sizes.merging([key: value]) { $1 }, storing: []) })
    #expect("\(error) \(error.details)".contains(expected), "\(error)")
  }

  @Test func `a module for each of too many heads is refused`() throws {
    let sizes: [String: JSONValue] = [
      "hidden_size": 80000, "num_attention_heads": 20000, "num_key_value_heads": 20000,
      "partial_rotary_factor": .double(0.5), "qk_layernorm": true,
    ]
    let error = try #require(fault { _ = try model(StableLM.self, sizes, storing: []) })
    #expect(error.description.contains("num_attention_heads 20000 is not believed"))
  }
}
