import Encoders
import Models
import TensorCore
import Testing

@Suite struct ALBERTTests {
  private func albert(_ members: [String: JSONValue]) throws -> ALBERT {
    let sizes: [String: JSONValue] = [
      "vocab_size": 13, "hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 5,
      "intermediate_size": 6, "embedding_size": 4,
    ]
    return try model(ALBERT.self, sizes.merging(members) { $1 })
  }

  @Test func `layers are spread over groups, each of which is run as a whole`() throws {
    let form = try albert(["num_hidden_groups": 2, "inner_group_num": 2]).form
    let pass = form.weightsOf.map { $0.map { [$0.group, $0.index] } }
    #expect(
      pass == [
        [0, 0], [0, 1], [0, 0], [0, 1], [0, 0], [0, 1], [1, 0], [1, 1], [1, 0], [1, 1],
      ])
    #expect(form.blocks.count == 10)
  }

  @Test(
    arguments: [
      ("num_hidden_groups", 6, "num_hidden_groups 6 is more than num_hidden_layers 5"),
      ("inner_group_num", 9999, "num_hidden_layers 5 of inner_group_num 9999 blocks each are too"),
    ] as [(String, JSONValue, String)])
  func `what cannot be is refused`(_ key: String, _ value: JSONValue, _ expected: String) throws {
    let error = try #require(fault { _ = try albert([key: value]) })
    #expect(error.description.contains(expected), "\(error)")
  }
}
