import Decoders
import Models
import TensorCore
import Testing

@Suite struct GraniteTests {
  private static let sizes: [String: JSONValue] = [
    "vocab_size": 13, "hidden_size": 16, "num_attention_heads": 4, "num_hidden_layers": 1,
    "intermediate_size": 12,
  ]

  private func made(_ members: [String: JSONValue] = [:]) throws -> Granite {
    try model(Granite.self, Self.sizes.merging(members) { $1 }, storing: [])
  }

  @Test func `logits are divided, the others are factors, and each is 1 if it is not there`() throws
  {
    let usual = try made().form
    #expect(usual.embedding.factor == 1 && usual.head.factor == 1)
    #expect(usual.blocks[0].residualFactor == 1 && usual.blocks[0].attention.scale == 1)
    let form = try made([
      "embedding_multiplier": 12, "attention_multiplier": .double(0.5),
      "residual_multiplier": .double(0.25), "logits_scaling": 8,
    ]).form
    #expect(form.embedding.factor == 12 && form.head.factor == 0.125)
    #expect(form.blocks[0].residualFactor == 0.25 && form.blocks[0].attention.scale == 0.5)
  }

  @Test func `nothing is divided by 0`() throws {
    let error = fault { _ = try made(["logits_scaling": 0]) }
    #expect(error?.description.contains("logits_scaling must not be 0") == true)
  }
}
