import Containers
import Kernels
import Models
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// A fixture's texts, as transformers continues them (Tools/oracle/beams.py).
private let cases = [
  "bart/forced", "bart/fsmt_generate", "bloom/generate", "encoderdecoderpair/bert_bert_generate",
  "encoderdecoderpair/bert_gpt2_generate", "gpt2/generate_left_padded", "llama/mistral_generate",
  "t5/generate", "t5/switch_generate", "xlnet/generate",
]

/// The settings there, in their order.
private let settings: [(BeamSettings, count: Int)] = [
  (BeamSettings(beams: 2), 9), (BeamSettings(beams: 3, lengthPenalty: 2), 9),
  (BeamSettings(beams: 4, lengthPenalty: 0, stopsEarly: true), 9),
  (BeamSettings(beams: 5, lengthPenalty: -1.5), 7),
  // Stopping early makes another text of one of these.
  (BeamSettings(beams: 3, lengthPenalty: 4), 16),
  (BeamSettings(beams: 3, lengthPenalty: 4, stopsEarly: true), 16),
]

@Suite struct BeamSearchTests {
  private func search<Scalar: ComputeScalar>(
    _ folder: String, _ number: Int, _: Scalar.Type
  ) throws -> BeamSearch<Scalar> {
    let inputs = try ArrayFile(fixture("\(folder)/beams.npz")).inputs()
    var search = try BeamSearch<Scalar>(
      Model(fixture(folder)).graph, prompt: inputs, settings: settings[number].0)
    try search.generate(settings[number].count)
    return search
  }

  /// Pictures are repeated for the beams of a text one by one: of several in a text the order would be another one.
  @Test(arguments: ["llava/several", "llava/base"])
  func `texts have a picture each`(_ folder: String) throws {
    let graph = try Model(fixture(folder)).graph
    let inputs = try Golden(fixture("\(folder)/golden.npz")).inputs
    let error = #expect(throws: CheckpointError.self) {
      try BeamSearch<Double>(graph, prompt: inputs, settings: BeamSettings(beams: 2))
    }
    #expect(error?.description.contains("one picture each") == true)
  }

  @Test(arguments: cases, settings.indices)
  func `finds what the framework finds`(_ folder: String, _ number: Int) throws {
    let file = try Checkpoint.open(fixture("\(folder)/beams.npz")).tensors
    let sequences = try #require(file[TensorName("outputs/sequences.\(number)")])
    let scores = try NDArray<Double>(
      reading: #require(file[TensorName("outputs/sequences_scores.\(number)")]))
    let bytes = try sequences.bytes.read(0..<sequences.byteCount)
    let expected = (0..<sequences.elementCount).map {
      sequences.dtype.element(at: $0, of: bytes).int
    }
    let found = try search(folder, number, Double.self)
    #expect(found.sequences.shape == sequences.shape)
    #expect(found.sequences.elements == expected)
    // The framework adds up in single precision.
    for (score, other) in zip(found.scores, scores.elements) {
      #expect(abs(score - other) <= 4e-6 * abs(other))
    }
    #expect(try search(folder, number, Float.self).sequences == found.sequences)
  }

  @Test(arguments: ["gpt2/generate_left_padded", "llama/mistral_generate"])
  func `one beam is the likeliest token after the other`(_ folder: String) throws {
    let graph = try Model(fixture(folder)).graph
    let inputs = try ArrayFile(fixture("\(folder)/generated.npz")).inputs()
    var search = try BeamSearch<Double>(graph, prompt: inputs, settings: BeamSettings(beams: 1))
    var generator = try Generator<Double>(graph, prompt: inputs)
    try search.generate(6)
    try generator.generate(6)
    #expect(search.sequences == generator.sequences)
  }

  @Test func `a vocabulary smaller than the beams, and nothing to add`() throws {
    let inputs = ModelInputs(["input_ids": NDArray(shape: [1, 3], elements: [1, 2, 3])])
    let graph = try Model(fixture("llama/mistral_generate")).graph
    var search = try BeamSearch<Double>(graph, prompt: inputs, settings: BeamSettings(beams: 64))
    try search.generate(2)
    #expect(search.sequences.shape == [1, 5])
    var nothing = try BeamSearch<Double>(graph, prompt: inputs, settings: BeamSettings(beams: 2))
    try nothing.generate(0)
    #expect(nothing.sequences.elements == [1, 2, 3])
  }

  @Test func `a text that becomes too long is refused before anything is computed`() throws {
    let inputs = ModelInputs(["input_ids": NDArray(shape: [1, 3], elements: [1, 2, 3])])
    let graph = try Model(fixture("gpt2/generate")).graph
    var search = try BeamSearch<Float>(graph, prompt: inputs, settings: BeamSettings(beams: 2))
    let error = #expect(throws: CheckpointError.self) { try search.generate(1 << 20) }
    #expect(error?.description.contains("positions") == true)
  }
}
