import Decoders
import Kernels
import Models
import TensorCore
import Testing

@Suite struct OPTTests {
  private static let sizes: [String: JSONValue] = [
    "vocab_size": 13, "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1,
    "ffn_dim": 6, "max_position_embeddings": 5,
  ]

  private func opt(
    _ members: [String: JSONValue] = [:], storing paths: Set<String> = []
  ) throws -> OPT {
    try model(OPT.self, Self.sizes.merging(members) { $1 }, storing: paths)
  }

  private func shapes(of model: OPT) -> [String: [Int]] {
    Dictionary(uniqueKeysWithValues: model.declaration().slots.map { ($0.path, $0.shape) })
  }

  @Test func `words of another width are projected, and back`() throws {
    let found = shapes(of: try opt(["word_embed_proj_dim": 3]))
    #expect(found["embeddings.word.weight"] == [13, 3])
    #expect(found["embeddings.projection.weight"] == [8, 3])
    #expect(found["decoder.projection.weight"] == [3, 8])
    #expect(found["lm_head.weight"] == [13, 3])
    let usual = shapes(of: try opt(["word_embed_proj_dim": 8]))
    #expect(usual["embeddings.projection.weight"] == nil)
    #expect(usual == shapes(of: try opt(["word_embed_proj_dim": .null])))
  }

  /// The last normalisation is there unless those of the blocks come after, or it was taken away.
  @Test(
    arguments: [
      ([:], true), (["do_layer_norm_before": false], false),
      (["_remove_final_layer_norm": true], false),
      (["layer_norm_elementwise_affine": false], false),
    ] as [([String: JSONValue], Bool)])
  func `the last normalisation has weights, or not`(
    _ members: [String: JSONValue], _ isThere: Bool
  ) throws {
    let found = shapes(of: try opt(members))
    #expect((found["decoder.norm.weight"] != nil) == isThere)
    #expect((found["decoder.norm.bias"] != nil) == isThere)
  }

  @Test func `padding does not count as a position`() throws {
    let model = try opt()
    func positions(_ mask: [Int]?, given: [Int]? = nil) throws -> [Int]? {
      var inputs = ModelInputs(["input_ids": NDArray(shape: [1, 6], repeating: 0)])
      inputs["attention_mask"] = mask.map { NDArray(shape: [1, 6], elements: $0) }
      inputs["position_ids"] = given.map { NDArray(shape: [1, 6], elements: $0) }
      return try model.prepare(inputs)["position_ids"]?.elements
    }
    #expect(try positions([0, 0, 1, 1, 0, 1]) == [-1, -1, 0, 1, -1, 2])
    // Six ids are more than there are positions, unless one of them is padding.
    #expect(throws: CheckpointError.self) { try positions(nil) }
    #expect(throws: CheckpointError.self) { try positions([1, 1, 1, 1, 1, 1]) }
    #expect(try positions([1, 1, 1, 0, 1, 1])?.last == 4)
    let own = [-1, 0, 4, 3, 2, 1]
    #expect(try positions(nil, given: own) == own)
    #expect(throws: CheckpointError.self) { try positions(nil, given: [-2, 0, 0, 0, 0, 0]) }
    #expect(throws: CheckpointError.self) { try positions(nil, given: [5, 0, 0, 0, 0, 0]) }
  }

  @Test func `heads share the width`() throws {
    let error = try #require(fault { _ = try opt(["num_attention_heads": 3]) })
    #expect(error.description.contains("hidden_size 8 is not a multiple of num_attention_heads 3"))
  }
}
