import Codecs
import Containers
import TensorCore
import TestSupport
import Testing

/// Kernels stored as directions and lengths. That the numbers are torch's, goldens of models show.
@Suite struct WeightNormTests {
  private func table(
    _ directions: [Int], _ lengths: [Int], _ dtype: DType = .f32,
    names: (String, String) = ("c.weight_v", "c.weight_g")
  ) throws -> PlainTable {
    func tensor(_ name: String, _ shape: [Int]) -> Tensor {
      let count = dtype.byteCount(of: shape.reduce(1, *))
      return Tensor(
        name: TensorName(name), dtype: dtype, shape: shape,
        bytes: ByteArray((0..<count).map { UInt8($0 % 61) }))
    }
    return try PlainTable(
      TensorTable([tensor(names.0, directions), tensor(names.1, lengths)]), config: nil)
  }

  private func fault(_ table: @autoclosure () throws -> PlainTable) -> String? {
    #expect(throws: CheckpointError.self) { try table() }?.problem.text
  }

  @Test(arguments: [
    ("weight_v", "weight_g"),
    ("parametrizations.weight.original1", "parametrizations.weight.original0"),
  ])
  func `both spellings are one weight, and any part reads as the whole does`(
    _ names: (String, String)
  ) throws {
    let found = try table([4, 3, 5], [1, 1, 5], names: ("c.\(names.0)", "c.\(names.1)"))
    #expect(found.codecs.map(\.name) == ["weight-norm"])
    #expect(found.tensors.count == 1)
    let tensor = try #require(found.tensors["c.weight"])
    #expect(tensor.dtype == .f64 && tensor.shape == [4, 3, 5])
    let whole = try tensor.bytes.read(0..<tensor.byteCount)
    var random = SeededGenerator(seed: 8)
    for _ in 0..<100 {
      let start = Int.random(in: 0...whole.count, using: &random)
      let end = Int.random(in: start...whole.count, using: &random)
      #expect(try tensor.bytes.read(start..<end) == Array(whole[start..<end]))
    }
  }

  @Test func `what does not go together is said, and half a pair is none`() throws {
    #expect(fault(try table([4, 3, 5], [1, 1, 4]))?.contains("a length for each place") == true)
    #expect(fault(try table([4, 3, 5], [5]))?.contains("a length for each place") == true)
    #expect(fault(try table([4, 5], [1, 1, 5]))?.contains("a length for each place") == true)
    #expect(fault(try table([4, 3, 5], [1, 1, 5], .i32))?.contains("floating-point") == true)
    let half = try table([4, 3, 5], [1, 1, 5], names: ("c.weight_v", "d.weight_g"))
    #expect(half.coded.isEmpty && half.tensors.count == 2)
  }
}
