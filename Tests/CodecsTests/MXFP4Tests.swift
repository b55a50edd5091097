import Codecs
import Containers
import TensorCore
import TestSupport
import Testing

/// 4-bit floats with a scale for each block are what transformers makes of them.
@Suite struct MXFP4Tests {
  private func table(_ name: String) throws -> TensorTable {
    try Checkpoint.open(fixture("codecs/mxfp4/\(name).safetensors")).tensors
  }

  @Test func `every number is that of transformers, bit for bit`() throws {
    let found = try PlainTable(table("coded"), config: nil)
    #expect(found.codecs.map(\.name) == ["mxfp4"] && found.codecs.map(\.count) == [2])
    let expected = try table("dequantized")
    #expect(found.tensors.count == expected.count)
    for tensor in expected.tensors {
      let mine = try #require(found.tensors[tensor.name])
      #expect(mine.dtype == .f32 && mine.shape == tensor.shape)
      #expect(try mine.bytes.read(0..<mine.byteCount) == tensor.bytes.read(0..<tensor.byteCount))
    }
  }

  @Test func `any part reads as the whole does`() throws {
    let found = try PlainTable(table("coded"), config: nil)
    let tensor = try #require(found.tensors["some_blocks"])
    let whole = try tensor.bytes.read(0..<tensor.byteCount)
    var random = SeededGenerator(seed: 8)
    for _ in 0..<300 {
      let start = Int.random(in: 0...whole.count, using: &random)
      let end = Int.random(in: start...whole.count, using: &random)
      #expect(try tensor.bytes.read(start..<end) == Array(whole[start..<end]))
    }
  }

  @Test func `what cannot be decoded is said, and half a pair is none`() throws {
    func plain(
      _ blocks: [Int], _ scales: [Int], _ dtype: DType = .u8, named: TensorName = "x_scales"
    ) throws -> PlainTable {
      func tensor(_ name: TensorName, _ shape: [Int]) -> Tensor {
        Tensor(
          name: name, dtype: dtype, shape: shape,
          bytes: ByteArray(Array(repeating: 0, count: dtype.byteCount(of: shape.reduce(1, *)))))
      }
      return try PlainTable(
        TensorTable([tensor("x_blocks", blocks), tensor(named, scales)]), config: nil)
    }
    func fault(_ table: @autoclosure () throws -> PlainTable) -> String? {
      #expect(throws: CheckpointError.self) { try table() }?.problem.text
    }
    #expect(fault(try plain([2, 3, 16], [2, 4]))?.contains("[2, 4]") == true)
    #expect(fault(try plain([2, 3, 8], [2, 3]))?.contains("16 bytes") == true)
    #expect(fault(try plain([2, 3, 16], [2, 3], .i8))?.contains("U8") == true)
    #expect(try plain([2, 3, 16], [2, 3], named: "y_scales").coded.isEmpty)
    #expect(try plain([2, 0, 16], [2, 0]).tensors["x_blocks"]?.shape == [2, 0, 32])
  }
}
