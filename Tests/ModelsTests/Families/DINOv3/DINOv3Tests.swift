import Models
import TensorCore
import Testing
import Vision

@Suite struct DINOv3Tests {
  @Test(
    arguments: [
      (["hidden_size": 36, "num_attention_heads": 6], "need a multiple of 4"),
      (["rope_theta": 0], "rope_theta is 0"),
      (["image_size": 8], "there is no patch"),
    ] as [([String: JSONValue], String)])
  func `what cannot be is refused`(_ members: [String: JSONValue], _ expected: String) throws {
    let error = try #require(fault { _ = try model(DINOv3.self, members) })
    #expect(error.description.contains(expected), "\(error)")
  }

  @Test func `no registers are a tensor without elements`() throws {
    let slots = try model(DINOv3.self, [:]).declaration().slots
    #expect(slots.first { $0.path == "embeddings.registers.weight" }?.shape == [0, 384])
  }
}
