import Kernels
import Models
import TensorCore
import Testing
import Towers
import Vision

@Suite struct SigLIPTests {
  private func siglip(_ text: JSONValue, _ vision: JSONValue) throws -> SigLIP<FirstSigLIP> {
    try model(SigLIP<FirstSigLIP>.self, ["text_config": text, "vision_config": vision])
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
    _ = try model(SigLIPVision<FirstSigLIP>.self, ["vision_use_head": false])
  }

  @Test func `lists of patches are no longer than is said, and have positions of a square`() throws
  {
    let lists = try model(SigLIPVision<SigLIP2>.self, ["num_patches": 4, "patch_size": 1])
    #expect(
      lists.inputs.map(\.shapeText) == ["[batch, patches, 3]", "[batch, patches]", "[batch, 2]"])
    let probe = lists.probe(longest: 9)
    let grids = try #require(probe["spatial_shapes"])
    #expect(
      (0..<grids.rows).allSatisfy {
        (1...9).contains(grids.elements[2 * $0] * grids.elements[2 * $0 + 1])
      })
    func problem(_ grids: [Int]?) -> String? {
      var inputs = ModelInputs(
        [:], numbers: ["pixel_values": NDArray(shape: [1, 6, 3], repeating: 0.5)])
      inputs["spatial_shapes"] = grids.map { NDArray(shape: [1, 2], elements: $0) }
      return fault { _ = try lists.prepare(inputs) }?.description
    }
    #expect(problem([2, 3]) == nil && problem([1, 1]) == nil)
    #expect(problem([2, 4])?.contains("has 2 × 4 patches in row 0, and 6 are listed") == true)
    #expect(problem([.max / 2, 4])?.contains("patches in row 0, and 6 are listed") == true)
    #expect(problem([0, 3])?.contains("has 0 at element 0, must be 1 or more") == true)
    #expect(problem(nil)?.contains("spatial_shapes is missing") == true)
    let other = fault {
      _ = try model(SigLIPVision<SigLIP2>.self, ["num_patches": 5])
    }
    #expect(other?.description.contains("num_patches is 5, which is no square") == true)
  }
}
