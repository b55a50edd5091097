import Containers
import Kernels
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// Files of sounds as inputs of models, and the texts of what models score, against transformers' feature extractors and
/// tokenizer.
@Suite struct SoundInputTests {
  /// A folder with a model of the fixtures, and more files.
  private func model(
    _ name: String, _ files: [String: String], in scratch: ScratchFolder
  ) throws -> Model {
    let folder = scratch.makeFolder("model")
    for file in ["model.safetensors", "config.json"] {
      writeFile(readFile(fixture("\(name)/\(file)")), to: folder.appending(file))
    }
    for (file, text) in files { writeFile(Array(text.utf8), to: folder.appending(file)) }
    return try Model(folder)
  }

  private func expected(
    _ name: String, in file: String = "processed.npz"
  ) throws -> NDArray<Double> {
    let table = try Checkpoint.open(fixture("sounds/\(file)")).tensors
    let tensor = try #require(table[TensorName(name)])
    let bytes = try tensor.bytes.read(0..<tensor.byteCount)
    var values = [Double](repeating: 0, count: tensor.elementCount)
    var span = values.mutableSpan
    tensor.dtype.widen(unsafe bytes.span.bytes, into: &span)
    return NDArray(shape: [1] + tensor.shape, elements: values)
  }

  private static let bands = #"{"feature_size": 5, "hop_length": 1300, "chunk_length": 1}"#
  private let sound = fixture("sounds/stereo.wav")

  private func check(_ found: NDArray<Double>?, _ name: String) throws {
    let expected = try expected(name)
    let found = try #require(found)
    #expect(found.shape == expected.shape)
    let differences = zip(found.elements, expected.elements).map { abs($0 - $1) }
    #expect(differences.max() ?? 1 <= 1e-6, "\(name)")
  }

  @Test func `a sound becomes what the feature extractor makes of it`() throws {
    let scratch = ScratchFolder()
    let model = try model(
      "whisper/generate", ["preprocessor_config.json": Self.bands], in: scratch)
    let read = try model.inputs(sounds: [sound], model.soundProcessor())
    try check(read.inputs.numbers["input_features"], "input_features")
    #expect(read.notes.isEmpty)
    let two = try model.inputs(sounds: [sound, sound], model.soundProcessor())
    #expect(two.inputs.numbers["input_features"]?.shape == [2, 5, 12])
  }

  @Test(arguments: [true, false])
  func `samples are normalised if the file says so`(_ isNormalized: Bool) throws {
    let scratch = ScratchFolder()
    let settings = #"{"do_normalize": \#(isNormalized), "sampling_rate": 16000}"#
    let model = try model("wav2vec2/ctc", ["preprocessor_config.json": settings], in: scratch)
    let read = try model.inputs(sounds: [sound], model.soundProcessor())
    try check(read.inputs.numbers["input_values"], "input_values.\(isNormalized)")
  }

  @Test func `normalised bands have a mask, in which the last frame is padding`() throws {
    let scratch = ScratchFolder()
    let settings = #"{"feature_extractor": {"feature_size": 8}}"#
    let model = try model("parakeet/ctc", ["processor_config.json": settings], in: scratch)
    let read = try model.inputs(sounds: [sound, sound], model.soundProcessor())
    let expected = try expected("normalized")
    let found = try #require(read.inputs.numbers["input_features"])
    #expect(found.shape == [2, 5, 8])
    #expect(read.inputs["attention_mask"]?.elements == [1, 1, 1, 1, 0, 1, 1, 1, 1, 0])
    // transformers computes in single precision.
    let differences = zip(found.elements, expected.elements + expected.elements).map {
      abs($0 - $1)
    }
    #expect(differences.max() ?? 1 <= 2e-5, "\(differences.max() ?? 1)")
    var pass = try ForwardPass<Float>(model.graph, inputs: read.inputs)
    #expect(try pass.run(hiddenStates: false).first?.array.shape == [2, 2, 11])
  }

  private static let rows =
    #"{"feature_extractor_type": "SeamlessM4TFeatureExtractor", "feature_size": 3, "num_mel_bins": 3}"#

