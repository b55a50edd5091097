import Hearing
import Kernels
import Models
import TensorCore
import Testing

@Suite struct Wav2Vec2Tests {
  private func refusal(_ config: [String: JSONValue]) -> String? {
    fault { _ = try model(Wav2Vec2<PlainWav2Vec2>.self, config) }?.description
  }

  @Test func `what is not computed is refused`() {
    #expect(refusal(["add_adapter": true])?.contains("add_adapter is true") == true)
    #expect(refusal(["adapter_attn_dim": 16])?.contains("adapter_attn_dim") == true)
    #expect(
      fault { _ = try model(Wav2Vec2<HuBERT>.self, ["conv_pos_batch_norm": true]) }?
        .description.contains("conv_pos_batch_norm is true") == true)
  }

  @Test func `lists of convolutions are equally long, and extents divide the width`() {
    #expect(refusal(["conv_dim": [512, 512]])?.contains("of the same length") == true)
    #expect(refusal(["conv_stride": [5, 2, 2, 2, 2, 2, 0]])?.contains("conv_stride") == true)
    #expect(refusal(["num_conv_pos_embedding_groups": 7])?.contains("groups") == true)
    #expect(refusal(["num_attention_heads": 7])?.contains("num_attention_heads") == true)
    #expect(
      fault {
        _ = try model(Wav2Vec2<Wav2Vec2Conformer>.self, ["conv_depthwise_kernel_size": 4])
      }?.description.contains("must be odd") == true)
    #expect(
      fault {
        _ = try model(
          Wav2Vec2<Wav2Vec2Conformer>.self,
          [
            "position_embeddings_type": "rotary", "hidden_size": 48, "num_attention_heads": 16,
            "num_conv_pos_embedding_groups": 4,
          ])
      }?.description.contains("cannot be turned") == true)
  }

  @Test func `buckets and kinds of positions that cannot be are refused`() {
    func refusal<Model: Architecture>(_: Model.Type, _ config: [String: JSONValue]) -> String? {
      fault { _ = try model(Model.self, config) }?.description
    }
    #expect(
      refusal(Wav2Vec2<WavLM>.self, ["num_buckets": 8, "max_bucket_distance": 2])?
        .contains("must be above a quarter of num_buckets 8") == true)
    #expect(refusal(Wav2Vec2<WavLM>.self, ["num_buckets": 3])?.contains("num_buckets") == true)
    #expect(
      refusal(Wav2Vec2<Wav2Vec2Conformer>.self, ["position_embeddings_type": "relative_key"])?
        .contains("position_embeddings_type \"relative_key\" is not supported") == true)
    #expect(refusal(Wav2Vec2BERT.self, ["add_adapter": true])?.contains("add_adapter") == true)
    #expect(
      refusal(Wav2Vec2BERT.self, ["conv_depthwise_kernel_size": 4])?.contains("must be odd") == true
    )
  }

  @Test func `a sound of which no frame is made is refused`() throws {
    let model = try model(Wav2Vec2<PlainWav2Vec2>.self, [:])
    func fault(_ count: Int, mask: [Int]? = nil) -> String? {
      var inputs = ModelInputs(
        [:],
        numbers: [
          "input_values": NDArray(
            shape: [1, count], elements: [Double](repeating: 1, count: count))
        ])
      if let mask { inputs["attention_mask"] = NDArray(shape: [1, count], elements: mask) }
      do {
        _ = try model.prepare(inputs)
        return nil
      } catch {
        return error.description
      }
    }
    // Seven convolutions see 400 samples.
    #expect(fault(400) == nil)
    #expect(fault(399)?.contains("is 399 samples long, a frame is made of 400") == true)
    let short = Array(repeating: 1, count: 399) + Array(repeating: 0, count: 101)
    #expect(
      fault(500, mask: short)?.contains("attention_mask leaves fewer samples in row 0") == true)
  }

  @Test func `a probe has as many frames as it is asked for`() throws {
    let model = try model(Wav2Vec2<PlainWav2Vec2>.self, [:])
    #expect(model.probe(longest: 10).numbers["input_values"]?.shape == [2, 400 + 9 * 320])
    #expect(model.probe(longest: 10)["attention_mask"]?.shape == [2, 400 + 9 * 320])
  }
}
