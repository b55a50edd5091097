import Decoders
import Kernels
import Models
import TensorCore
import Testing

@Suite struct XGLMTests {
  private static let sizes: [String: JSONValue] = [
    "vocab_size": 13, "d_model": 12, "attention_heads": 3, "num_layers": 1, "ffn_dim": 6,
  ]

  @Test(
    arguments: [
      (["attention_heads": 5], "d_model 12 is not a multiple of attention_heads 5"),
      (["attention_heads": 1, "d_model": 3], "d_model 3 has no frequencies of positions"),
      (["pad_token_id": -1], "pad_token_id -1 is not supported"),
      (["add_cross_attention": true], "add_cross_attention true is not supported"),
    ] as [([String: JSONValue], String)])
  func `what cannot be is refused`(_ changes: [String: JSONValue], _ expected: String) throws {
    let config = Self.sizes.merging(changes) { $1 }
    let error = try #require(fault { _ = try model(XGLM.self, config, storing: []) })
    #expect("\(error) \(error.details)".contains(expected), "\(error)")
  }

  /// Position 0 has the vector of place 2, and the place of the padding token's number is zero.
  @Test func `a padding token empties the vector of its place`() throws {
    let positions = try [JSONValue.null, 1, 2, 5].map { pad in
      try model(XGLM.self, Self.sizes.merging(["pad_token_id": pad]) { $1 }).form.embedding
        .sinusoids
    }
    #expect(positions.map { $0?.zero } == [nil, 1, 2, 5])
    #expect(positions.allSatisfy { $0?.offset == 2 && $0?.stored == 2050 })
  }

  @Test func `a position that has no place is refused`() throws {
    let model = try model(XGLM.self, Self.sizes)
    func prepare(_ position: Int) throws {
      _ = try model.prepare(
        ModelInputs([
          "input_ids": NDArray(shape: [1, 1], elements: [1]),
          "position_ids": NDArray(shape: [1, 1], elements: [position]),
        ]))
    }
    try prepare(.max - 3)
    #expect(throws: CheckpointError.self) { try prepare(.max - 2) }
    #expect(throws: CheckpointError.self) { try prepare(-1) }
  }
}
