import Codecs
import Containers
import TensorCore
import TestSupport
import Testing

/// Tensors that lie divided among parts are put together as they were.
@Suite struct TensorPartsTests {
  private func tensor(_ name: String, _ shape: [Int], from first: Int, step: Int = 1) -> Tensor {
    let values = (0..<shape.reduce(1, *)).map { UInt8(first + $0 * step) }
    return Tensor(name: TensorName(name), dtype: .u8, shape: shape, bytes: ByteArray(values))
  }

  private func division(_ name: String, _: [Int]) -> Division? {
    switch name {
    case "rows": .along(axis: 0)
    case "columns": .along(axis: 1)
    case "same": .repeated
    default: nil
    }
  }

  private func plain(_ tensors: [Tensor]) throws -> PlainTable {
    try PlainTable(TensorTable(tensors), config: nil, division: division)
  }

  private func fault(_ tensors: Tensor...) -> CheckpointError? {
    #expect(throws: CheckpointError.self) { try plain(tensors) }
  }

  @Test func `rows, columns and what is everywhere`() throws {
    let found = try plain([
      tensor("p.00/rows", [2, 2], from: 0), tensor("p.00/columns", [2, 2], from: 10),
      tensor("p.00/same", [3], from: 20), tensor("p.00/other", [1], from: 7),
      tensor("p.01/columns", [2, 2], from: 14), tensor("p.01/rows", [2, 2], from: 4),
      tensor("p.01/other", [2], from: 8), tensor("p.01/same", [3], from: 20),
    ])
    #expect(found.codecs.map(\.name) == ["tensor-parallel"] && found.codecs.map(\.count) == [3])
    #expect(found.coded.isEmpty)
    #expect(
      found.tensors.tensors.map(\.name.text) == [
        "rows", "columns", "same", "p.00/other", "p.01/other",
      ])
    func values(_ name: TensorName) throws -> [UInt8] {
      let tensor = try #require(found.tensors[name])
      return try tensor.bytes.read(0..<tensor.byteCount)
    }
    #expect(found.tensors["rows"]?.shape == [4, 2] && found.tensors["columns"]?.shape == [2, 4])
    #expect(try values("rows") == [0, 1, 2, 3, 4, 5, 6, 7])
    #expect(try values("columns") == [10, 11, 14, 15, 12, 13, 16, 17])
    #expect(try values("same") == [20, 21, 22])
  }

  @Test func `what does not fit together is said by name, all of it`() throws {
    let differing = fault(
      tensor("p.00/same", [3], from: 1), tensor("p.00/rows", [1], from: 0),
      tensor("p.01/same", [3], from: 1, step: 2), tensor("p.01/rows", [2], from: 0))
    #expect(
      differing?.details == [
        "not equal    p.01/same: must be the same as p.00/same",
        "not alike    p.01/rows: is [2], in the first part [1]",
      ])
    #expect(differing?.category == .refused)
    let single = Tensor(name: "p.01/rows", dtype: .i8, shape: [1], bytes: ByteArray([0]))
    #expect(
      fault(tensor("p.00/rows", [1], from: 0), single)?.details == [
        "not alike    p.01/rows: is I8, in the first part U8"
      ])
    #expect(
      fault(
        tensor("p.00/rows", [1], from: 0), tensor("p.00/same", [1], from: 0),
        tensor("p.01/same", [1], from: 0)
      )?.details == ["missing      rows: is in 1 of 2 parts"])
    #expect(
      fault(tensor("p.00/columns", [1], from: 0), tensor("p.01/columns", [1], from: 0))?.details
        == ["misshapen    p.00/columns: U8 [1] cannot be a part"])
  }

  @Test func `an extent that is too large for all parts is no trap`() throws {
    func huge(_ part: String) -> Tensor {
      Tensor(
        name: TensorName(part + "/rows"), dtype: .u8, shape: [.max, 0], bytes: ByteArray([]))
    }
    #expect(fault(huge("p.00"), huge("p.01"))?.details.count == 1)
  }

  @Test(arguments: [
    ["p.00/rows", "rows"], ["p.00/rows", "q.01/rows"], ["p.00/rows"], ["p.01/rows", "p.02/rows"],
    ["p00/rows", "p01/rows"], ["00/rows", "01/rows"],
  ])
  func `other names are those of no parts`(_ names: [String]) throws {
    let found = try plain(names.map { tensor($0, [1], from: 0) })
    #expect(found.codecs.isEmpty && found.tensors.tensors.map(\.name.text) == names)
  }

  /// Divided by the original code among two processes of its own.
  @Test(arguments: ["meta", "meta_llama_2"])
  func `any part of a whole reads as in the file that it was made of`(_ name: String) throws {
    let parts = fixture("llama/" + name.replacing("meta", with: "meta_parts"))
    let checkpoint = try Checkpoint.open(parts) { ["params.json"] }
    let whole = try Checkpoint.open(fixture("llama/\(name)"))
    let axes = ["wo": 1, "w2": 1, "tok_embeddings": name == "meta" ? 0 : 1]
    let found = try PlainTable(checkpoint.tensors, config: nil) { name, shape in
      let module = name.split(separator: ".").dropLast().last.map(String.init) ?? ""
      return shape.count == 1 ? .repeated : .along(axis: axes[module] ?? 0)
    }
    #expect(found.tensors.count == whole.tensors.count && found.joinedCount == whole.tensors.count)
    var random = SeededGenerator(seed: 9)
    for tensor in whole.tensors.tensors {
      let mine = try #require(found.tensors[tensor.name])
      #expect(mine.dtype == tensor.dtype && mine.shape == tensor.shape)
      let bytes = try tensor.bytes.read(0..<tensor.byteCount)
      #expect(try mine.bytes.read(0..<mine.byteCount) == bytes)
      for _ in 0..<20 {
        let start = Int.random(in: 0...bytes.count, using: &random)
        let end = Int.random(in: start...bytes.count, using: &random)
        #expect(try mine.bytes.read(start..<end) == Array(bytes[start..<end]))
      }
    }
  }
}
