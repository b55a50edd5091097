import EncoderDecoders
import Kernels
import Models
import TensorCore
import Testing

@Suite struct MoonshineTests {
  private func refusal(_ config: [String: JSONValue]) -> String? {
    fault { _ = try model(Moonshine.self, config) }?.description
  }

  @Test func `what transformers does not compute is refused`() {
    #expect(refusal([:]) == nil)
    #expect(refusal(["decoder_num_attention_heads": 4])?.contains("only equal ones") == true)
    #expect(refusal(["encoder_num_key_value_heads": 2])?.contains("only equal ones") == true)
    #expect(refusal(["decoder_num_key_value_heads": 8]) == nil)
    #expect(refusal(["encoder_num_attention_heads": 7])?.contains("hidden_size") == true)
    #expect(
      refusal(["partial_rotary_factor": .double(1.5)])?.contains("partial_rotary_factor") == true)
    let dynamic: JSONValue = ["rope_type": "dynamic", "factor": 2]
    #expect(refusal(["rope_scaling": dynamic])?.contains("length of a text") == true)
  }

  @Test func `a sound has as many positions as its convolutions make`() throws {
    let model = try model(Moonshine.self, [:])
    #expect(
      model.inputs.map(\.shapeText) == [
        "[batch, samples]", "[batch, samples]", "[batch, length]", "[batch, length]",
      ])
    // 895 samples are one position, and 384 more another one.
    #expect(model.probe(longest: 3).numbers["input_values"]?.shape.last == 895 + 2 * 384)
    func inputs(_ samples: Int) -> ModelInputs {
      ModelInputs(
        ["decoder_input_ids": NDArray(shape: [1, 1], elements: [1])],
        numbers: ["input_values": NDArray(shape: [1, samples], repeating: 0.5)])
    }
    _ = try model.prepare(inputs(895))
    let error = fault { _ = try model.prepare(inputs(894)) }
    #expect(error?.description.contains("894 samples long, a position is made of 895") == true)
  }
}
