import TensorCore
import TestSupport
import Testing

/// Arrays stored with the first index fastest are read with the last index fastest.
@Suite struct FortranOrderTests {
  /// `elements` of `shape` in C order, stored in Fortran order: the definition, index by index.
  private func stored(_ elements: [[UInt8]], _ shape: [Int]) -> [UInt8] {
    var result = elements
    for number in elements.indices {
      var rest = number
      var index: [Int] = []
      for extent in shape.reversed() {
        index.insert(rest % extent, at: 0)
        rest /= extent
      }
      let place = zip(index, shape).reversed().reduce(0) { $0 * $1.1 + $1.0 }
      result[place] = elements[number]
    }
    return result.flatMap(\.self)
  }

  /// The view that an npy file has: a move, with slabs of a size of its own.
  private static func inOrder(
    _ bytes: [UInt8], _ shape: [Int], width: Int, slabSize: Int, isReadForwards: Bool
  ) -> GatheredBytes {
    let part = GatheredBytes.Part(
      source: Source(bytes: bytes, isReadForwards: isReadForwards),
      move: Move(reading: Piece(fortranOrder: shape)))
    return GatheredBytes(
      width: width, elementCount: bytes.count / width, parts: [part], slabSize: slabSize)
  }

  /// Bytes in memory that say how they are best read.
  private struct Source: TensorBytes {
    let bytes: [UInt8]
    let isReadForwards: Bool
    var count: Int { bytes.count }

    func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
      try ByteArray(bytes).read(at: offset, into: &buffer)
    }
  }

  @Test func `gathers any range with any block`() throws {
    for seed in 0..<UInt64(300) {
      var random = SeededGenerator(seed: seed)
      let shape = (0..<Int.random(in: 1...4, using: &random)).map { _ in
        Int.random(in: 1...6, using: &random)
      }
      let width = [1, 2, 4, 8, 16].randomElement(using: &random) ?? 1
      let count = shape.reduce(1, *)
      let elements = (0..<count).map { _ in random.bytes(width) }
      let bytes = Self.inOrder(
        stored(elements, shape), shape, width: width,
        slabSize: Int.random(in: 1...80, using: &random),
        isReadForwards: Bool.random(using: &random))
      let expected = elements.flatMap(\.self)
      let start = Int.random(in: 0...expected.count, using: &random)
      let end = Int.random(in: start...expected.count, using: &random)
      #expect(try bytes.read(start..<end) == Array(expected[start..<end]), "seed \(seed)")
      #expect(try bytes.read(0..<expected.count) == expected, "seed \(seed), \(shape)")
    }
  }

  @Test(arguments: [
    [300_000, 3, 2], [3, 200_000], [2, 3, 90_000], [1500, 1, 700], [70_000, 17],
  ])
  func `runs that are longer than what is read at once`(_ shape: [Int]) throws {
    let count = shape.reduce(1, *)
    // Each element is its own number.
    var bytes = [UInt8](repeating: 0, count: 4 * count)
    var index = [Int](repeating: 0, count: shape.count)
    for place in 0..<count {
      let number = zip(index, shape).reduce(0) { $0 * $1.1 + $1.0 }
      for byte in 0..<4 {
        bytes[4 * place + byte] = UInt8(truncatingIfNeeded: number >> (8 * byte))
      }
      var axis = 0
      while axis < shape.count {
        index[axis] += 1
        if index[axis] < shape[axis] { break }
        index[axis] = 0
        axis += 1
      }
    }
    for isReadForwards in [false, true] {
      let view = Self.inOrder(
        bytes, shape, width: 4, slabSize: 3 << 20, isReadForwards: isReadForwards)
      let found = try view.read(0..<4 * count)
      let isRight = (0..<count).allSatisfy { number in
        (0..<4).allSatisfy {
          found[4 * number + $0] == UInt8(truncatingIfNeeded: number >> (8 * $0))
        }
      }
      #expect(isRight)
    }
  }
}
