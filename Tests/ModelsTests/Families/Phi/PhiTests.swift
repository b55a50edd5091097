import Decoders
import Kernels
import Models
import TensorCore
import Testing

@Suite struct PhiTests {
  private static let sizes: [String: JSONValue] = [
    "vocab_size": 13, "hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1,
    "intermediate_size": 6,
  ]

  private func phi(_ members: [String: JSONValue] = [:]) throws -> Phi {
    try model(Phi.self, Self.sizes.merging(members) { $1 }, storing: [])
  }

  private func phi3(_ members: [String: JSONValue] = [:]) throws -> Phi3 {
    try model(Phi3.self, Self.sizes.merging(members) { $1 }, storing: [])
  }

  private static let factors: [String: JSONValue] = [
    "short_factor": [1, 1, 1, 2], "long_factor": [1, 2, 3, 4], "rope_theta": 100,
  ]

  private func longRoPE(_ kind: String, _ more: [String: JSONValue] = [:]) -> JSONValue {
    let members = Self.factors.merging(more.merging(["rope_type": .string(kind)]) { $1 }) { $1 }
    return .object(members.map { JSONValue.Member($0.key, $0.value) })
  }

  @Test func `older names of longrope mean longrope`() throws {
    let new = try phi3(["rope_parameters": longRoPE("longrope")])
    for kind in ["su", "yarn"] {
      #expect(try phi3(["rope_parameters": longRoPE(kind)]) == new)
    }
    #expect(try phi3() != new)
  }

  @Test func `the length of the training stands beside the settings, or is that of the class`()
    throws
  {
    let beside = try phi3([
      "rope_parameters": longRoPE("longrope"), "original_max_position_embeddings": 8,
    ])
    #expect(beside.form.renewedBeyond == 8)
    let inside = try phi3([
      "rope_parameters": longRoPE("longrope", ["original_max_position_embeddings": 8])
    ])
    #expect(inside.form.renewedBeyond == 4096)
    #expect(try phi3().form.renewedBeyond == nil)
  }

  @Test(
    arguments: [
      (
        "rope_parameters", ["rope_type": "linear", "factor": 2], "rope_type \"linear\" is not known"
      ),
      ("rope_parameters", ["rope_type": "longrope"], "rope_parameters.short_factor is missing"),
      (
        "num_key_value_heads", 3, "num_attention_heads 2 is not a multiple of num_key_value_heads 3"
      ),
    ] as [(String, JSONValue, String)])
  func `what cannot be is refused`(_ key: String, _ value: JSONValue, _ expected: String) throws {
    let error = try #require(fault { _ = try phi3([key: value]) })
    #expect("\(error) \(error.details)".contains(expected), "\(error)")
  }

  @Test func `an odd count of numbers cannot be turned in Phi, and can in Phi-3`() throws {
    let odd: [String: JSONValue] = ["partial_rotary_factor": .double(0.4)]
    let error = try #require(fault { _ = try phi(odd) })
    #expect(error.description.contains("turns 3 numbers of a head"))
    #expect(try phi3(odd).form.rotaries.first?.size == 3)
  }

  @Test func `norms of queries and keys are as long as what heads share of the width`() throws {
    let error = try #require(fault { _ = try phi(["qk_layernorm": true, "head_dim": 12]) })
    #expect(error.description.contains("qk_layernorm needs a head_dim"))
    #expect(try phi(["qk_layernorm": true, "head_dim": 8]) == phi(["qk_layernorm": true]))
  }
}
