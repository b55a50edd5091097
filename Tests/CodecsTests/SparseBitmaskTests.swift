import Codecs
import Containers
import TensorCore
import TestSupport
import Testing

/// Weights of which zeros are not stored: what a bitmask, offsets and a shape may say, and what is refused of them.
@Suite struct SparseBitmaskTests {
  /// Two rows of ten: numbers 1 and 2 at columns 0 and 9, number 3 at column 4.
  private func parts(
    mask: [UInt8] = [0x01, 0x02, 0x10, 0x00], numbers: [Float] = [1, 2, 3],
    offsets: [Int]? = [0, 2], shape: [Int] = [2, 10], maskShape: [Int] = [2, 2]
  ) -> [Tensor] {
    func integers(_ name: TensorName, _ values: [Int]) -> Tensor {
      let bytes = values.flatMap { littleEndian(UInt64(bitPattern: Int64($0))) }
      return Tensor(name, .i64, [values.count], bytes: bytes)
    }
    return [
      Tensor("m.compressed", [numbers.count], values: numbers),
      Tensor("m.bitmask", .u8, maskShape, bytes: mask), integers("m.shape", shape),
    ] + (offsets.map { [integers("m.row_offsets", $0)] } ?? [])
  }

  private func numbers(_ parts: [Tensor]) throws -> [Float] {
    let table = try PlainTable(TensorTable(parts), config: nil)
    let tensor = try #require(table.tensors["m.weight"])
    let bytes = try tensor.bytes.read(0..<tensor.byteCount)
    return stride(from: 0, to: bytes.count, by: 4).map { place in
      let bits = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[place + $1]) << UInt32(8 * $1) }
      return Float(bitPattern: bits)
    }
  }

  /// The fault of parts, when they are found or read.
  private func fault(_ parts: [Tensor]) -> String {
    let error = #expect(throws: CheckpointError.self) { _ = try numbers(parts) }
    #expect(error?.tensor != nil)
    return error?.problem.text ?? ""
  }

  @Test func `numbers are where bits are set`() throws {
    var expected = [Float](repeating: 0, count: 20)
    (expected[0], expected[9], expected[14]) = (1, 2, 3)
    #expect(try numbers(parts()) == expected)
    // Bits behind the last column count for nothing.
    #expect(try numbers(parts(mask: [0x01, 0xFE, 0x10, 0xFC])) == expected)
  }

  @Test func `parts of rows are read as the whole is`() throws {
    for name in ["bitmask", "two_four"] {
      let plain = try QuantisedModel("sparse/\(name)").plain()
      let tensor = try #require(plain.tensors["model.layers.0.mlp.down_proj.weight"])
      let whole = try tensor.bytes.read(0..<tensor.byteCount)
      for start in stride(from: 0, to: whole.count, by: 97) {
        let end = min(whole.count, start + 61)
        #expect(try tensor.bytes.read(start..<end) == Array(whole[start..<end]))
      }
    }
  }

  @Test func `a bitmask with more bits than numbers, or fewer, is malformed`() {
    #expect(fault(parts(mask: [0x03, 0x02, 0x10, 0x00])).contains("has 3 bits in row 0"))
    #expect(fault(parts(mask: [0x01, 0x02, 0x00, 0x00])).contains("has 0 bits in row 1"))
    #expect(fault(parts(mask: [0xFF, 0xFF, 0xFF, 0xFF])).contains("has 10 bits in row 0"))
    #expect(fault(parts(numbers: [1, 2])).contains("has 1 bits in row 1, and there are 0"))
  }

  @Test func `offsets of rows that descend, or lie outside, are malformed`() {
    #expect(fault(parts(offsets: [0, -1])).contains("row 0 begins at number 0 and ends at -1"))
    #expect(fault(parts(offsets: [1, 2])).contains("row 0 begins at number 1"))
    #expect(fault(parts(offsets: [0, 4])).contains("ends at 4 of 3"))
    #expect(fault(parts(offsets: [0, .max])).contains("row 0 begins"))
    #expect(fault(parts(offsets: [.min, 0])).contains("row 0 begins"))
    #expect(fault(parts(offsets: [0, 1])).contains("has 2 bits in row 0, and there are 1"))
    #expect(fault(parts(offsets: [0])).contains("need"))
  }

  @Test func `a shape whose product overflows, or that is none, is refused`() {
    for shape in [
      [Int.max, Int.max], [1 << 40, 10], [1 << 62, 4], [-2, -10], [0, 10], [2, 0], [2, 1 << 30],
      [2, 10, 1], [], [2, 17], [3, 10], [20], [10, 2],
    ] {
      #expect(!fault(parts(shape: shape)).isEmpty)
    }
  }

  @Test func `two of four are half of each row`() throws {
    func halves(_ mask: [UInt8], columns: Int = 8, _ shape: [Int]? = nil) -> [Tensor] {
      let found = parts(mask: mask, offsets: nil, shape: [2, columns], maskShape: [2, 1])
      let numbers = Tensor("m.compressed", shape ?? [2, 4], values: [1, 2, 3, 4, 5, 6, 7, 8])
      return [numbers] + found.dropFirst()
    }
    #expect(
      try numbers(halves([0x33, 0xCC])) == [1, 2, 0, 0, 3, 4, 0, 0, 0, 0, 5, 6, 0, 0, 7, 8])
    #expect(fault(halves([0x37, 0xCC])).contains("has 5 bits in row 0, and there are 4"))
    #expect(fault(halves([0x33, 0xC0])).contains("has 2 bits in row 1, and there are 4"))
    #expect(fault(halves([0x33, 0xCC], columns: 7)).contains("rows of 7"))
    #expect(fault(halves([0x33, 0xCC], [8])).contains("need [2, 4]"))
  }

  @Test func `codes that are sparse, too, are refused by name`() {
    let scales = Tensor("m.weight_scale", [1], values: [1])
    #expect(fault(parts() + [scales]).contains("is sparse and in codes"))
  }

  @Test func `what is only called so is left alone`() throws {
    let alone = parts().filter { $0.name != "m.bitmask" }
    #expect(try PlainTable(TensorTable(alone), config: nil).coded.isEmpty)
    let shapeless = parts().filter { $0.name != "m.shape" }
    #expect(fault(shapeless).contains("m.shape is missing"))
  }

  @Test func `no bit of a file's parts is a trap`() throws {
    let plain = try QuantisedModel("sparse/bitmask").plain()
    let stored = try #require(
      plain.coded.first { $0.tensor.name == "model.layers.0.self_attn.k_proj.weight" }?.stored)
    var faults = 0
    for part in stored where !part.name.text.hasSuffix("compressed") {
      let bytes = try part.bytes.read(0..<part.byteCount)
      for place in 0..<min(bytes.count, 64) * 8 {
        var changed = bytes
        changed[place / 8] ^= 1 << UInt8(place % 8)
        let others =
          stored.filter { $0.name != part.name } + [
            Tensor(part.name, part.dtype, part.shape, bytes: changed)
          ]
        do throws(CheckpointError) {
          let tensor = try PlainTable(TensorTable(others), config: nil).coded.first?.tensor
          _ = try tensor?.bytes.read(0..<(tensor?.byteCount ?? 0))
        } catch {
          faults += 1
          #expect(error.tensor != nil)
        }
      }
    }
    // Each bit of the mask, of the offsets and of the shape is one that is seen.
    #expect(faults == (64 + 64 + 16) * 8)
  }
}

