import EncoderDecoders
import Kernels
import Models
import TensorCore
import Testing

@Suite struct TorchTransformerTests {
  private static let sizes: [String: JSONValue] = [
    "architectures": ["Transformer"], "d_model": 4, "nhead": 2, "num_encoder_layers": 1,
    "num_decoder_layers": 1, "dim_feedforward": 3,
  ]

  private func transformer(_ changes: [String: JSONValue] = [:]) throws -> TorchTransformer {
    try model(TorchTransformer.self, Self.sizes.merging(changes) { $1 })
  }

  @Test func `a config says what names do not show, and is as torch without`() throws {
    #expect(try transformer() == transformer(["norm_first": false, "activation": "relu"]))
    for changes in [
      ["norm_first": true], ["activation": "gelu"], ["nhead": 1], ["bias": false],
      ["layer_norm_eps": .double(0.5)], ["src_is_causal": true], ["tgt_is_causal": false],
    ] as [[String: JSONValue]] {
      #expect(try transformer() != transformer(changes), "\(changes)")
    }
    #expect(try transformer() == transformer(["src_is_causal": false, "tgt_is_causal": true]))
  }

  @Test func `heads divide the width`() throws {
    let error = try #require(fault { _ = try transformer(["nhead": 3]) })
    #expect("\(error) \(error.details)".contains("d_model 4 is not a multiple of nhead 3"))
  }

  @Test func `masks and vectors of two sequences fit each other`() throws {
    func faults(_ masks: [String: [Int]], width: Int = 4) throws -> String {
      var inputs = ModelInputs(
        masks.mapValues { NDArray(shape: [1, $0.count], elements: $0) })
      for (name, length) in [("src", 3), ("tgt", 2)] {
        inputs.numbers[name] = NDArray(
          shape: [1, length, width],
          elements: (0..<length * width).map { Double($0) })
      }
      let model = try transformer()
      let error = fault { _ = try model.prepare(inputs) }
      return error.map { "\($0) \($0.details)" } ?? ""
    }
    #expect(try faults([:]) == "")
    #expect(
      try faults(["src_attention_mask": [1, 1, 0], "memory_attention_mask": [1, 1, 0]]) == "")
    #expect(try faults(["tgt_attention_mask": [1, 0]]) == "")
    #expect(try faults(["tgt_attention_mask": [1, 1, 0]]).contains("must be [1, 2]"))
    #expect(try faults(["memory_attention_mask": [1, 1]]).contains("must be [1, 3]"))
    #expect(try faults([:], width: 5).contains("src is [1, 3, 5]"))
  }
}
