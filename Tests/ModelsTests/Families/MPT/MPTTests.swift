import Decoders
import Models
import TensorCore
import Testing

@Suite struct MPTTests {
  private static let sizes: [String: JSONValue] = [
    "vocab_size": 13, "d_model": 8, "n_heads": 2, "n_layers": 1,
  ]

  private func mpt(_ members: [String: JSONValue] = [:]) throws -> MPT {
    try model(MPT.self, Self.sizes.merging(members) { $1 })
  }

  @Test func `what transformers ignores has no effect, what it heeds has one`() throws {
    let plain = try mpt()
    #expect(try mpt(["attn_config": ["alibi_bias_max": 16, "qk_ln": true]]) == plain)
    #expect(try mpt(["attn_config": .null, "expansion_ratio": 2, "logit_scale": 2]) == plain)
    #expect(try mpt(["attn_config": ["clip_qkv": 0]]) == plain)
    #expect(try mpt(["attn_config": ["clip_qkv": 6]]) != plain)
    #expect(try mpt(["attn_config": ["softmax_scale": .double(0.5)]]) != plain)
  }

  @Test func `a class has two spellings`() throws {
    let model = try mpt(["architectures": ["MPTForCausalLM"]])
    #expect(model.head == "MptForCausalLM" && model.generation?.longest == 2048)
  }

  @Test func `there are no biases`() throws {
    let paths = try mpt().declaration().slots.map(\.path)
    #expect(!paths.isEmpty && !paths.contains { $0.hasSuffix("bias") })
  }
}