/// Experts in one tensor, packed or in bytes, stand for the numbers that compressed-tensors makes of each.
@Suite struct CompressedExpertsTests {
  static let names = [
    "packed_4_symmetric", "packed_4_asymmetric", "packed_3_asymmetric", "bytes_8_symmetric",
  ]

  private func parts(_ name: String) throws -> (stored: [Tensor], numbers: Tensor) {
    let all = try Checkpoint.open(fixture("codecs/compressed_tensors/experts.safetensors"))
    let own = all.tensors.tensors.filter { $0.name.text.hasPrefix("\(name).") }
    return (
      own.filter { !$0.name.text.hasSuffix(".numbers") },
      try #require(own.first { $0.name.text.hasSuffix(".numbers") })
    )
  }

  private func config(_ name: String) -> JSONValue {
    let bits = Int(name.split(separator: "_")[1]) ?? 0
    return [
      "quantization_config": [
        "config_groups": ["group_0": ["weights": ["num_bits": .number(bits)]]]
      ]
    ]
  }

  @Test(arguments: names)
  func `every number is that of the maker's code, bit for bit`(_ name: String) throws {
    let (stored, numbers) = try parts(name)
    let coded = try PlainTable(TensorTable(stored), config: config(name)).coded
    let tensor = try #require(coded.first?.tensor)
    #expect(coded.count == 1 && tensor.shape == [3, 11, 64] && tensor.dtype == .bf16)
    #expect(
      try tensor.bytes.read(0..<tensor.byteCount) == numbers.bytes.read(0..<numbers.byteCount))
    #expect(coded.first?.stored.count == stored.count)
  }

  @Test(arguments: names)
  func `parts of other shapes are refused`(_ name: String) throws {
    let (stored, _) = try parts(name)
    for (index, part) in stored.enumerated() where part.shape.count == 3 {
      for shape in [
        Array(part.shape.dropFirst()), [1] + part.shape,
        [part.shape[1], part.shape[0], part.shape[2]], [2] + part.shape.dropFirst(),
      ] {
        let count = try #require(part.dtype.byteCount(shape: shape))
        var changed = stored
        changed[index] = Tensor(
          part.name, part.dtype, shape, bytes: [UInt8](repeating: 1, count: count))
        #expect(throws: CheckpointError.self, "\(part.name) \(shape)") {
          try PlainTable(TensorTable(changed), config: config(name))
        }
      }
    }
  }

  @Test func `marlin-24 is refused by name`() throws {
    let parts = ["m.weight_packed", "m.scale_packed", "m.meta"].map {
      Tensor(TensorName($0), .i32, [4, 4], bytes: [UInt8](repeating: 0, count: 64))
    }
    let error = #expect(throws: CheckpointError.self) {
      try PlainTable(TensorTable(parts), config: nil)
    }
    #expect(error?.problem.text.contains("marlin-24") == true)
  }
}
