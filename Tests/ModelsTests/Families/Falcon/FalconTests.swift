import Decoders
import Models
import TensorCore
import Testing

@Suite struct FalconTests {
  private static let sizes: [String: JSONValue] = [
    "vocab_size": 13, "hidden_size": 16, "num_attention_heads": 4, "num_hidden_layers": 1,
  ]

  private func falcon(_ members: [String: JSONValue] = [:]) throws -> Falcon {
    try model(Falcon.self, Self.sizes.merging(members) { $1 })
  }

  private func block(_ model: Falcon) -> Set<String> {
    Set(
      model.declaration().slots.map { $0.path.replacing("decoder.blocks.0.", with: "") }
        .filter { $0.hasSuffix("norm.weight") && !$0.hasPrefix("decoder") })
  }

  private func keyRows(_ model: Falcon) -> Int? {
    model.declaration().slots.first { $0.path.hasSuffix("key.weight") }?.shape[0]
  }

  @Test(
    arguments: [
      ([:], 4, 1), (["multi_query": false], 16, 1), (["parallel_attn": false], 4, 2),
      (["multi_query": .null, "parallel_attn": .null], 16, 2),
      (["new_decoder_architecture": true], 16, 2),
      (["new_decoder_architecture": true, "num_kv_heads": 2], 8, 2),
      (["new_decoder_architecture": true, "num_ln_in_parallel_attn": 1], 16, 1),
      (["num_kv_heads": 3], 4, 1),
    ] as [([String: JSONValue], Int, Int)])
  func `flags say how many heads of keys and normalisations there are`(
    _ members: [String: JSONValue], _ rows: Int, _ norms: Int
  ) throws {
    let model = try falcon(members)
    #expect(keyRows(model) == rows)
    #expect(block(model).count == norms)
  }

  /// Side by side and one behind the other they have other names.
  @Test func `two normalisations side by side are told from others`() throws {
    #expect(try falcon(["new_decoder_architecture": true]).dimensions["parallel_norms"] == 2)
    #expect(try falcon(["parallel_attn": false]).dimensions["parallel_norms"] == nil)
    #expect(try falcon().dimensions["parallel_norms"] == nil)
  }

  @Test func `with ALiBi there are no rotary positions`() throws {
    let plain = try falcon(["alibi": true])
    #expect(try falcon(["alibi": true, "rope_theta": 500]) == plain)
    #expect(plain.inputs.map(\.name) == ["input_ids", "attention_mask"])
    #expect(try falcon().inputs.map(\.name).contains("position_ids"))
  }

  @Test(
    arguments: [
      (["new_decoder_architecture": true, "parallel_attn": false], "needs parallel_attn"),
      (["num_ln_in_parallel_attn": 2], "needs new_decoder_architecture"),
      (["new_decoder_architecture": true, "num_ln_in_parallel_attn": 3], "must be 1 or 2, is 3"),
      (
        ["new_decoder_architecture": true, "num_kv_heads": 3], "is not a multiple of num_kv_heads 3"
      ),
      (["multi_query": false, "num_kv_heads": 2], "num_kv_heads 2 other than"),
      (["num_attention_heads": 6], "hidden_size 16 is not a multiple of num_attention_heads 6"),
    ] as [([String: JSONValue], String)])
  func `what transformers cannot run is refused`(
    _ members: [String: JSONValue], _ expected: String
  ) throws {
    let error = try #require(fault { _ = try falcon(members) })
    #expect(error.description.contains(expected), "\(error)")
  }
}
