import Models
import TensorCore
import Testing
import Towers

@Suite struct SigLIPTests {
  private func siglip(_ text: JSONValue, _ vision: JSONValue) throws -> SigLIP {
    try model(SigLIP.self, ["text_config": text, "vision_config": vision])
  }

  @Test func `what is compared must be equally wide`() throws {
    let vision: JSONValue = ["hidden_size": 12]
    _ = try siglip(["hidden_size": 12], vision)
    _ = try siglip(["hidden_size": 24, "projection_size": 12], vision)
    let error = try #require(fault { _ = try siglip(["hidden_size": 24], vision) })
    #expect(error.description.contains("must be equally wide"), "\(error)")
  }

  @Test func `nothing is compared with pictures for which nothing stands`() throws {
    let error = try #require(
      fault { _ = try siglip([:], ["vision_use_head": false]) })
    #expect(error.description.contains("vision_use_head is false"), "\(error)")
    _ = try model(SigLIPVision.self, ["vision_use_head": false])
  }
}
