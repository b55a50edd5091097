import Codecs
import Containers
import TensorCore
import TestSupport
import Testing

/// Matrices in 8-bit floats with a scale for each block are what torch makes of them.
@Suite struct FP8BlocksTests {
  private func plain(_ name: String) throws -> PlainTable {
    let checkpoint = try Checkpoint.open(fixture(name))
    return try PlainTable(checkpoint.tensors, config: checkpoint.config?.value)
  }

  @Test(arguments: [
    ("codecs/fp8", "codecs/fp8/dequantized/model.safetensors", "fp8-blocks", 13),
    ("codecs/fp8/rounded_scales", "codecs/fp8/dequantized_rounded.safetensors", "fp8-blocks", 13),
    ("codecs/fp8/power_scales", "codecs/fp8/dequantized_powers.safetensors", "fp8-blocks", 13),
    ("codecs/fp8_scales/tensor", "codecs/fp8_scales/tensor.safetensors", "fp8-scales", 7),
    ("codecs/fp8_scales/channel", "codecs/fp8_scales/channel.safetensors", "fp8-scales", 7),
  ])
  func `every number is that of the framework, bit for bit`(
    _ coded: String, _ decoded: String, _ codec: String, _ count: Int
  ) throws {
    let found = try plain(coded)
    #expect(found.configKeys == ["quantization_config"])
    #expect(found.codecs.map(\.name) == [codec] && found.codecs.map(\.count) == [count])
    let expected = try Checkpoint.open(fixture(decoded)).tensors
    #expect(!found.tensors.tensors.contains { $0.name.text.contains("_scale") })
    for tensor in expected.tensors {
      let mine = try #require(found.tensors[tensor.name])
      #expect(mine.dtype == .f32 && mine.shape == tensor.shape)
      #expect(try mine.bytes.read(0..<mine.byteCount) == tensor.bytes.read(0..<tensor.byteCount))
    }
  }

