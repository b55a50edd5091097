import Decoders
import Models
import TensorCore
import Testing

@Suite struct PersimmonTests {
  @Test(
    arguments: [
      ("num_attention_heads", 5, "hidden_size 16 is not a multiple of num_attention_heads 5"),
      ("partial_rotary_factor", .double(0.4), "turns 3 numbers of a head"),
    ] as [(String, JSONValue, String)])
  func `what cannot be is refused`(_ key: String, _ value: JSONValue, _ expected: String) throws {
    let sizes: [String: JSONValue] = [
      "vocab_size": 13, "hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1,
      "intermediate_size": 6,
    ]
    let error = try #require(
      fault { _ = try model(Persimmon.self, sizes.merging([key: value]) { $1 }, storing: []) })
    #expect("\(error) \(error.details)".contains(expected), "\(error)")
  }
}
