import TensorCore
import TestSupport
import Testing
import TransformerKit

@Suite struct SliceTests {
  @Test(arguments: [
    ("0:2,:", [0..<2, 0..<5]), ("1", [1..<2, 0..<5]), ("-1,-2", [3..<4, 3..<5 - 1]),
    (":,1:", [0..<4, 1..<5]), ("-3:-1,:-2", [1..<3, 0..<3]), (" 0 : 1 , 2 ", [0..<1, 2..<3]),
    ("2:2,:", [2..<2, 0..<5]), ("0:99,:", [0..<4, 0..<5]), (":", [0..<4, 0..<5]),
    ("4:,5:", [4..<4, 5..<5]), ("-5:,-99:2", [0..<4, 0..<2]),
  ])
  func `is read as numpy reads it`(_ text: String, _ ranges: [Range<Int>]) throws {
    #expect(try Slice.ranges(text, of: [4, 5]) == ranges)
  }

  @Test(arguments: [
    "", ",", "4", "-5", "5:", "-9:-8", "3:1", "a", "1:b", "1:2:3", "0,0,0", "0,5", "1.0", "0x1",
    "99999999999999999999", "--1", "0;1", "...", "\u{661}",
  ])
  func `refuses what is no part of the tensor`(_ text: String) throws {
    let error = try #require(throws: CheckpointError.self) {
      try Slice.ranges(text, of: [4, 5])
    }
    #expect(error.category == .failed)
    #expect(error.description.contains("the slice \"\(text)\""))
  }

  @Test func `a scalar has no axes`() throws {
    #expect(throws: CheckpointError.self) { try Slice.ranges("0", of: []) }
    let scalar = Tensor("x", [], values: [2.5])
    #expect(try scalar.values(in: []) == [.single(2.5)])
  }

  @Test func `takes the elements of the part, in order`() throws {
    let tensor = Tensor("x", [2, 3, 4], values: (0..<24).map { Float($0) })
    let values = try tensor.values(in: Slice.ranges("1,0:2,-2:", of: tensor.shape))
    #expect(values == [14, 15, 18, 19].map { .single($0) })
    #expect(try tensor.values(in: Slice.ranges("0:0", of: tensor.shape)).isEmpty)
    #expect(try tensor.values(in: [0..<2, 0..<3, 0..<4]).count == 24)
  }

  @Test func `takes elements that do not start at bytes`() throws {
    // Codes 0 to 7, four bits each: 0, 0.5, 1, 1.5, 2, 3, 4, 6.
    let tensor = Tensor("x", .f4, [2, 4], bytes: [0x10, 0x32, 0x54, 0x76])
    #expect(try tensor.values(in: [1..<2, 1..<3]) == [.single(3), .single(4)])
    #expect(try tensor.values(in: [0..<2, 3..<4]) == [.single(1.5), .single(6)])
  }

  @Test func `an empty tensor has no elements`() throws {
    let tensor = Tensor("x", [0, 3], values: [])
    #expect(try tensor.values(in: Slice.ranges(":", of: [0, 3])).isEmpty)
  }
}
