import Decoders
import Models
import TensorCore
import Testing

@Suite struct GPTJTests {
  private func gptJ(_ members: [String: JSONValue]) throws -> GPTJ {
    let sizes: [String: JSONValue] = [
      "vocab_size": 13, "n_embd": 16, "n_head": 2, "n_layer": 1, "rotary_dim": 4,
    ]
    return try model(GPTJ.self, sizes.merging(members) { $1 }, storing: [])
  }

  @Test func `a part of null is the whole head`() throws {
    #expect(try gptJ(["rotary_dim": .null]) == gptJ(["rotary_dim": 8]))
    #expect(try gptJ(["rotary_dim": .null]) != gptJ([:]))
  }

  @Test(
    arguments: [
      ("rotary_dim", 3, "rotary_dim 3 is not possible with heads of 8"),
      ("rotary_dim", 10, "rotary_dim 10 is not possible with heads of 8"),
      ("rotary_dim", 0, "rotary_dim must be from 1"),
      ("n_head", 3, "n_embd 16 is not a multiple of n_head 3"),
    ] as [(String, JSONValue, String)])
  func `what cannot be is refused`(_ key: String, _ value: JSONValue, _ expected: String) throws {
    let error = try #require(fault { _ = try gptJ([key: value]) })
    #expect(error.description.contains(expected), "\(error)")
  }

  @Test func `CodeGen's heads go by four`() throws {
    let error = try #require(
      fault {
        _ = try model(
          CodeGen.self, ["vocab_size": 13, "n_embd": 24, "n_head": 6, "rotary_dim": 4], storing: [])
      })
    #expect(error.description.contains("n_head 6 is not a multiple of 4"))
  }
}
