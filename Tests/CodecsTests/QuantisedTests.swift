import Codecs
import Containers
import TensorCore
import TestSupport
import Testing

/// A model whose matrices were quantised, and decoded again, by their maker's own code.
struct QuantisedModel: Sendable, CustomTestStringConvertible {
  let name: String
  let codec: String
  var testDescription: String { name }

  init(_ name: String, _ codec: String? = nil) {
    self.name = name
    self.codec = codec ?? String(name.prefix { $0 != "/" })
  }

  static let all: [QuantisedModel] =
    ["symmetric", "act_order", "asymmetric", "two_bits", "three_bits", "eight_bits"].map {
      QuantisedModel("gptq/\($0)")
    }
    + ["gemm", "gemv"].map { QuantisedModel("awq/\($0)") }
    + ["four_bits", "three_bits", "five_bits", "bytes"].map {
      QuantisedModel("compressed_tensors/\($0)", "compressed-tensors")
    }
    + ["fp8_groups", "fp8_blocks", "mxfp8"].map {
      QuantisedModel("compressed_tensors/\($0)", "fp8-scales")
    }
    + ["nf4", "fp4", "eight_bits"].map { QuantisedModel("bitsandbytes/\($0)") }
    + ["compressed_tensors", "mxfp4", "mxfp6", "modelopt"].map { QuantisedModel("nvfp4/\($0)") }
    + ["int8", "int4", "int3", "float8", "packed_int4"].map { QuantisedModel("torchao/\($0)") }
    + ["bitmask", "two_four"].map { QuantisedModel("sparse/\($0)", "sparse-bitmask") } + mlx

  static let mlx = ["four_bits", "three_bits", "eight_bits", "mxfp4", "mxfp8", "nvfp4"].map {
    QuantisedModel("mlx/\($0)")
  }

  /// Where the config says how it is coded.
  var configKeys: Set<String> {
    codec == "mlx" ? ["quantization", "quantization_config"] : ["quantization_config"]
  }

  func open() throws -> (tensors: [Tensor], config: JSONValue) {
    let checkpoint = try Checkpoint.open(fixture("codecs/\(name)"))
    return (checkpoint.tensors.tensors, try #require(checkpoint.config?.value))
  }

  func plain() throws -> PlainTable {
    let (tensors, config) = try open()
    return try PlainTable(TensorTable(tensors), config: config)
  }

  /// Types, shapes and digests that the maker's code gives.
  func decoded() throws -> [JSONValue.Member] {
    let text = readFile(fixture("codecs/\(name)/decoded.json"))
    return try #require(JSONValue(parsing: text, grammar: .strict).members)
  }
}

/// GPTQ, AWQ, compressed-tensors, bitsandbytes and NVFP4 are decoded as their makers decode them.
@Suite struct QuantisedTests {
  @Test(arguments: QuantisedModel.all)
  func `every number is that of the maker's code, bit for bit`(_ model: QuantisedModel) throws {
    let plain = try model.plain()
    let decoded = try model.decoded()
    #expect(plain.codecs.map(\.name) == [model.codec])
    #expect(plain.codecs.map(\.count) == [decoded.count] && decoded.count >= 6)
    #expect(plain.configKeys == model.configKeys)
    for expected in decoded {
      let tensor = try #require(plain.tensors[TensorName(expected.key)])
      let facts = try #require(expected.value.elements)
      #expect(tensor.dtype.name == facts[0].string)
      #expect(tensor.shape == facts[1].elements?.compactMap(\.int))
      #expect(try SHA256.digest(of: tensor) == facts[2].string, "\(expected.key)")
    }
    // What is left as it was, and nothing else, stays.
    let (stored, _) = try model.open()
    let parts = Set(plain.coded.flatMap { $0.stored.map(\.name) })
    let whole = stored.filter { !parts.contains($0.name) }.map(\.name)
    #expect(whole.contains("model.layers.0.self_attn.o_proj.weight"))
    #expect(
      Set(plain.tensors.tensors.map(\.name)) == Set(whole + decoded.map { TensorName($0.key) }))
  }

  @Test(arguments: QuantisedModel.all)
  func `any part reads as the whole does`(_ model: QuantisedModel) throws {
    let tensor = try #require(try model.plain().coded.first?.tensor)
    let whole = try tensor.bytes.read(0..<tensor.byteCount)
    var random = SeededGenerator(seed: 8)
    for _ in 0..<40 {
      let start = Int.random(in: 0...whole.count, using: &random)
      let end = Int.random(in: start...min(whole.count, start + 700), using: &random)
      #expect(try tensor.bytes.read(start..<end) == Array(whole[start..<end]))
    }
  }

