import Decoders
import Kernels
import Models
import TensorCore
import Testing

@Suite struct CohereTests {
  private static let sizes: [String: JSONValue] = [
    "vocab_size": 13, "hidden_size": 16, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 12, "num_hidden_layers": 4,
  ]

  private func made<Member>(
    _: Member.Type, _ members: [String: JSONValue] = [:]
  ) throws -> Cohere<Member> {
    try model(Cohere<Member>.self, Self.sizes.merging(members) { $1 }, storing: [])
  }

  @Test func `layers that see everything know no positions`() throws {
    let model = try made(Cohere2.self, ["sliding_window": 7])
    #expect(model.form.blocks.map(\.attention.shape.window) == [7, 7, 7, nil])
    #expect(
      model.form.blocks.map { $0.attention.shape.rotary == nil } == [false, false, false, true])
    let pairs = RotaryPart(.pairs, size: 4)
    #expect(try made(Cohere1.self).form.blocks.allSatisfy { $0.attention.shape.rotary == pairs })
  }

  @Test func `each head may have a normalisation of its own`() throws {
    let slots = try made(Cohere1.self, ["use_qk_norm": true]).declaration().slots.map(\.path)
    let block = "decoder.blocks.0.attention."
    #expect(slots.contains(block + "query_norm.3.weight"))
    #expect(slots.contains(block + "key_norm.1.weight"))
    #expect(!slots.contains(block + "key_norm.2.weight"))
    #expect(!slots.contains { $0.hasSuffix(".bias") })
  }

  @Test func `heads that no file has the weights of are not counted to their end`() throws {
    let many: [String: JSONValue] = [
      "use_qk_norm": true, "num_attention_heads": .number(1 << 30), "head_dim": 4,
    ]
    #expect(try made(Cohere1.self, many).declaration().slots.count == 1 << 19)
  }
}
