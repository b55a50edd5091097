import Decoders
import Models
import TensorCore
import Testing

@Suite struct GPTNeoTests {
  private func neo(_ members: [String: JSONValue]) throws -> GPTNeo {
    let sizes: [String: JSONValue] = [
      "vocab_size": 13, "hidden_size": 16, "num_heads": 2, "num_layers": 4, "window_size": 5,
    ]
    return try model(GPTNeo.self, sizes.merging(members) { $1 }, storing: [])
  }

  private func windows(_ members: [String: JSONValue]) throws -> [Int?] {
    try neo(members).form.blocks.map(\.attention.shape.window)
  }

  @Test func `groups of layers come as often as they say`() throws {
    #expect(try windows(["attention_types": [[["global", "local"], 2]]]) == [nil, 5, nil, 5])
    #expect(
      try windows(["attention_types": [[["local"], 1], [["global"], 3], [["local"], 0]]])
        == [5, nil, nil, nil])
  }

  @Test func `a list of layers goes before the groups`() throws {
    let list: JSONValue = ["local", "local", "global", "global"]
    #expect(
      try windows(["attention_types": [[["global"], 4]], "attention_layers": list])
        == [5, 5, nil, nil])
    #expect(
      try neo(["attention_layers": list, "window_size": .null]).form.blocks[0].attention.shape
        .window
        == 256)
  }

  @Test(
    arguments: [
      ([[["global"], 3]], "attention_types has fewer layers than num_layers says, 4"),
      ([[["global"], 1_000_000_000]], "attention_types has more layers than num_layers says, 4"),
      ([[["strided"], 4]], "attention_types [\"strided\"] is not known"),
      ([["global", 4]], "attention_types must be a list of names and how often they come"),
      ([[["global"], -1]], "attention_types must be a list of names and how often they come"),
      (3, "attention_types must be a list of names and how often they come"),
    ] as [(JSONValue, String)])
  func `groups that cannot be are refused`(_ types: JSONValue, _ expected: String) throws {
    let error = try #require(fault { _ = try neo(["attention_types": types]) })
    #expect(([error.description] + error.details).contains { $0.contains(expected) }, "\(error)")
  }
}
