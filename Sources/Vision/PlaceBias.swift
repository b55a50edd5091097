import Kernels
import Models
import TensorCore

/// Learned numbers for each head and each place of a patch beside another one, and for the class token beside patches,
/// patches beside it, and itself. Bao et al., arXiv 2106.08254, §3.1; Shaw et al., arXiv 1803.02155.
public struct PlaceBias: Sendable, Equatable {
  /// Whether all blocks have a table together.
  public var isShared: Bool
  /// Whether each block has one of its own.
  public var isOfBlocks: Bool

  /// How many places there are.
  fileprivate static func places(_ grid: [Int]) -> Int {
    (2 * grid[0] - 1) * (2 * grid[1] - 1) + 3
  }
}

/// The numbers of places with their weights.
struct PlaceTable<Scalar: ComputeScalar> {
  private let numbers: NDArray<Scalar>
  private let grid: [Int]
  private let heads: Int

  /// Asks `scope` for `weight` `[(2·rows − 1)·(2·columns − 1) + 3, heads]`.
  ///
  /// - Parameter grid: how many patches stand above each other, and side by side; one token stands before them.
  init(_ scope: WeightScope<Scalar>, grid: [Int], heads: Int) throws(CheckpointError) {
    (self.grid, self.heads) = (grid, heads)
    let tokens = grid[0] * grid[1] + 1
    numbers = try scope.weight("weight", [PlaceBias.places(grid), heads], .embedding)
    scope.constant("index", [tokens, tokens], .places(grid))
  }

  /// `[1, heads, tokens, tokens]` of pictures of so many patches, which may be others than the table is for.
  func biases(of wanted: [Int]) -> NDArray<Scalar> {
    let numbers = numbers(of: wanted)
    let tokens = wanted[0] * wanted[1] + 1
    let index = Formula.places(wanted)
    let rows = (0..<tokens * tokens).map { Int(index.number($0)) }
    var elements: [Scalar] = []
    elements.reserveCapacity(heads * rows.count)
    for head in 0..<heads {
      for row in rows { elements.append(numbers.elements[row * heads + head]) }
    }
    return NDArray(shape: [1, heads, tokens, tokens], elements: elements)
  }

  /// The numbers of places in another grid: those of patches by lines between neighbours, the last three as they are.
  private func numbers(of wanted: [Int]) -> NDArray<Scalar> {
    guard wanted != grid else { return numbers }
    let sides = grid.map { 2 * $0 - 1 }
    let ownCount = sides[0] * sides[1] * heads
    let places = resized(
      NDArray(shape: sides + [heads], elements: Array(numbers.elements.prefix(ownCount))),
      rows: 2 * wanted[0] - 1, columns: 2 * wanted[1] - 1, isSmoothed: false, isLinear: true)
    return NDArray(
      shape: [PlaceBias.places(wanted), heads],
      elements: places.elements + numbers.elements.dropFirst(ownCount))
  }
}

extension Formula {
  /// For each token as a query, and each as a key, the number of the key's place beside it.
  fileprivate static func places(_ grid: [Int]) -> Formula {
    let (rows, columns) = (grid[0], grid[1])
    let (tokens, count) = (rows * columns + 1, PlaceBias.places(grid))
    return Formula("holds the numbers of places in a picture and is computed") { index in
      let (query, key) = (index / tokens - 1, index % tokens - 1)
      if query < 0 { return Double(key < 0 ? count - 1 : count - 3) }
      if key < 0 { return Double(count - 2) }
      let row = query / columns - key / columns + rows - 1
      let column = query % columns - key % columns + columns - 1
      return Double(row * (2 * columns - 1) + column)
    }
  }
}