  /// What understanding and decoding a changed group ends in: `nil`, or a line that names a tensor or a key of the config.
  @discardableResult
  private func outcome(_ tensors: [Tensor], _ config: JSONValue?) -> CheckpointError? {
    do throws(CheckpointError) {
      for group in try PlainTable(TensorTable(tensors), config: config).coded {
        let bytes = group.tensor.bytes
        if bytes.count < 1 << 22 { _ = try bytes.read(0..<bytes.count) }
      }
      return nil
    } catch {
      let isOfConfig = error.description.hasPrefix("config: quantization_config.")
      if error.tensor == nil && !isOfConfig || error.description.isEmpty {
        Issue.record("\(error) names no tensor")
      }
      return error
    }
  }

  /// The parts of one weight.
  private func group(_ model: QuantisedModel) throws -> (parts: [Tensor], config: JSONValue) {
    let coded = try #require(
      try model.plain().coded.first {
        $0.tensor.name.text.hasSuffix("layers.0.mlp.down_proj.weight")
      })
    return (coded.stored, try model.open().config)
  }

  @Test(arguments: QuantisedModel.all)
  func `no shape or type of a part is a trap`(_ model: QuantisedModel) throws {
    let (parts, config) = try group(model)
    #expect(outcome(parts, config) == nil)
    var refusals = 0
    for (index, part) in parts.enumerated() {
      for shape in variants(of: part.shape) {
        guard let count = part.dtype.byteCount(shape: shape) else { continue }
        var changed = parts
        changed[index] = Tensor(
          name: part.name, dtype: part.dtype, shape: shape,
          bytes: ByteArray([UInt8](repeating: 0, count: count)))
        for config in [config, nil] where outcome(changed, config) != nil { refusals += 1 }
      }
      for dtype in [DType.f32, .u8, .i8, .i32, .f8e4m3, .i64, .f64] where dtype != part.dtype {
        var changed = parts
        changed[index] = Tensor(
          name: part.name, dtype: dtype, shape: part.shape,
          bytes: ByteArray([UInt8](repeating: 255, count: dtype.byteCount(of: part.elementCount))))
        if outcome(changed, config) != nil { refusals += 1 }
      }
      outcome(parts.enumerated().filter { $0.offset != index }.map(\.element), config)
    }
    #expect(refusals > 10)
  }

  @Test(arguments: QuantisedModel.all)
  func `no bytes of a part are a trap`(_ model: QuantisedModel) throws {
    let (parts, config) = try group(model)
    for (index, part) in parts.enumerated() {
      for byte in [UInt8(0), 0x7F, 0x80, 0xFF] {
        var changed = parts
        changed[index] = Tensor(
          name: part.name, dtype: part.dtype, shape: part.shape,
          bytes: ByteArray([UInt8](repeating: byte, count: part.byteCount)))
        outcome(changed, config)
      }
    }
  }

  @Test(arguments: QuantisedModel.all)
  func `no number of the config is a trap`(_ model: QuantisedModel) throws {
    let (parts, config) = try group(model)
    func settings(_ value: JSONValue) -> [JSONValue] {
      if let members = value.members {
        return members.indices.flatMap { index in
          settings(members[index].value).map { other in
            var changed = members
            changed[index] = JSONValue.Member(members[index].key, other)
            return .object(changed)
          } + [.object(members.enumerated().filter { $0.offset != index }.map(\.element))]
        }
      }
      return [0, 1, -1, 3, 5, 7, .number(1 << 62), .number(Int.min), .null, "x", [], .object([])]
    }
    let said = try #require(config["quantization_config"])
    for changed in settings(said) {
      outcome(parts, .object([.init("quantization_config", changed)]))
    }
  }

  /// The number of words says how many bits a code has; 64 codes of 3 bits would fit into the words of 64 of 4, too.
  @Test(arguments: QuantisedModel.all.filter { $0.name.hasPrefix("gptq/") })
  func `without a config the number of bits is that which fills the words`(
    _ model: QuantisedModel
  ) throws {
    let (tensors, config) = try model.open()
    let bare = try PlainTable(TensorTable(tensors), config: nil)
    let known = try PlainTable(TensorTable(tensors), config: config)
    #expect(!bare.coded.isEmpty && bare.coded.count == known.coded.count)
    for (found, expected) in zip(bare.coded, known.coded) {
      #expect(found.tensor.shape == expected.tensor.shape)
      let bytes = try found.tensor.bytes.read(0..<found.tensor.byteCount)
      // Zero points of the second version are taken for those of the first.
      if config["quantization_config"]?["checkpoint_format"] == "gptq_v2" { continue }
      #expect(try expected.tensor.bytes.read(0..<expected.tensor.byteCount) == bytes)
    }
  }

  @Test(arguments: [
    ("gptq/symmetric", "bits"), ("awq/gemm", "bits"), ("awq/gemm", "group_size"),
  ])
  func `a number in a text is no number`(_ name: String, _ key: String) throws {
    let (tensors, config) = try QuantisedModel(name).open()
    let settings = try #require(config["quantization_config"]?.members)
    let changed = JSONValue.object(
      settings.map { $0.key == key ? .init(key, .string($0.value.text())) : $0 })
    let error = outcome(tensors, .object([.init("quantization_config", changed)]))
    #expect(error?.category == .failed)
    let start = "config: quantization_config.\(key) must be a whole number, is \""
    #expect(error?.problem.text.hasPrefix(start) == true)
  }

  /// Each code once, however many faults it has.
  @Test func `under scales of zero all codes are wrong`() throws {
    let tensors = [
      Tensor("x.qweight", .i32, [1, 8], bytes: (0..<8).flatMap { _ in littleEndian(UInt32.max) }),
      Tensor("x.qzeros", .i32, [1, 1], bytes: littleEndian(UInt32(0x7777_7777))),
      Tensor("x.scales", .f32, [1, 8], bytes: [UInt8](repeating: 0, count: 32)),
    ]
    let config: JSONValue = ["quantization_config": ["quant_method": "gptq", "bits": 4]]
    let coded = try #require(PlainTable(TensorTable(tensors), config: config).coded.first)
    let numbers = (0..<64).flatMap { littleEndian(Float($0 + 1).bitPattern) }
    let original = Tensor("x.weight", .f32, [8, 8], bytes: numbers)
    let finding = try coded.finding(of: coded.inOrderOfCodes(original))
    #expect(finding.wrong == 64 && finding.firstWrong == 0)
  }

  @Test func `an input in no group is named`() throws {
    let (parts, config) = try group(QuantisedModel("gptq/act_order"))
    let index = try #require(parts.firstIndex { $0.name.text.hasSuffix("g_idx") })
    for group: Int32 in [-1, 3, .max] {
      var bytes = try parts[index].bytes.read(0..<parts[index].byteCount)
      bytes.replaceSubrange(16..<20, with: littleEndian(UInt32(bitPattern: group)))
      var changed = parts
      changed[index] = Tensor(
        name: parts[index].name, dtype: .i32, shape: parts[index].shape, bytes: ByteArray(bytes))
      let error = outcome(changed, config)
      #expect(error?.problem.text == "input 4 is in group \(group), and there are 3")
      #expect(error?.tensor == parts[index].name)
    }
  }

  @Test
  func `zero points of the first version are stored less one, and a word is added to as a whole`()
    throws
  {
    // Zero points 0, 5, 0, 0, 0, 0, 0, 0, less one each: what borrows from its neighbour.
    let stored: UInt32 = 0x0000_0050 &- 0x1111_1111
    func plain(_ form: String) throws -> [UInt8] {
      let tensors = [
        Tensor(
          "x.qweight", .i32, [1, 8], bytes: (0..<8).flatMap { _ in littleEndian(UInt32.max) }),
        Tensor("x.qzeros", .i32, [1, 1], bytes: littleEndian(stored)),
        Tensor(
          "x.scales", .f32, [1, 8],
          bytes: (0..<8).flatMap { _ in littleEndian(Float(1).bitPattern) }),
      ]
      let config: JSONValue = [
        "quantization_config": [
          "quant_method": "gptq", "bits": 4, "group_size": -1, "checkpoint_format": .string(form),
        ]
      ]
      let table = try PlainTable(TensorTable(tensors), config: config)
      let tensor = try #require(table.tensors["x.weight"])
      #expect(tensor.shape == [8, 8])
      return try tensor.bytes.read(0..<tensor.byteCount)
    }
    func numbers(_ zeros: [Float]) -> [UInt8] {
      zeros.flatMap { zero in (0..<8).flatMap { _ in littleEndian((15 - zero).bitPattern) } }
    }
    #expect(try plain("gptq") == numbers([0, 5, 0, 0, 0, 0, 0, 0]))
    #expect(try plain("gptq_v2") == numbers([15, 3, 15, 14, 14, 14, 14, 14]))
    let error = #expect(throws: CheckpointError.self) { try plain("marlin") }
    #expect(error?.category == .unsupported)
  }
}

/// Shapes that differ from `shape` in one thing: an extent, their order, the rank.
private func variants(of shape: [Int]) -> [[Int]] {
  var variants: [[Int]] = [
    shape + [1], [1] + shape, Array(shape.dropFirst()), Array(shape.dropLast()), shape.reversed(),
  ]
  for axis in shape.indices {
    for extent in [shape[axis] - 1, shape[axis] + 1, shape[axis] * 2, 0] where extent >= 0 {
      var variant = shape
      variant[axis] = extent
      variants.append(variant)
    }
  }
  return variants.filter { $0 != shape }
}
