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
    ("codecs/fp8", "codecs/fp8/dequantized/model.safetensors"),
    ("codecs/fp8/rounded_scales", "codecs/fp8/dequantized_rounded.safetensors"),
  ]) func `every number is torch's, bit for bit`(_ coded: String, _ decoded: String) throws {
    let found = try plain(coded)
    #expect(found.configKeys == ["quantization_config"])
    #expect(found.codecs.map(\.name) == ["fp8-blocks"] && found.codecs.map(\.count) == [13])
    #expect(!found.tensors.tensors.contains { $0.name.text.hasSuffix("_scale_inv") })
    let expected = try Checkpoint.open(fixture(decoded)).tensors
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
