import Sounds
import TensorCore
import TestSupport
import Testing

/// Features of sounds, against what transformers makes of them with numpy.
@Suite struct LogMelTests {
  private static let cases =
    (try? JSONValue(parsing: readFile(fixture("sounds/features.json")), grammar: .strict))?
    .elements ?? []

  @Test func `there are cases`() { #expect(Self.cases.count == 9) }

  @Test(arguments: Self.cases.indices)
  func `features are those of WhisperFeatureExtractor to 1e-6`(_ number: Int) throws {
    let settings = Self.cases[number]
    let rate = settings["sampling_rate"]?.int ?? 16_000
    let mel = LogMel(
      bands: settings["feature_size"]?.int ?? 80, window: settings["n_fft"]?.int ?? 400,
      hop: settings["hop_length"]?.int ?? 160,
      length: rate * (settings["chunk_length"]?.int ?? 30), rate: rate)
    #expect(mel.frames == settings["frames"]?.int)
    let period = try numbers("sound.\(number)", in: "periods.npz").numbers
    let times = try #require(settings["times"]?.int)
    let sound = (0..<times).flatMap { _ in period.map { Float($0 / 16_384) } }
    let found = mel(sound)
    let expected = try numbers("features.\(number)", in: "features.npz")
    let every = try #require(settings["every"]?.int)
    #expect(expected.shape == [mel.bands, (mel.frames + every - 1) / every])
    var largest = 0.0
    for band in 0..<mel.bands {
      for (place, frame) in stride(from: 0, to: mel.frames, by: every).enumerated() {
        let own = Double(found[band * mel.frames + frame])
        let other = expected.numbers[band * expected.shape[1] + place]
        largest = max(largest, abs(own - other))
      }
    }
    #expect(largest <= 1e-6, "\(largest)")
  }
}
