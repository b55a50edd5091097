/// How two parts of the same size lie in a common matrix: as its halves, or row by row by turns.
struct HalvedOrder {
  /// How many rows each part has.
  let half: Int

  /// The rows of both parts, one after the other, if halves were read by turns.
  var byTurns: [Int] { (0..<2 * half).map { $0 < half ? 2 * $0 : 2 * ($0 - half) + 1 } }

  /// If rows by turns were read as halves.
  var asHalves: [Int] { byTurns.inverted }
}
