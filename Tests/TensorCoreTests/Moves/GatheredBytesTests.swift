import TensorCore
import TestSupport
import Testing

/// Large tensors are transposed tile by tile.
@Suite struct GatheredBytesTests {
  @Test(arguments: [(3000, 2500), (40, 90_000), (90_000, 40), (17, 300_000)], [2, 4])
  func `every element of a transposed matrix`(_ extents: (Int, Int), _ width: Int) throws {
    let (rows, columns) = extents
    // Element n of the source is the number n.
    var source = [UInt8](repeating: 0, count: rows * columns * width)
    for number in 0..<rows * columns {
      for byte in 0..<width {
        source[number * width + byte] = UInt8(truncatingIfNeeded: number >> (8 * byte))
      }
    }
    let piece = Piece(
      offset: 0,
      axes: [
        Piece.Axis(extent: columns, stored: 1, canonical: rows),
        Piece.Axis(extent: rows, stored: columns, canonical: 1),
      ])
    let gathered = GatheredBytes(
      width: width, elementCount: rows * columns,
      parts: [GatheredBytes.Part(source: ByteArray(source), move: Move(reading: piece))])
    let beginning = try gathered.beginning(11)
    let found = try gathered.read(0..<gathered.count)
    #expect(gathered.usesSlab && beginning == Array(found.prefix(11)))
    var wrong = 0
    for column in 0..<columns {
      for row in 0..<rows {
        let (place, number) = ((column * rows + row) * width, row * columns + column)
        for byte in 0..<width
        where found[place + byte] != UInt8(truncatingIfNeeded: number >> (8 * byte)) { wrong += 1 }
      }
    }
    #expect(wrong == 0)
  }
}
