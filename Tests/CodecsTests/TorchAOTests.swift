import Codecs
import Containers
import TensorCore
import TestSupport
import Testing

/// What torchao packs in 4 bits is decoded where its bytes say how, and else refused by name.
@Suite struct TorchAOTests {
  private func group() throws -> (parts: [Tensor], config: JSONValue) {
    let checkpoint = try Checkpoint.open(fixture("codecs/torchao/packed_int4"))
    let parts = checkpoint.tensors.tensors.filter { $0.name.text.contains(".up_proj.") }
    return (parts, try #require(checkpoint.config?.value))
  }

  private func fault(_ parts: [Tensor], _ config: JSONValue? = nil) -> CheckpointError? {
    #expect(throws: CheckpointError.self) {
      try PlainTable(TensorTable(parts), config: config)
    }
  }

  private func part(_ name: String, _ dtype: DType, _ shape: [Int]) throws -> Tensor {
    let count = try #require(dtype.byteCount(shape: shape))
    return Tensor(TensorName(name), dtype, shape, bytes: [UInt8](repeating: 1, count: count))
  }

  @Test func `in single precision each step is rounded as torchao does it`() throws {
    let path = fixture("codecs/torchao/packed_f32.safetensors")
    let all = try Checkpoint.open(path).tensors.tensors
    let parts = all.filter { $0.name.text.hasPrefix("m.") }
    let found = try #require(PlainTable(TensorTable(parts), config: nil).coded.first?.tensor)
    let numbers = try #require(all.first { $0.name == "numbers" })
    #expect(found.dtype == .f32 && found.shape == numbers.shape)
    #expect(try SHA256.digest(of: found) == SHA256.digest(of: numbers))
  }

  @Test func `experts in one tensor are matrices one behind the other`() throws {
    let (parts, config) = try group()
    let whole = try #require(PlainTable(TensorTable(parts), config: config).coded.first?.tensor)
    #expect(whole.shape == [96, 64])
    // The same matrix twice: groups of the second one lie behind all of the first.
    let twice = try parts.map { part in
      let bytes = try part.bytes.read(0..<part.byteCount)
      return Tensor(part.name, part.dtype, [2] + part.shape, bytes: bytes + bytes)
    }
    let found = try #require(PlainTable(TensorTable(twice), config: config).coded.first?.tensor)
    #expect(found.shape == [2, 96, 64])
    let expected = try whole.bytes.read(0..<whole.byteCount)
    #expect(try found.bytes.read(0..<found.byteCount) == expected + expected)
  }

  @Test func `groups are as the config says, or all alike and a power of two`() throws {
    let (parts, config) = try group()
    let said = try #require(PlainTable(TensorTable(parts), config: config).coded.first?.tensor)
    let unsaid = try #require(PlainTable(TensorTable(parts), config: nil).coded.first?.tensor)
    #expect(try SHA256.digest(of: said) == SHA256.digest(of: unsaid))
    // 192 inputs in two groups: one of 128 and one of 64, or nothing that is known.
    let odd = try [
      part("m._weight_qdata", .i8, [4, 96]), part("m._weight_scale", .bf16, [2, 4]),
      part("m._weight_zero_point", .bf16, [2, 4]),
    ]
    #expect(fault(odd)?.problem.text.contains("bytes of two codes") == true)
    let fixed: JSONValue = [
      "quantization_config": [
        "quant_type": ["default": ["_type": "Float8DynamicActivationInt4WeightConfig"]]
      ]
    ]
    let shape = try PlainTable(TensorTable(odd), config: fixed).coded.first?.tensor.shape
    #expect(shape == [4, 192])
  }

  @Test func `groups by rows in the place of groups by columns are refused`() throws {
    let (parts, config) = try group()
    let turned = parts.map { part in
      part.dtype == .i8
        ? part
        : Tensor(
          name: part.name, dtype: part.dtype, shape: part.shape.reversed(), bytes: part.bytes)
    }
    #expect(fault(turned, config)?.problem.text.contains("bytes of two codes") == true)
  }

  @Test func `what is packed for one kind of processor is refused by name`() throws {
    let tiles = try fault([
      part("m._weight_qdata", .i32, [8, 8, 32, 4]),
      part("m._weight_scale_and_zero", .bf16, [32, 64, 2]),
    ])
    #expect(tiles?.problem.text.contains("Int4TilePackedTo4dTensor") == true)
    #expect(tiles?.tensor == "m._weight_qdata" && tiles?.advice != nil)
    let words = try fault([
      part("m._weight_qdata", .i32, [8, 8]), part("m._weight_scale", .bf16, [2, 8]),
      part("m._weight_zero_point", .i8, [2, 8]),
    ])
    #expect(words?.problem.text.contains("Int4PlainInt32Tensor") == true)
    let (parts, config) = try group()
    let scaled =
      try parts + [
        part("model.layers.0.mlp.up_proj._weight_act_pre_scale", .bf16, [64])
      ]
    #expect(fault(scaled, config)?.problem.text.contains("act_pre_scale") == true)
  }
}
