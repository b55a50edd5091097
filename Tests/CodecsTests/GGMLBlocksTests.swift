import Codecs
import Containers
import TensorCore
import TestSupport
import Testing

/// Blocks stand for the numbers that gguf-py 0.19 decodes, bit for bit.
@Suite struct GGMLBlocksTests {
  private static let folder = "codecs/ggml"

  private func table(_ name: String) throws -> TensorTable {
    try Checkpoint.open(fixture("\(Self.folder)/\(name)")).tensors
  }

  @Test(arguments: ["blocks.gguf", "others.gguf"])
  func `every block type is decoded to the bits of the original decoder`(_ name: String) throws {
    let stored = try table(name)
    let expected = try table("decoded.safetensors")
    let plain = try PlainTable(stored, config: nil)
    #expect(plain.codecs.map(\.name) == ["ggml-blocks"])
    for tensor in stored.tensors {
      #expect(tensor.dtype.isBlock && tensor.dtype.name == tensor.name.text)
      let mine = try #require(plain.tensors[tensor.name])
      let theirs = try #require(expected[tensor.name])
      #expect(mine.dtype == .f32 && mine.shape == theirs.shape, "\(tensor.name)")
      let (a, b) = (
        try mine.bytes.read(0..<mine.byteCount), try theirs.bytes.read(0..<theirs.byteCount)
      )
      #expect(a == b, "\(tensor.name)")
    }
  }

  @Test func `no type is left out`() throws {
    let names = try table("blocks.gguf").tensors + table("others.gguf").tensors
    #expect(Set(names.map(\.dtype)) == Set(DType.allCases.filter(\.isBlock)))
  }

  @Test func `any part reads as the whole does`() throws {
    let plain = try PlainTable(table("blocks.gguf"), config: nil)
    var random = SeededGenerator(seed: 8)
    for tensor in plain.tensors.tensors {
      let whole = try tensor.bytes.read(0..<tensor.byteCount)
      for _ in 0..<20 {
        let start = Int.random(in: 0...whole.count, using: &random)
        let end = Int.random(in: start...whole.count, using: &random)
        #expect(try tensor.bytes.read(start..<end) == Array(whole[start..<end]))
      }
    }
  }

  @Test func `any bits are decoded to something`() {
    var random = SeededGenerator(seed: 3)
    for dtype in DType.allCases where dtype.isBlock {
      let block = dtype.encoding
      for _ in 0..<50 {
        let bytes = random.bytes(2 * block.bytesPerBlock)
        let all = dtype.decodedBlocks(bytes)
        #expect(all.count == 2 * block.elementsPerBlock)
        let index = Int.random(in: all.indices, using: &random)
        guard case .single(let one) = dtype.element(at: index, of: bytes) else {
          Issue.record("\(dtype) has no singles")
          continue
        }
        #expect(one.bitPattern == all[index].bitPattern)
      }
      #expect(dtype.decodedBlocks([]).isEmpty)
    }
  }

  @Test(arguments: DType.quantizable)
  func `numbers become the blocks that the original quantiser makes`(_ type: DType) throws {
    let table = try table("quantised.safetensors")
    let numbers = try #require(table["numbers"])
    let expected = try #require(table[TensorName(type.name)])
    let found = numbers.quantized(to: type)
    #expect(found.dtype == type && found.shape == numbers.shape)
    let (mine, theirs) = (
      try found.bytes.read(0..<found.byteCount), try expected.bytes.read(0..<expected.byteCount)
    )
    #expect(mine == theirs)
    for (start, end) in [(0, 1), (17, 19), (33, 200), (mine.count - 3, mine.count)] {
      #expect(try found.bytes.read(start..<end) == Array(mine[start..<end]))
    }
  }

  @Test func `what is not finite is in no block`() {
    let numbers = [Float](repeating: 1, count: 31) + [.infinity]
    let tensor = Tensor(
      name: "x", dtype: .f32, shape: [32],
      bytes: ByteArray(numbers.flatMap { littleEndian($0.bitPattern) }))
    for type in DType.quantizable {
      let error = #expect(throws: CheckpointError.self) {
        try tensor.quantized(to: type).bytes.read(0..<4)
      }
      #expect(error?.category == .refused && error?.tensor == "x")
    }
  }
}
