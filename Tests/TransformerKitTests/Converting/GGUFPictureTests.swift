import Containers
import Families
import Kernels
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// GGUF files of what makes vectors of pictures for a decoder: what is in them, and what is not.
@Suite struct GGUFPictureTests {
  private let scratch = ScratchFolder()

  private func options(_ className: String) -> OpenOptions {
    OpenOptions(recognition: RecognitionOptions(className: className, allowsExtra: true))
  }

  @Test(arguments: ["llava/base", "llava/of_4", "llava/several"])
  func `a whole model has no place in the file, and what is before its decoder has`(
    _ name: String
  ) throws {
    let graph = try openModel(name).graph
    let error = #expect(throws: CheckpointError.self) { try graph.translated(to: "gguf") }
    #expect(error?.category == .refused)
    let lines = error?.details ?? []
    for path in ["text.embeddings.word.weight", "text.lm_head.weight", "vision.encoder.norm.bias"] {
      #expect(lines.contains { $0.hasPrefix("no place     \(path)") }, "\(lines)")
    }
    let part = try Model(fixture(name), options: options("LlavaImageFeatures")).graph
    #expect(part.slots.allSatisfy { !$0.path.hasPrefix("text.") })
    let rest = #expect(throws: CheckpointError.self) { try part.translated(to: "gguf") }
    #expect(rest?.details.count == 2 && rest?.details[0].contains("vision.encoder.norm") == true)
  }

  @Test func `what is before the decoder computes the whole model's vectors of pictures`() throws {
    let golden = try Golden(fixture("llava/base/golden.npz"))
    let model = try Model(fixture("llava/base"), options: options("LlavaImageFeatures"))
    let inputs = ModelInputs(
      [:], numbers: golden.inputs.numbers.filter { $0.key == "pixel_values" })
    var pass = try ForwardPass<Double>(model.graph, inputs: inputs)
    let outputs = try pass.run(hiddenStates: false)
    #expect(outputs.map(\.name) == ["image_hidden_states"])
    let expected = try #require(golden.outputs.first { $0.name == "image_hidden_states" })
    #expect(Deviation("", outputs[0].array, from: expected.array).relative < 1e-11)
  }

  /// A file of llama.cpp's script, with bytes behind a text in it exchanged for others.
  private func changed(
    _ file: String, behind text: String, at offset: Int, _ bytes: [UInt8]
  ) throws -> FilePath {
    var whole = readFile(fixture("containers/gguf/models/\(file).gguf"))
    let place = try #require(whole.firstRange(of: Array(text.utf8))).upperBound + offset
    whole.replaceSubrange(place..<place + bytes.count, with: bytes)
    return scratch.write(whole, to: "changed.gguf")
  }

  @Test func `a projector of another kind is no model that is known`() throws {
    // The type of the value, 4 bytes, and the length of the text, 8.
    let path = try changed("llava", behind: "clip.projector_type", at: 12, Array("ldp".utf8))
    let error = #expect(throws: CheckpointError.self) { try Model(path) }
    #expect(error?.category == .unsupported)
    #expect(error?.problem.text.contains("the architecture \"clip\" is not supported") == true)
  }

  @Test(
    arguments: ["clip_vision", "clip_projection", "siglip_vision", "siglip_headless", "llava"],
    [
      "image_size", "patch_size", "embedding_length", "feed_forward_length", "projection_dim",
      "attention.head_count", "attention.layer_norm_epsilon", "block_count",
    ])
  func `sizes that a file claims are not believed`(_ file: String, _ key: String) throws {
    for value in [0, 1, 3, 1 << 16, 0x7FFF_FFFF, 0xFFFF_FFFF] as [UInt32] {
      let bytes = (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
      let path = try changed(file, behind: "clip.vision.\(key)", at: 4, bytes)
      do {
        let model = try Model(path)
        // What is taken shows in no shape, or is what it was.
        #expect(!["embedding_length", "block_count"].contains(key) || value == 1 || value == 3)
        #expect(model.graph.slots.count > 20)
      } catch {
        #expect(!error.problem.text.isEmpty)
      }
    }
  }

  @Test(arguments: ["llava", "llava_layers"])
  func `states that an encoder does not have are read of no file`(_ file: String) throws {
    // The type of the value, that of what is listed, and how many there are: 4, 4 and 8 bytes.
    for layer in [4, 99, 0x7FFF_FFFF, 0xFFFF_FF00] as [UInt32] {
      let bytes = (0..<4).map { UInt8(truncatingIfNeeded: layer >> (8 * $0)) }
      let path = try changed(file, behind: "clip.vision.feature_layer", at: 16, bytes)
      let error = #expect(throws: CheckpointError.self) { try Model(path) }
      #expect(
        error.map { "\($0)".contains("vision_feature_layer") } == true,
        "\(String(describing: error))")
    }
  }

  @Test func `of a file that does not say which state is read, it is the last one but one`() throws
  {
    let model = try Model(fixture("containers/gguf/models/llava_unsaid.gguf"))
    let blocks = model.graph.slots.filter { $0.path.hasSuffix("attention.query.weight") }
    #expect(blocks.count == 3)
    #expect(model.graph.config["vision_feature_layer"] == 2)
  }
}
