import Decoders
import Models
import TensorCore
import Testing

@Suite struct BLOOMTests {
  private static let sizes: [String: JSONValue] = ["vocab_size": 13, "n_layer": 1, "n_head": 2]

  private func bloom(_ members: [String: JSONValue] = [:]) throws -> BLOOM {
    try model(BLOOM.self, Self.sizes.merging(members) { $1 })
  }

  @Test func `extents have two names`() throws {
    let old: [String: JSONValue] = [
      "vocab_size": 13, "n_embed": 8, "num_attention_heads": 2, "num_hidden_layers": 1,
    ]
    #expect(try model(BLOOM.self, old) == bloom(["hidden_size": 8]))
    let error = try #require(fault { _ = try bloom(["hidden_size": 8, "n_embed": 16]) })
    #expect(error.description.contains("hidden_size is 8, but n_embed"), "\(error)")
  }

  /// Sums of slices lack the outputs' biases in transformers; a sum of one slice is none.
  @Test func `sums of slices are refused`() throws {
    #expect(try bloom(["slow_but_exact": true]) == bloom())
    #expect(try bloom(["pretraining_tp": 4]) == bloom())
    let error = try #require(
      fault { _ = try bloom(["slow_but_exact": true, "pretraining_tp": 2]) })
    #expect(error.description.contains("slow_but_exact with a pretraining_tp above 1"), "\(error)")
  }
}
