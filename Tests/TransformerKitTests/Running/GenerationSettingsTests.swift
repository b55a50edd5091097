import Containers
import Kernels
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// Texts that transformers has continued as a generation_config.json says (Tools/oracle/generation_settings.py).
private let cases = [
  "bart/generate", "gpt2/generate_left_padded", "llama/mistral_generate", "t5/generate",
]

/// What a model's files say of continuing texts.
@Suite struct GenerationSettingsTests {
  private let scratch = ScratchFolder()

  /// A fixture's model with a generation_config.json, or other settings in config.json.
  private func model(
    _ name: String, _ settings: [UInt8]?, config: (String) -> String = { $0 }
  ) throws -> Model {
    let folder = scratch.makeFolder("model")
    for file in ["model.safetensors", "config.json"] {
      writeFile(readFile(fixture("\(name)/\(file)")), to: folder.appending(file))
    }
    let text = String(decoding: readFile(folder.appending("config.json")), as: UTF8.self)
    writeFile(Array(config(text).utf8), to: folder.appending("config.json"))
    if let settings { writeFile(settings, to: folder.appending("generation_config.json")) }
    return try Model(folder)
  }

  private func continued<Scalar: ComputeScalar>(
    _ model: Model, _ inputs: ModelInputs, _: Scalar.Type
  ) throws -> NDArray<Int> {
    let settings = try GenerationSettings(of: model)
    if let search = settings.search {
      var found = try BeamSearch<Scalar>(
        model.graph, prompt: inputs, settings: search, following: settings)
      try found.generate(9)
      return found.sequences
    }
    var generator = try Generator<Scalar>(model.graph, prompt: inputs, settings: settings)
    try generator.generate(9)
    return generator.sequences
  }

  @Test(arguments: cases, 0..<10)
  func `texts are those of the framework`(_ name: String, _ number: Int) throws {
    try check(name, number)
  }

  /// Languages that are named or found, tasks, older settings of both, tokens that never come, and times
  /// (Tools/oracle/whisper.py).
  @Test(arguments: 0..<16)
  func `texts of sounds are those of the framework`(_ number: Int) throws {
    try check("whisper/generate", number)
  }

  private func check(_ name: String, _ number: Int) throws {
    let path = fixture("\(name)/settings.npz")
    let file = try Checkpoint.open(path).tensors
    let settings = try #require(file[TensorName("settings.\(number)")])
    let sequences = try #require(file[TensorName("outputs/sequences.\(number)")])
    let bytes = try sequences.bytes.read(0..<sequences.byteCount)
    let expected = (0..<sequences.elementCount).map {
      sequences.dtype.element(at: $0, of: bytes).int
    }
    let inputs = try ArrayFile(path).inputs()
    let model = try model(name, settings.bytes.read(0..<settings.byteCount))
    #expect(try GenerationSettings(of: model).unfollowed == [])
    let found = try continued(model, inputs, Double.self)
    #expect(found.shape == sequences.shape)
    #expect(found.elements == expected)
    #expect(try continued(model, inputs, Float.self) == found)
  }

  @Test func `config.json says them where there is no other file`() throws {
    let name = "llama/mistral_generate"
    let inputs = try ArrayFile(fixture("\(name)/settings.npz")).inputs()
    let plain = try continued(model(name, nil), inputs, Double.self)
    // The first word that is added to the first text.
    let word = plain.elements[inputs.required("input_ids").width]
    let member = #""suppress_tokens": [\#(word)]"#
    let inConfig = try model(name, nil) { $0.replacing("{\n", with: "{\n\(member),\n") }
    #expect(try GenerationSettings(of: inConfig).file == "config.json")
    let first = try continued(inConfig, inputs, Double.self)
    #expect(try first == continued(model(name, Array("{\(member)}".utf8)), inputs, Double.self))
    #expect(first != plain)
  }

  @Test func `what is not followed is named`() throws {
    let text = """
      {"do_sample": true, "num_return_sequences": 1, "guidance_scale": 1.0, "early_stopping": "never",
       "encoder_no_repeat_ngram_size": 3, "sequence_bias": [[[1], 2.0]], "other": 1, "stop_strings": null,
       "max_length": 50, "top_p": 0.9, "decoder_start_token_id": 5}
      """
    let found = try GenerationSettings(of: model("t5/generate", Array(text.utf8))).unfollowed
    #expect(
      found.map { $0.split(separator: " ")[0] }.sorted() == [
        "decoder_start_token_id", "do_sample", "early_stopping", "encoder_no_repeat_ngram_size",
        "other", "sequence_bias",
      ])
  }

  @Test(arguments: [
    #"{"num_beams": 0}"#, #"{"num_beams": 65}"#, #"{"min_length": -1}"#, #"{"min_length": 1e99}"#,
    #"{"repetition_penalty": 0}"#, #"{"repetition_penalty": "a"}"#, #"{"eos_token_id": "a"}"#,
    #"{"no_repeat_ngram_size": 99999999999999999999}"#, #"{"bad_words_ids": [[]]}"#,
    #"{"suppress_tokens": [1.5]}"#, "{", "",
  ])
  func `a file that cannot be is said by its name`(_ text: String) throws {
    let model = try model("gpt2/generate", Array(text.utf8))
    let error = #expect(throws: CheckpointError.self) { try GenerationSettings(of: model) }
    #expect(error?.file == "generation_config.json")
  }

  @Test(arguments: [
    #"{"eos_token_id": [-1, 99999999]}"#, #"{"suppress_tokens": [-5, 99999999]}"#,
    #"{"no_repeat_ngram_size": 1000000000000}"#, #"{"min_length": 1000000000000}"#,
    #"{"forced_bos_token_id": 99999999, "forced_eos_token_id": [-1]}"#, "{}", "[]",
  ])
  func `numbers that no text reaches end nothing`(_ text: String) throws {
    let model = try model("gpt2/generate", Array(text.utf8))
    let inputs = ModelInputs(["input_ids": NDArray(shape: [1, 1], elements: [1])])
    #expect(try continued(model, inputs, Double.self).rows == 1)
  }
}
