import Hearing
import Kernels
import Models
import TensorCore
import Testing

@Suite struct ParakeetTests {
  private func refusal(_ config: [String: JSONValue]) -> String? {
    fault { _ = try model(ParakeetEncoder.self, config) }?.description
  }

  @Test func `what transformers would not build is refused`() {
    #expect(refusal([:]) == nil)
    #expect(refusal(["conv_kernel_size": 4])?.contains("conv_kernel_size must be odd") == true)
    #expect(
      refusal(["subsampling_conv_kernel_size": 4])?.contains("kernel_size must be odd") == true)
    #expect(
      refusal(["subsampling_factor": 1])?.contains("subsampling_factor must be from 2") == true)
    #expect(refusal(["num_mel_bins": 84])?.contains("cannot be divided 3 times") == true)
    #expect(refusal(["num_mel_bins": 4])?.contains("cannot be divided 3 times") == true)
    #expect(refusal(["num_attention_heads": 7])?.contains("num_attention_heads") == true)
    #expect(
      refusal(["hidden_size": 21, "num_attention_heads": 3])?.contains("must be even") == true)
    #expect(refusal(["num_key_value_heads": 4])?.contains("num_key_value_heads") == true)
  }

  @Test func `the encoder of a model with scores is read from its part of the config`() {
    let error = fault {
      _ = try model(ParakeetCTC.self, ["encoder_config": ["conv_kernel_size": 4]])
    }
    #expect(error?.description.contains("encoder_config: conv_kernel_size must be odd") == true)
  }

  @Test func `a factor that is no power of two has convolutions for the one below`() throws {
    let model = try model(ParakeetEncoder.self, ["subsampling_factor": 7])
    guard case .bands(let form) = model.form.source else { return #expect(Bool(false)) }
    #expect(form.layers == 2)
    #expect(model.inputs.map(\.shapeText) == ["[batch, frames, 80]", "[batch, frames]"])
  }

  @Test func `sounds of no frame are refused, and a probe has as many as it is asked for`() throws {
    let model = try model(ParakeetEncoder.self, [:])
    #expect(model.probe(longest: 10).numbers["input_features"]?.shape == [2, 73, 80])
    var inputs = ModelInputs(
      [:], numbers: ["input_features": NDArray(shape: [1, 3, 80], repeating: 1)])
    inputs["attention_mask"] = NDArray(shape: [1, 3], elements: [0, 0, 0])
    let error = fault { _ = try model.prepare(inputs) }
    #expect(error?.description.contains("leaves fewer frames in row 0") == true)
  }
}
