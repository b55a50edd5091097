import Decoders
import Models
import TensorCore
import Testing

@Suite struct GPTBigCodeTests {
  private static let sizes: [String: JSONValue] = [
    "vocab_size": 13, "n_embd": 8, "n_head": 2, "n_layer": 1,
  ]

  private func bigCode(_ members: [String: JSONValue] = [:]) throws -> GPTBigCode {
    try model(GPTBigCode.self, Self.sizes.merging(members) { $1 })
  }

  @Test(arguments: [(true, 4), (false, 8)])
  func `heads share one of keys, or have their own`(_ sharesKeys: Bool, _ rows: Int) throws {
    let model = try bigCode(["multi_query": .bool(sharesKeys)])
    let key = model.declaration().slots.first { $0.path.hasSuffix("key.weight") }
    #expect(key?.shape == [rows, 8])
    #expect(model.dimensions == ["head_size": 4, "group_size": sharesKeys ? 8 : 4])
  }

  @Test func `cross-attention is refused`() throws {
    let error = try #require(fault { _ = try bigCode(["add_cross_attention": true]) })
    #expect(error.description.contains("cross-attention (add_cross_attention) is not supported"))
  }
}
