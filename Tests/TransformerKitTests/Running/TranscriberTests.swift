import Containers
import Kernels
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing

import TransformerKit

/// Texts of a sound that is longer than the model reads at once, against transformers (Tools/oracle/whisper.py).
@Suite struct TranscriberTests {
  private let scratch = ScratchFolder()

  private static let cases = 10
  private static let extractor = #"{"feature_size": 5, "hop_length": 1300, "chunk_length": 1}"#

  private func model(_ settings: [UInt8]) throws -> Model {
    let folder = scratch.makeFolder("model")
    for file in ["model.safetensors", "config.json"] {
      writeFile(readFile(fixture("whisper/generate/\(file)")), to: folder.appending(file))
    }
    writeFile(settings, to: folder.appending("generation_config.json"))
    writeFile(Array(Self.extractor.utf8), to: folder.appending("preprocessor_config.json"))
    return try Model(folder)
  }

  private func file() throws -> TensorTable {
    try Checkpoint.open(fixture("whisper/generate/long.npz")).tensors
  }

  private func whole(_ name: String, _ file: TensorTable) throws -> [Int] {
    let tensor = try #require(file[TensorName(name)])
    let bytes = try tensor.bytes.read(0..<tensor.byteCount)
    return (0..<tensor.elementCount).compactMap { tensor.dtype.element(at: $0, of: bytes).int }
  }

  private func settings(_ number: Int, _ file: TensorTable) throws -> [UInt8] {
    let tensor = try #require(file[TensorName("settings.\(number)")])
    return try tensor.bytes.read(0..<tensor.byteCount)
  }

  private func features(_ file: TensorTable) throws -> NDArray<Double> {
    let tensor = try #require(file[TensorName("features")])
    var values = [Double](repeating: 0, count: tensor.elementCount)
    var span = values.mutableSpan
    let bytes = try tensor.bytes.read(0..<tensor.byteCount)
    tensor.dtype.widen(unsafe bytes.span.bytes, into: &span)
    return NDArray(shape: tensor.shape, elements: values)
  }

  /// The sound that the fixture describes, as a WAV of 16 bits.
  private func sound(_ file: TensorTable) throws -> FilePath {
    let (period, factors) = (try whole("period", file), try whole("factors", file))
    let samples = factors.flatMap { factor in
      period.flatMap { sample in
        let product = Int((Double(sample * factor) / 16).rounded(.down))
        return littleEndian(UInt16(bitPattern: Int16(clamping: product)))
      }
    }
    let header =
      Array("RIFF".utf8) + littleEndian(UInt32(36 + samples.count)) + Array("WAVEfmt ".utf8)
      + littleEndian(UInt32(16)) + littleEndian(UInt16(1)) + littleEndian(UInt16(1))
      + littleEndian(UInt32(16_000)) + littleEndian(UInt32(32_000)) + littleEndian(UInt16(2))
      + littleEndian(UInt16(16)) + Array("data".utf8) + littleEndian(UInt32(samples.count))
    return scratch.write(header + samples, to: "long.wav")
  }

  private func text<Scalar: ComputeScalar>(
    _ number: Int, _ file: TensorTable, _ features: NDArray<Double>, _: Scalar.Type
  ) throws -> [Int] {
    let model = try model(settings(number, file))
    let following = try GenerationSettings(of: model, writesTimes: true)
    #expect(following.unfollowed == [] && following.hasTimes)
    var transcriber = try #require(Transcriber<Scalar>(model.graph, settings: following))
    #expect(transcriber.window == 12)
    let first = try transcriber.tokens(of: features, atMost: 7)
    // A second sound knows nothing of the first one.
    #expect(try transcriber.tokens(of: features, atMost: 7) == first)
    return first
  }

  @Test(arguments: 0..<Self.cases)
  func `tokens are those of the framework`(_ number: Int) throws {
    let file = try file()
    let features = try features(file)
    let expected = try whole("sequences.\(number)", file)
    #expect(try text(number, file, features, Double.self) == expected)
    #expect(try text(number, file, features, Float.self) == expected)
  }

  @Test func `all of a sound is read from its file`() throws {
    let file = try file()
    let model = try model(settings(0, file))
    let path = try sound(file)
    let (sounds, notes) = try #require(
      try model.wholeSounds([path, path], model.soundProcessor()))
    let expected = try features(file)
    #expect(notes.isEmpty && sounds.map(\.shape) == [[5, 52], [5, 52]])
    let differences = zip(sounds[0].elements, expected.elements).map { abs($0 - $1) }
    #expect(differences.max() ?? 1 <= 2e-6)
    // A short one is filled up to a window.
    let short = try #require(
      try model.wholeSounds([fixture("sounds/stereo.wav")], model.soundProcessor()))
    #expect(short.sounds.map(\.shape) == [[5, 12]])
    let other = try Model(fixture("wav2vec2/ctc"))
    #expect(Transcriber<Float>(other.graph, settings: GenerationSettings()) == nil)
  }

  @Test func `a text is cut where two times stand beside each other`() {
    func cut(_ tokens: [Int]) -> TimedText { TimedText(tokens[...], firstTime: 100) }
    #expect(cut([100, 5, 6]).parts == [[100, 5, 6]] && cut([100, 5, 6]).end == nil)
    #expect(cut([]).parts == [[]])
    let pair = cut([100, 5, 103, 103, 7])
    #expect(pair.parts == [[100, 5, 103, 103]] && pair.end == 3)
    let two = cut([100, 5, 103, 104, 7, 110, 111, 8])
    #expect(two.parts == [[100, 5, 103], [104, 7, 110, 111]] && two.end == 10)
    let whole = cut([100, 5, 103, 104, 7, 110])
    #expect(whole.parts == [[100, 5, 103], [104, 7, 110]] && whole.end == nil)
  }

  @Test func `settings without the token of no times are refused`() throws {
    let model = try model(Array(#"{"return_timestamps": false}"#.utf8))
    let error = #expect(throws: CheckpointError.self) {
      _ = try GenerationSettings(of: model, writesTimes: true)
    }
    #expect(error?.description.contains("no_timestamps_token_id must be an id") == true)
  }
}
