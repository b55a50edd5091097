import Decoders
import Kernels
import Models
import TensorCore
import Testing

@Suite struct OLMoTests {
  private static let sizes: [String: JSONValue] = [
    "vocab_size": 13, "hidden_size": 16, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 12, "num_hidden_layers": 4,
  ]

  private func made<Member>(
    _: Member.Type, _ members: [String: JSONValue] = [:]
  ) throws -> OLMo<Member> {
    try model(OLMo<Member>.self, Self.sizes.merging(members) { $1 }, storing: [])
  }

  private func norms(of model: some Architecture) -> [String: [Int]] {
    Dictionary(
      model.declaration().slots.filter { $0.path.contains("norm") && !$0.path.contains("s.1.") }
        .map { ($0.path.replacing("decoder.blocks.0.", with: ""), $0.shape) }
    ) { first, _ in first }.filter { !$0.key.hasPrefix("decoder.blocks") }
  }

  @Test func `the first has no weights of norms, the others have those of results`() throws {
    #expect(norms(of: try made(OLMo1.self)) == [:])
    #expect(
      norms(of: try made(OLMo2.self)) == [
        "attention.query_norm.weight": [16], "attention.key_norm.weight": [8],
        "attention_post_norm.weight": [16], "feed_forward_post_norm.weight": [16],
        "decoder.norm.weight": [16],
      ])
  }

  @Test func `three layers of four have a window, and a base that is not the stated one`() throws {
    let model = try made(OLMo3.self, ["sliding_window": 7, "rope_theta": 100])
    #expect(model.form.blocks.map(\.attention.shape.window) == [7, 7, 7, nil])
    #expect(model.form.blocks.map(\.attention.rotary) == [1, 1, 1, 0])
    #expect(model.form.rotaries.map(\.base) == [100, 500_000])
  }
}