  @Test func `rows of frames, which of them count, and scores are those of transformers`() throws {
    let scratch = ScratchFolder()
    let model = try model(
      "wav2vec2/bert_ctc", ["preprocessor_config.json": Self.rows], in: scratch)
    let sound = fixture("sounds/frames29.flac")
    let read = try model.inputs(sounds: [sound], model.soundProcessor())
    // 29 frames of 3 bands: the last row has a frame of padding.
    let features = try expected("file.input_features", in: "stacked.npz")
    #expect(read.inputs.numbers["input_features"] == features)
    #expect(features.shape == [1, 15, 6] && features.elements.suffix(3) == [0, 0, 0])
    let mask = try expected("file.attention_mask", in: "stacked.npz")
    #expect(read.inputs["attention_mask"]?.elements == mask.elements.map { Int($0) })
    #expect(mask.elements == [Double](repeating: 1, count: 14) + [0])
    var pass = try ForwardPass<Double>(model.graph, inputs: read.inputs)
    let found = try #require(try pass.run(hiddenStates: false).first?.array)
    let logits = try expected("file.logits", in: "stacked.npz")
    #expect(found.shape == logits.shape)
    let differences = zip(found.elements, logits.elements).map { abs($0 - $1) }
    #expect(differences.max() ?? 1 <= 1e-12, "\(differences.max() ?? 1)")
    let two = try model.inputs(sounds: [sound, sound], model.soundProcessor())
    #expect(two.inputs.numbers["input_features"]?.shape == [2, 15, 6])
    #expect(two.inputs["attention_mask"]?.shape == [2, 15])
  }

  @Test(arguments: [
    (#""return_attention_mask": false"#, nil, 0), (#""return_attention_mask": null"#, nil, 0),
    (#""padding_side": "left", "padding_value": 2.5"#, [Int](repeating: 1, count: 15), 2.5),
  ])
  func `the file says where a frame is filled in, and if it is said which count`(
    _ more: String, _ mask: [Int]?, _ padding: Double
  ) throws {
    let scratch = ScratchFolder()
    let settings = Self.rows.dropLast() + ", \(more)}"
    let model = try model(
      "wav2vec2/bert_ctc", ["preprocessor_config.json": String(settings)], in: scratch)
    let read = try model.inputs(
      sounds: [fixture("sounds/frames29.flac")], model.soundProcessor())
    #expect(read.inputs["attention_mask"]?.elements == mask)
    let elements = try #require(read.inputs.numbers["input_features"]?.elements)
    let filled = mask == nil ? elements.suffix(3) : elements.prefix(3)
    #expect(Array(filled) == [padding, padding, padding])
  }

  @Test func `a sound of fewer than two frames, or than a row, is refused in a line`() throws {
    let scratch = ScratchFolder()
    let model = try model(
      "wav2vec2/bert_ctc", ["preprocessor_config.json": Self.rows], in: scratch)
    for count in [1, 399, 400, 559] {
      let wave = readFile(fixture("sounds/pcm16.wav")).prefix(44 + 2 * count)
      let path = scratch.write(Array(wave), to: "short.wav")
      let error = #expect(throws: CheckpointError.self) {
        _ = try model.inputs(sounds: [path], model.soundProcessor())
      }
      let text = "is \(count) samples long; a variance is of two frames, 560"
      #expect(error?.description.contains(text) == true, "\(error as Any)")
    }
    let least = scratch.write(
      Array(readFile(fixture("sounds/pcm16.wav")).prefix(44 + 2 * 560)), to: "least.wav")
    let read = try model.inputs(sounds: [least], model.soundProcessor())
    #expect(read.inputs.numbers["input_features"]?.shape == [1, 1, 6])
    let other = ScratchFolder()
    let wide = try self.model(
      "wav2vec2/bert_ctc",
      ["preprocessor_config.json": Self.rows.dropLast() + #", "stride": 64}"#], in: other)
    let error = #expect(throws: CheckpointError.self) {
      _ = try wide.inputs(sounds: [least], wide.soundProcessor())
    }
    #expect(error?.description.contains("is 2 frames long; stride says 64") == true)
  }

  @Test func `without a class the usual one of its kind is meant, which makes samples`() throws {
    let scratch = ScratchFolder()
    let model = try model("wav2vec2/bert_ctc", ["preprocessor_config.json": "{}"], in: scratch)
    let error = #expect(throws: CheckpointError.self) {
      _ = try model.inputs(sounds: [sound], model.soundProcessor())
    }
    let text = "reads no input_values of Wav2Vec2FeatureExtractor"
    #expect(error?.description.contains(text) == true, "\(error as Any)")
  }

  @Test func `bands of the other axes are refused, and sounds of one frame`() throws {
    let scratch = ScratchFolder()
    let whisper = #"{"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 8}"#
    let parakeet = try model("parakeet/ctc", ["preprocessor_config.json": whisper], in: scratch)
    let error = #expect(throws: CheckpointError.self) {
      _ = try parakeet.inputs(sounds: [sound], parakeet.soundProcessor())
    }
    #expect(error?.description.contains("of WhisperFeatureExtractor") == true, "\(error as Any)")
    let other = ScratchFolder()
    let model = try model(
      "parakeet/ctc", ["preprocessor_config.json": #"{"feature_size": 8, "hop_length": 400}"#],
      in: other)
    let short = #expect(throws: CheckpointError.self) {
      _ = try model.inputs(sounds: [sound], model.soundProcessor())
    }
    #expect(short?.description.contains("a variance is of two frames, 800") == true)
  }

