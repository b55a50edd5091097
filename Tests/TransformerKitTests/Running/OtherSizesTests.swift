import Kernels
import Models
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// Pictures of another size than the config says: what is refused, and why. What is computed the goldens show.
@Suite struct OtherSizesTests {
  /// What is said of a picture of that size, with a number for each of so many patches; `nil` if it is read.
  private func problem(
    _ name: String, _ height: Int, _ width: Int, noise: Int? = nil, isMasked: Bool = false
  ) throws -> String? {
    let graph = try openModel(name).graph
    var inputs = ModelInputs([:])
    inputs.numbers["pixel_values"] = NDArray(shape: [1, 3, height, width], repeating: 0.5)
    inputs.numbers["noise"] = noise.map { NDArray(shape: [1, $0], repeating: 0) }
    if isMasked {
      let slot = try #require(
        graph.architecture.inputs.first { $0.name == "bool_masked_pos" })
      guard case .size(let patches)? = slot.axes.last else { return "no size" }
      inputs["bool_masked_pos"] = NDArray(shape: [1, patches], repeating: 1)
    }
    do {
      _ = try graph.architecture.prepare(inputs)
      return nil
    } catch {
      return error.problem.text
    }
  }

  /// Swin's windows are 3 patches of 2 pixels, 2 stages: 5 rows are 3 behind the first one, 4 are 2.
  @Test func `each stage of the first Swin has a whole window, or the picture is refused`() throws {
    #expect(try problem("swin/larger", 9, 40) == nil)
    #expect(try problem("swin/larger", 8, 40)?.contains("height from 9 on") == true)
    #expect(try problem("swin/larger", 40, 8)?.contains("width from 9 on") == true)
    #expect(try problem("swin/v2_larger", 1, 40) == nil)
  }

  @Test func `a table of positions is for whole patches`() throws {
    #expect(try problem("swin/absolute_larger", 12, 16) == nil)
    #expect(try problem("swin/absolute_larger", 13, 16)?.contains("whole patches") == true)
    #expect(try problem("mae/larger", 13, 9) == nil)
    #expect(try problem("mae/decoder_smaller", 12, 8) == nil)
    #expect(try problem("mae/decoder_smaller", 13, 8)?.contains("whole patches") == true)
  }

  @Test func `noise has a number for each patch of the picture`() throws {
    #expect(try problem("mae/larger", 10, 8, noise: 20) == nil)
    #expect(try problem("mae/larger", 10, 8, noise: 9)?.contains("must have 20") == true)
    #expect(try problem("mae/larger", 6, 6, noise: 20)?.contains("must have 9") == true)
  }

  @Test func `masks, and pictures made of patches, have the size of the config`() throws {
    #expect(try problem("beit/masked_wide", 6, 6, isMasked: true) == nil)
    let wide = try problem("beit/masked_wide", 6, 8, isMasked: true)
    #expect(wide?.contains("of the size that the config says") == true)
    #expect(try problem("swin/masked", 6, 6) == nil)
    #expect(try problem("swin/masked", 12, 12)?.contains("must be [batch, 3, 6, 6]") == true)
  }
}