  @Test func `any part reads as the whole does`() throws {
    let tensor = try #require(
      plain("codecs/fp8").coded.first { $0.tensor.shape == [40, 24] }?.tensor)
    let whole = try tensor.bytes.read(0..<tensor.byteCount)
    var random = SeededGenerator(seed: 8)
    for _ in 0..<300 {
      let start = Int.random(in: 0...whole.count, using: &random)
      let end = Int.random(in: start...whole.count, using: &random)
      #expect(try tensor.bytes.read(start..<end) == Array(whole[start..<end]))
    }
  }

  /// Codes of [300, 200] numbers from 1 to 1.875, and scales that count.
  private func table(
    _ scales: [Int] = [3, 2], _ dtype: DType = .f32, codes: DType = .f8e4m3
  ) throws -> TensorTable {
    let count = scales.reduce(1, *)
    let bytes = (0..<count).flatMap { littleEndian(Float($0 + 1).bitPattern) }
    return try TensorTable([
      Tensor(
        name: "x.weight", dtype: codes, shape: [300, 200],
        bytes: ByteArray((0..<60_000).map { UInt8(0x38 + $0 % 8) })),
      Tensor(
        name: "x.weight_scale_inv", dtype: dtype, shape: scales,
        bytes: ByteArray(Array(bytes.prefix(dtype.byteCount(of: count))))),
    ])
  }

  @Test func `blocks are 128 by 128 where the config does not say`() throws {
    let plain = try PlainTable(table(), config: nil)
    let tensor = try #require(plain.tensors["x.weight"])
    #expect(plain.tensors.tensors.count == 1)
    let bytes = try tensor.bytes.read(0..<tensor.byteCount)
    for (row, column) in [(0, 0), (127, 127), (128, 127), (127, 128), (255, 199), (299, 199)] {
      let element = 200 * row + column
      let expected = (1 + Float(element % 8) / 8) * Float(row / 128 * 2 + column / 128 + 1)
      let found = bytes[4 * element..<4 * element + 4]
      #expect(found.elementsEqual(littleEndian(expected.bitPattern)), "\(row), \(column)")
    }
  }

  @Test func `what does not fit is said`() throws {
    func fault(_ table: TensorTable, _ config: JSONValue? = nil) -> CheckpointError? {
      #expect(throws: CheckpointError.self) { try PlainTable(table, config: config) }
    }
    func sizes(_ value: JSONValue) -> JSONValue {
      ["quantization_config": ["weight_block_size": value]]
    }
    let shape = fault(try table([2, 3]))
    #expect(
      shape?.details
        == [
          "misshapen    x.weight_scale_inv: is [2, 3], blocks of 128 by 128 of [300, 200] need [3, 2]"
        ])
    #expect(shape?.category == .refused && shape?.advice?.contains("weight_block_size") == true)
    #expect(fault(try table([6]))?.category == .unsupported)
    #expect(fault(try table([3, 2], .u32))?.category == .unsupported)
    #expect(fault(try table(), sizes([64, 64]))?.category == .refused)
    let wrong: [JSONValue] = [[0, 1], [1], [1, 2, 3], [-1, 5], ["a", 1], 5, [.number(1.5), 2]]
    for value in wrong { #expect(fault(try table(), sizes(value))?.category == .failed) }
    // A block larger than the matrix is one block.
    let huge = try PlainTable(table([1, 1]), config: sizes([.number(Int.max), .number(Int.max)]))
    #expect(huge.coded.count == 1)
  }

  /// Codes of [4, 3] numbers from 1 to 1.875, and scales that count.
  private func rows(
    _ scales: [Int], suffix: String = "_scale", _ dtype: DType = .f32, codes: [Int] = [4, 3]
  ) throws -> TensorTable {
    let count = scales.reduce(1, *)
    let bytes = (0..<count).flatMap { littleEndian(Float($0 + 1).bitPattern) }
    let size = codes.reduce(1, *)
    return try TensorTable([
      Tensor(
        name: "x.weight", dtype: .f8e4m3, shape: codes,
        bytes: ByteArray((0..<size).map { UInt8(0x38 + $0 % 8) })),
      Tensor(
        name: TensorName("x.weight" + suffix), dtype: dtype, shape: scales,
        bytes: ByteArray(Array(bytes.prefix(dtype.byteCount(of: count))))),
      Tensor(
        name: "x.input_scale", dtype: .f32, shape: [1], bytes: ByteArray([0, 0, 0, 0])),
    ])
  }

  @Test(
    arguments: [
      ([], "_scale", false), ([1], "_scale", false), ([1, 1], "_scale", false),
      ([4], "_scale", true), ([4, 1], "_scale", true), ([], "_scale_inv", false),
      ([1], "_scale_inv", false),
    ] as [([Int], String, Bool)])
  func `a scale is that of the matrix, or of a row`(
    _ shape: [Int], _ suffix: String, _ isOfRow: Bool
  ) throws {
    let plain = try PlainTable(rows(shape, suffix: suffix), config: nil)
    #expect(plain.tensors.tensors.map(\.name) == ["x.weight"])
    #expect(plain.coded.first?.stored.map(\.name.text).last == "x.input_scale")
    let tensor = try #require(plain.tensors["x.weight"])
    let bytes = try tensor.bytes.read(0..<tensor.byteCount)
    for element in 0..<12 {
      let expected = (1 + Float(element % 8) / 8) * Float(isOfRow ? element / 3 + 1 : 1)
      let found = bytes[4 * element..<4 * element + 4]
      #expect(found.elementsEqual(littleEndian(expected.bitPattern)), "\(element)")
    }
  }

  @Test func `scales of something else are not those of rows`() throws {
    for (scales, dtype, codes) in [
      ([3], DType.f32, [4, 3]), ([1, 3], .f32, [4, 3]), ([4, 3], .f32, [4, 3]),
      ([4], .u32, [4, 3]), ([1], .f32, [12]), ([1, 1, 1], .f32, [4, 3]), ([0], .f32, [4, 3]),
    ] {
      let table = try rows(scales, dtype, codes: codes)
      let error = #expect(throws: CheckpointError.self) { try PlainTable(table, config: nil) }
      #expect(error?.category == .unsupported, "\(scales) of \(codes)")
    }
  }

  @Test func `what is no group stays as it is`() throws {
    let other = try table(codes: .f8e5m2)
    let plain = try PlainTable(other, config: nil)
    #expect(plain.coded.isEmpty && plain.tensors.tensors.map(\.name) == other.tensors.map(\.name))
    let alone = try TensorTable([other.tensors[1]])
    // What a config says of blocks that there are none of is nobody's business.
    let config: JSONValue = ["quantization_config": ["weight_block_size": "none"]]
    #expect(try PlainTable(alone, config: config).tensors.tensors.count == 1)
  }
}