  @Test func `of a sound that is too long the rest is left out, which is said`() throws {
    let scratch = ScratchFolder()
    // 100 samples of 16,000 in a second are read: a chunk of one second at that rate.
    let settings =
      #"{"feature_size": 5, "hop_length": 50, "chunk_length": 1, "sampling_rate": 600, "n_fft": 400}"#
    let model = try model("whisper/generate", ["preprocessor_config.json": settings], in: scratch)
    var wave = readFile(fixture("sounds/pcm16.wav"))
    wave.replaceSubrange(24..<28, with: [88, 2, 0, 0])
    let path = scratch.write(wave, to: "long.wav")
    let read = try model.inputs(sounds: [path], model.soundProcessor())
    #expect(read.notes == ["\(path.string) is 1.1 s long; the model reads the first 1.0 s"])
    #expect(read.inputs.numbers["input_features"]?.shape == [1, 5, 12])
  }

  private static func rows(_ more: String) -> String {
    #"{"feature_extractor_type": "SeamlessM4TFeatureExtractor", \#(more)}"#
  }

  @Test(arguments: [
    (#"{"feature_extractor_type": "OtherExtractor"}"#, "OtherExtractor is not known"),
    (#"{"dither": 0.1}"#, "dither is 0.1"), (#"{"padding_value": 1}"#, "padding_value is 1"),
    (#"{"n_fft": 0}"#, "n_fft must be from 1"), (#"{"hop_length": -1}"#, "hop_length must be"),
    (#"{"chunk_length": 100000}"#, "chunk_length must be"),
    (#"{"n_fft": 1}"#, "n_fft is 1 at 16000"),
    (
      #"{"feature_extractor_type": "ParakeetFeatureExtractor", "win_length": 600}"#,
      "win_length is 600, n_fft 512"
    ),
    (
      #"{"feature_extractor_type": "ParakeetFeatureExtractor", "preemphasis": 2}"#,
      "preemphasis must be from 0 to 1"
    ),
    (rows(#""stride": 1"#), "stride is 1: return_attention_mask"),
    (rows(#""stride": 0"#), "stride must be from 1"),
    (rows(#""stride": 1000000000"#), "stride must be from 1"),
    (rows(#""num_mel_bins": -3"#), "num_mel_bins must be from 1"),
    (rows(#""num_mel_bins": 1e9"#), "num_mel_bins must be from 1"),
    (rows(#""feature_size": 1"#), "feature_size is 1"),
    (rows(#""sampling_rate": 41"#), "sampling_rate is 41"),
    (rows(#""padding_side": "middle""#), #"padding_side must be "left" or "right""#),
    (rows(#""padding_side": null"#), "padding_side must be"),
    (rows(#""padding_value": null"#), "padding_value must be a number"),
    (rows(#""padding_value": 1e39"#), "padding_value must be a number"),
    (rows(#""return_attention_mask": 2"#), "return_attention_mask must be true or false"),
  ])
  func `what is not understood is refused with the file's name`(
    _ settings: String, _ reason: String
  ) throws {
    let scratch = ScratchFolder()
    let model = try model(
      "whisper/generate", ["preprocessor_config.json": settings], in: scratch)
    let error = #expect(throws: CheckpointError.self) { _ = try model.soundProcessor() }
    #expect(error?.description.contains(reason) == true, "\(error as Any)")
    #expect(error?.file?.hasSuffix("preprocessor_config.json") == true)
  }

  @Test func `without a processor's file it is missing, and a model of texts reads no sounds`()
    throws
  {
    let scratch = ScratchFolder()
    let sounds = try model("whisper/generate", [:], in: scratch)
    let missing = #expect(throws: CheckpointError.self) { _ = try sounds.soundProcessor() }
    #expect(missing?.problem.isMissing == true)
    let other = ScratchFolder()
    let texts = try model("bert/base", ["preprocessor_config.json": "{}"], in: other)
    let error = #expect(throws: CheckpointError.self) { _ = try texts.soundProcessor() }
    #expect(error?.description.contains("bert reads no files of sounds") == true)
  }

  // MARK: Texts

  private static let file = try? JSONValue(
    parsing: readFile(fixture("wav2vec2/ctc/transcripts.json")), grammar: .strict)

  @Test(arguments: 0..<4)
  func `texts of characters are those of transformers`(_ number: Int) throws {
    let one = try #require(Self.file?["cases"]?.elements?[number])
    let rows = try #require(
      Self.file?["ids"]?.elements?.map { $0.elements?.compactMap(\.int) ?? [] })
    let places = rows[0].count
    var scores = NDArray<Float>(shape: [rows.count, places, 13], repeating: 0)
    for (row, ids) in rows.enumerated() {
      for (place, id) in ids.enumerated() { scores.elements[(row * places + place) * 13 + id] = 1 }
    }
    let scratch = ScratchFolder()
    let model = try model(
      "wav2vec2/ctc",
      [
        "vocab.json": one["vocabulary"]?.text() ?? "",
        "tokenizer_config.json": one["settings"]?.text() ?? "",
      ], in: scratch)
    let found = try model.transcripts([NamedArray(name: "logits", array: scores)])
    #expect(found?.map(\.text) == one["texts"]?.elements?.map(\.string))
  }

  @Test func `texts of tokens are those of transformers, by the tokenizer beside the model`() throws
  {
    let file = try JSONValue(
      parsing: readFile(fixture("parakeet/ctc/transcripts.json")), grammar: .strict)
    let rows = try #require(
      file["ids"]?.elements?.map { $0.elements?.compactMap(\.int) ?? [] })
    let (places, count) = (rows[0].count, try #require(file["count"]?.int))
    var scores = NDArray<Float>(shape: [rows.count, places, count], repeating: 0)
    for (row, ids) in rows.enumerated() {
      for (place, id) in ids.enumerated() {
        scores.elements[(row * places + place) * count + id] = 1
      }
    }
    let scratch = ScratchFolder()
    let model = try model(
      "parakeet/ctc", ["tokenizer.json": file["tokenizer"]?.text() ?? ""], in: scratch)
    let found = try model.transcripts([NamedArray(name: "logits", array: scores)])
    #expect(found?.map(\.text) == file["texts"]?.elements?.map(\.string))
    // Token 10 stands for none.
    #expect(found?.allSatisfy { !$0.ids.contains(10) } == true)
  }

  @Test func `without a vocabulary there are ids, without repeated ones and blanks`() throws {
    let scratch = ScratchFolder()
    let model = try model("wav2vec2/ctc", [:], in: scratch)
    let ids = [0, 5, 5, 0, 5, 2, 2, 0]
    var scores = NDArray<Float>(shape: [1, 8, 13], repeating: 0)
    for (place, id) in ids.enumerated() { scores.elements[place * 13 + id] = 1 }
    let found = try model.transcripts([NamedArray(name: "logits", array: scores)])
    #expect(found == [Transcript(ids: [5, 5, 2], text: nil)])
    let base = try Model(fixture("wav2vec2/base"))
    #expect(try base.transcripts([NamedArray(name: "logits", array: scores)]) == nil)
  }
}
