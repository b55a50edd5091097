import Containers
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// Orders of rows and columns of matrices that are read strip by strip.
@Suite struct LineOrderTests {
  private let scratch = ScratchFolder()

  /// What diff says of a matrix whose elements moved.
  private func found(
    _ rows: Int, _ columns: Int, _ origin: (_ row: Int, _ column: Int) -> (Int, Int)
  ) throws -> Rearrangement? {
    var random = SeededGenerator(seed: 8)
    let bytes = random.bytes(0) + (0..<rows * columns).flatMap { _ in littleEndian(random.next()) }
    var moved: [UInt8] = []
    moved.reserveCapacity(bytes.count)
    for row in 0..<rows {
      for column in 0..<columns {
        let (r, c) = origin(row, column)
        let start = 8 * (r * columns + c)
        moved += bytes[start..<start + 8]
      }
    }
    let sides = try [bytes, moved].enumerated().map { index, bytes in
      let path = scratch.path.appending("\(index).safetensors")
      try CheckpointWriter(destination: path, format: .safetensors, overwrite: true)
        .write(tensors: [Tensor("w", .f64, [rows, columns], bytes: bytes)])
      return try Checkpoint.open(path)
    }
    return try diff(sides[0], sides[1]).changes.first?.rearrangement
  }

  /// 18 MB: a strip of rows and a part of another.
  @Test func `rows that are exchanged between strips`() throws {
    let found = try found(1500, 1500) { row, column in
      (row == 2 ? 1490 : row == 1490 ? 2 : row, column)
    }
    #expect(found == .permuted(.blocksExchanged(axis: 0, block: 1, 2, 1490)))
  }

  @Test func `columns of several blocks of rows`() throws {
    let found = try found(600, 700) { row, column in (row, 699 - column) }
    #expect(found == .permuted(.permuted(axis: 1, block: 1)))
  }

  @Test func `one wrong element is no order`() throws {
    let found = try found(30, 20) { row, column in
      row == 7 && column == 3 ? (0, 0) : ((row + 5) % 30, column)
    }
    #expect(found == nil)
  }
}
