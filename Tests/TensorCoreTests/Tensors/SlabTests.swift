import Synchronization
import TensorCore
import TestSupport
import Testing

/// Stretches that are put together once and read many times.
@Suite(.serialized) struct SlabTests {
  private static func byte(_ position: Int) -> UInt8 { UInt8(truncatingIfNeeded: position * 7) }

  private static func stretch(_ start: Int, _ count: Int) -> (start: Int, bytes: [UInt8]) {
    (start, (start..<start + count).map(byte))
  }

  private static func read(
    _ slab: Slab, _ range: Range<Int>, size: Int = 1000, gathered: inout Int
  ) throws(CheckpointError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: range.count)
    var span = bytes.mutableSpan
    var raw = unsafe span.mutableBytes
    var count = 0
    try slab.read(at: range.lowerBound, into: &raw, size: size) {
      position throws(CheckpointError) in
      count += 1
      return Self.stretch(position / size * size, size)
    }
    gathered += count
    return bytes
  }

  @Test func `room is made before a slab is put together`() throws {
    let usual = Slab.size
    defer { Slab.size = usual }
    Slab.size = Slab.minimumSize
    let size = Slab.size
    let slabs = (0..<3).map { _ in Slab() }
    var gathered = 0
    for slab in slabs[..<2] { _ = try Self.read(slab, 0..<10, size: size, gathered: &gathered) }
    var bytes = [UInt8](repeating: 0, count: 10)
    var span = bytes.mutableSpan
    var raw = unsafe span.mutableBytes
    try slabs[2].read(at: 0, into: &raw, size: size) { _ throws(CheckpointError) in
      // The first one has been given up by now, and is put together again.
      _ = try Self.read(slabs[0], 0..<10, size: size, gathered: &gathered)
      return Self.stretch(0, size)
    }
    #expect(gathered == 3)
  }

  @Test func `reads across stretches, and puts each together once`() throws {
    let slab = Slab()
    var gathered = 0
    for start in stride(from: 0, to: 5000, by: 50) {
      let bytes = try Self.read(slab, start..<start + 50, gathered: &gathered)
      #expect(bytes == Self.stretch(start, 50).bytes)
    }
    #expect(gathered == 5)
    #expect(
      try Self.read(slab, 990..<3010, gathered: &gathered) == Self.stretch(990, 2020).bytes)
    #expect(gathered == 9)
  }

  @Test func `many slabs at a time stay within the budget, and are put together again`() throws {
    let size = Slab.size
    defer { Slab.size = size }
    Slab.size = Slab.minimumSize
    let slabs = (0..<6).map { _ in Slab() }
    var gathered = 0
    for round in 0..<2 {
      for slab in slabs {
        let range = round * 100..<round * 100 + 100
        let bytes = try Self.read(slab, range, size: Slab.minimumSize, gathered: &gathered)
        #expect(bytes == Self.stretch(range.lowerBound, 100).bytes)
      }
    }
    // Two of the smallest fit: the others were given up before their second turn.
    #expect(gathered > slabs.count)
  }

  @Test func `an error leaves nothing behind`() throws {
    let slab = Slab()
    var bytes = [UInt8](repeating: 0, count: 10)
    var span = bytes.mutableSpan
    var raw = unsafe span.mutableBytes
    #expect(throws: CheckpointError(.changedWhileRead)) {
      try slab.read(at: 0, into: &raw, size: 1000) { _ throws(CheckpointError) in
        throw CheckpointError(.changedWhileRead)
      }
    }
    var gathered = 0
    #expect(try Self.read(slab, 0..<10, gathered: &gathered) == Self.stretch(0, 10).bytes)
  }
}
