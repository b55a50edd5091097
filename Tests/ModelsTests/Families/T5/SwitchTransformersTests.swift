import EncoderDecoders
import Kernels
import Models
import TensorCore
import Testing

@Suite struct SwitchTransformersTests {
  private typealias Switch = T5Architecture<SwitchTransformers>

  private func switchTransformers(
    _ head: String = "SwitchTransformersForConditionalGeneration",
    _ members: [String: JSONValue] = [:]
  ) throws -> Switch {
    let sizes: [String: JSONValue] = [
      "vocab_size": 13, "d_model": 8, "d_kv": 3, "num_heads": 2, "d_ff": 12, "num_layers": 4,
      "num_decoder_layers": 6, "num_experts": 3, "expert_capacity": 200,
      "decoder_start_token_id": 0, "architectures": [.string(head)],
    ]
    return try model(Switch.self, sizes.merging(members) { $1 })
  }

  private func of(_ members: [String: JSONValue]) throws -> Switch {
    try switchTransformers("SwitchTransformersForConditionalGeneration", members)
  }

  @Test(
    arguments: [
      (
        "SwitchTransformersModel", ["router_dtype": "bfloat16"],
        "router_dtype \"bfloat16\" is not supported; \"float32\" is"
      ),
      ("SwitchTransformersModel", ["expert_capacity": 0], "expert_capacity must be from 1"),
      ("SwitchTransformersModel", ["num_experts": 20000], "num_experts must be from 1 to 16384"),
      (
        "SwitchTransformersModel",
        ["num_experts": 16384, "num_layers": 12, "num_sparse_encoder_layers": 12],
        "layers of 16384 experts are more than are believed"
      ),
      ("SwitchTransformersModel", ["num_sparse_encoder_layers": -1], "must be from 0"),
      ("SwitchTransformersModel", ["dense_act_fn": "gated-gelu"], "dense_act_fn"),
      (
        "SwitchTransformersForTokenClassification", [:],
        "the class \"SwitchTransformersForTokenClassification\" is not supported"
      ),
    ] as [(String, [String: JSONValue], String)])
  func `what cannot be is refused`(
    _ head: String, _ members: [String: JSONValue], _ expected: String
  ) throws {
    let error = try #require(fault { _ = try switchTransformers(head, members) })
    #expect(error.description.contains(expected), "\(error)")
  }

  private func sparse(_ members: [String: JSONValue]) throws -> (encoder: [Int], decoder: [Int]) {
    let model = try of(members)
    let experts = model.declaration().layers.compactMap { path, fact -> [Substring]? in
      if case .experts = fact { path.split(separator: ".") } else { nil }
    }
    func layers(_ stack: String) -> [Int] {
      experts.filter { $0[0] == stack }.compactMap { Int($0[2]) }.sorted()
    }
    return (layers("encoder"), layers("decoder"))
  }

  /// As transformers counts them, where none is one if there are two layers or more.
  @Test func `which layers have experts follows from their number, or from a step`() throws {
    let usual = try sparse([:])
    #expect(usual.encoder == [0, 1, 2, 3] && usual.decoder == [1, 3, 5])
    let few = try sparse(["num_sparse_encoder_layers": 2, "num_sparse_decoder_layers": 0])
    #expect(few.encoder == [1, 3] && few.decoder == [1])
    let many = try sparse(["num_sparse_encoder_layers": 5, "num_sparse_decoder_layers": 7])
    #expect(many.encoder.isEmpty && many.decoder.isEmpty)
    let steps = try sparse(["encoder_sparse_step": 3, "decoder_sparse_step": 4])
    #expect(steps.encoder == [1] && steps.decoder == [1, 5])
  }

  @Test func `the decoder has twelve layers unless the config says otherwise`() throws {
    func layers(_ members: [String: JSONValue]) throws -> Int {
      let sizes: [String: JSONValue] = [
        "vocab_size": 13, "d_model": 8, "d_kv": 3, "num_heads": 2, "d_ff": 12, "num_layers": 2,
        "architectures": ["SwitchTransformersModel"],
      ]
      let model = try model(Switch.self, sizes.merging(members) { $1 })
      return Set(
        model.declaration().layers.keys.filter { $0.hasPrefix("decoder.blocks.") }
          .map { $0.split(separator: ".")[2] }
      ).count
    }
    #expect(try layers([:]) == 12)
    #expect(try layers(["num_decoder_layers": .null]) == 2)
  }

  @Test func `a text goes beyond what all experts take`() throws {
    #expect(try of([:]).reach == Reach(keys: 600))
    #expect(try of(["expert_capacity": 2_147_483_647]).reach.keys == 3 * 2_147_483_647)
    #expect(try of(["expert_capacity": 2_147_483_647]).farProbe(Reach(keys: .max)) == nil)
  }

  @Test func `what is drawn in training, and padding's being left out, decide nothing`() throws {
    #expect(
      try of(["router_jitter_noise": .double(0.5), "router_ignore_padding_tokens": true]) == of([:])
    )
    #expect(try of(["expert_capacity": 199]) != of([:]))
    #expect(try of(["tie_word_embeddings": false]) != of([:]))
  }
}
