package import Kernels

/// An array whose second axis grows, with room for more: `[batch, positions, …]`.
package struct GrowingArray<Scalar: ComputeScalar>: Sendable {
  /// `[batch, room, width]`
  package private(set) var array: NDArray<Scalar>
  /// How many positions there are.
  package private(set) var count: Int
  /// How many came before them and were dropped.
  package private(set) var dropped = 0
  /// How many positions before a new one matter to it; `nil` for all.
  private let before: Int?
  /// How many of the last positions may be taken away later, whatever was dropped.
  private let reserve: Int

  /// Begins with `array`.
  package init(_ array: NDArray<Scalar>, before: Int? = nil, reserve: Int = 0) {
    self.array = array
    self.before = before
    self.reserve = reserve
    count = array.shape[1]
  }

  /// The positions that there are: `[batch, positions, width]`
  package var used: NDArray<Scalar> {
    let room = array.shape[1] - count
    return room == 0 ? array : split(array, axis: 1, sizes: [count, room])[0]
  }

  /// Adds positions behind. When there is no more room it is doubled, so that a long text copies each
  /// of its positions once or twice, and not at every step. Positions that no longer matter are dropped
  /// when they are as many as those that do.
  package mutating func append(_ other: NDArray<Scalar>) {
    if let before, count - reserve > 2 * before { drop(count - reserve - before) }
    let (room, needed) = (array.shape[1], count + other.shape[1])
    if needed > room { array = array.first(count, withRoomFor: max(needed, 2 * room)) }
    replacePositions(of: &array, from: count, by: other)
    count = needed
  }

  /// Goes on with the texts of these numbers, in any order and as often as they are named.
  package mutating func select(_ texts: [Int]) { array = array.selectingRows(texts) }

  /// Whether the last positions can be taken away, so that those before them see what they saw.
  package func canRemoveLast(_ positions: Int) -> Bool {
    positions <= count && (dropped == 0 || count - positions >= before ?? 0)
  }

  /// Takes the last positions away.
  package mutating func removeLast(_ positions: Int) {
    precondition(canRemoveLast(positions), "what came before is no longer there")
    count -= positions
  }

  private mutating func drop(_ positions: Int) {
    let left = split(array, axis: 1, sizes: [positions, array.shape[1] - positions])[1]
    count -= positions
    dropped += positions
    array = left.first(count, withRoomFor: 2 * count)
  }
}

extension NDArray where Element: ComputeScalar {
  /// The first positions of the sequences `[batch, length, width]`, at the beginning of longer ones.
  fileprivate func first(_ count: Int, withRoomFor positions: Int) -> NDArray {
    var longer = NDArray(shape: [shape[0], positions, width], repeating: 0)
    for member in 0..<shape[0] {
      let (from, to) = (member * shape[1] * width, member * positions * width)
      longer.elements.replaceSubrange(
        to..<to + count * width, with: elements[from..<from + count * width])
    }
    return longer
  }
}
