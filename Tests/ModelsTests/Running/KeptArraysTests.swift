import Kernels
import Models
import Testing

@Suite struct KeptArraysTests {
  /// Positions `range` of a sequence whose number at each is the position's.
  private func positions(_ range: Range<Int>) -> NDArray<Float> {
    NDArray(
      shape: [2, range.count, 1],
      elements: (0..<2).flatMap { member in range.map { Float(100 * member + $0) } })
  }

  /// What there is of the first text.
  private func numbers(_ array: GrowingArray<Float>) -> [Int] {
    (0..<array.count).map { Int(array.array.row($0)[$0]) }
  }

  @Test func `positions are added behind, in room that grows`() {
    var array = GrowingArray(positions(0..<3))
    for position in 3..<40 {
      array.append(positions(position..<position + 1))
      #expect(numbers(array) == Array(0...position))
      #expect(array.array.row(array.array.shape[1] + position) == [Float(100 + position)])
    }
    #expect(array.dropped == 0 && array.array.shape[1] < 80)
  }

  @Test(arguments: [0, 1, 5]) func `what no longer matters is dropped`(_ before: Int) {
    var array = GrowingArray(positions(0..<3), before: before)
    for position in 3..<100 {
      array.append(positions(position..<position + 1))
      #expect(numbers(array) == Array(array.dropped...position))
      #expect(array.dropped <= max(0, position - before))
      #expect(array.count <= max(4, 2 * before + 2) && array.array.shape[1] <= 4 * before + 6)
    }
    #expect(array.dropped >= 100 - 2 * before - 2)
  }

  @Test func `the last positions can be taken away while those before them are there`() {
    var array = GrowingArray(positions(0..<8), before: 3)
    #expect(array.canRemoveLast(8) && !array.canRemoveLast(9))
    array.removeLast(1)
    array.append(positions(7..<9))
    #expect(array.dropped == 4 && numbers(array) == [4, 5, 6, 7, 8])
    // Position 7 needs 4 to 6.
    #expect(array.canRemoveLast(2) && !array.canRemoveLast(3))
    array.removeLast(2)
    array.append(positions(7..<8))
    #expect(numbers(array) == [4, 5, 6, 7])
  }

  @Test func `a recurrent layer's state is replaced, and gone where nothing is kept`() {
    var states = States<Float>(inputs: ModelInputs([:]), keepsKeysAndValues: true)
    #expect(states[kept: "a"] == nil)
    states[kept: "a"] = positions(0..<1)
    states[kept: "a"] = positions(1..<2)
    #expect(states[kept: "a"] == positions(1..<2))
    var others = States<Float>(inputs: ModelInputs([:]))
    others[kept: "a"] = positions(0..<1)
    #expect(others[kept: "a"] == nil)
  }
}
