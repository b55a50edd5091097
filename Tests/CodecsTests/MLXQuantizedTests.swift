import Codecs
import Containers
import TensorCore
import TestSupport
import Testing

/// What mlx quantises is decoded by its settings, and refused without a word less than they need.
@Suite struct MLXQuantizedTests {
  private func group(_ name: String) throws -> (parts: [Tensor], config: JSONValue) {
    let checkpoint = try Checkpoint.open(fixture("codecs/mlx/\(name)"))
    let parts = checkpoint.tensors.tensors.filter { $0.name.text.contains(".up_proj.") }
    return (parts, try #require(checkpoint.config?.value))
  }

  private func fault(_ parts: [Tensor], _ config: JSONValue?) -> String? {
    #expect(throws: CheckpointError.self) {
      try PlainTable(TensorTable(parts), config: config)
    }?.problem.text
  }

  private func settings(_ members: KeyValuePairs<String, JSONValue>) -> JSONValue {
    ["quantization": .object(members.map { JSONValue.Member($0.key, $0.value) })]
  }

  @Test func `bits and groups are the module's own, and either key may say them`() throws {
    let (parts, config) = try group("three_bits")
    let said = try #require(config["quantization"])
    #expect(try PlainTable(TensorTable(parts), config: config).coded.count == 1)
    let other = JSONValue.object([.init("quantization_config", said)])
    #expect(try PlainTable(TensorTable(parts), config: other).coded.count == 1)
    // The module has 6 bits, and all others 3.
    let all = settings(["bits": 3, "group_size": 32])
    #expect(fault(parts, all)?.contains("12 words in a row, and 3 bits in groups of 32") == true)
    // 192 bits of a group are 3 bits of 64 numbers as well, and 6 bits of 32.
    let wide = settings(["bits": 3, "group_size": 64])
    let plain = try PlainTable(TensorTable(parts), config: wide).coded
    #expect(plain.first?.tensor.shape == [96, 128])
  }

  @Test func `without settings the affine mode is refused, and the others are known`() throws {
    let (parts, _) = try group("four_bits")
    #expect(fault(parts, nil)?.contains("the config does not say in how many bits") == true)
    #expect(fault(parts, settings(["bits": 4]))?.contains("does not say") == true)
    let seven = settings(["bits": 7, "group_size": 32])
    #expect(fault(parts, seven)?.contains("7 bits, groups of 32, which mlx does not have") == true)
    let mode = settings(["bits": 4, "group_size": 32, "mode": "mxfp9"])
    #expect(fault(parts, mode)?.contains("in the mode \"mxfp9\"") == true)
    for name in ["mxfp4", "nvfp4"] {
      let (parts, config) = try group(name)
      let bare = try #require(PlainTable(TensorTable(parts), config: nil).coded.first?.tensor)
      let said = try #require(PlainTable(TensorTable(parts), config: config).coded.first?.tensor)
      #expect(try SHA256.digest(of: bare) == SHA256.digest(of: said))
      let other = settings(["bits": 4, "group_size": 64, "mode": .string(name)])
      #expect(fault(parts, other)?.contains("the config says otherwise") == true)
    }
  }

  @Test func `integers without scales are no such thing, nor codes without biases`() throws {
    let (parts, config) = try group("four_bits")
    let alone = parts.filter { !$0.name.text.hasSuffix("scales") }
    #expect(try PlainTable(TensorTable(alone), config: nil).codecs.isEmpty)
    let half = parts.filter { !$0.name.text.hasSuffix("biases") }
    #expect(fault(half, config)?.contains("up_proj.biases is missing") == true)
  }

  @Test func `experts in one tensor are matrices one behind the other`() throws {
    let (parts, config) = try group("four_bits")
    let whole = try #require(PlainTable(TensorTable(parts), config: config).coded.first?.tensor)
    let stacked = parts.map { part in
      Tensor(
        name: part.name, dtype: part.dtype, shape: [4, 24] + part.shape.dropFirst(),
        bytes: part.bytes)
    }
    let found = try #require(PlainTable(TensorTable(stacked), config: config).coded.first?.tensor)
    #expect(found.shape == [4, 24, 64] && whole.shape == [96, 64])
    #expect(try SHA256.digest(of: found) == SHA256.digest(of: whole))
  }
}
