import Decoders
import Kernels
import Models
import TensorCore
import Testing

@Suite struct GLMTests {
  private static let sizes: [String: JSONValue] = [
    "vocab_size": 13, "hidden_size": 12, "num_attention_heads": 4, "num_key_value_heads": 2,
    "head_dim": 8, "intermediate_size": 10, "num_hidden_layers": 1,
  ]

  private func made<Member>(
    _: Member.Type, _ members: [String: JSONValue] = [:]
  ) throws -> GLM<Member> {
    try model(GLM<Member>.self, Self.sizes.merging(members) { $1 }, storing: [])
  }

  @Test func `half of a head is turned, unless a part is stated`() throws {
    func part(_ members: [String: JSONValue]) throws -> RotaryPart? {
      try made(GLM4Chat.self, members).form.blocks[0].attention.shape.rotary
    }
    #expect(try part([:]) == RotaryPart(.pairs, size: 4))
    #expect(try part(["partial_rotary_factor": .double(0.75)]) == RotaryPart(.pairs, size: 6))
    #expect(
      try part(["rope_parameters": ["partial_rotary_factor": 1]]) == RotaryPart(.pairs, size: 8))
  }

  @Test func `the members differ in norms, and only the output has no bias`() throws {
    let chat = Set(try made(GLM4Chat.self).declaration().slots.map(\.path))
    let later = Set(try made(GLM40414.self).declaration().slots.map(\.path))
    let block = "decoder.blocks.0."
    #expect(
      later.subtracting(chat) == [
        block + "attention_post_norm.weight", block + "feed_forward_post_norm.weight",
      ])
    #expect(chat.contains(block + "attention.key.bias"))
    #expect(!chat.contains(block + "attention.output.bias"))
  }
}
