import Sounds
import TensorCore
import TestSupport
import Testing

/// Normalised features of sounds, against what transformers makes of them in double precision.
@Suite struct NormalizedLogMelTests {
  private static let cases =
    (try? JSONValue(parsing: readFile(fixture("sounds/normalized.json")), grammar: .strict))?
    .elements ?? []

  @Test func `there are cases`() { #expect(Self.cases.count == 4) }

  @Test(arguments: Self.cases.indices)
  func `features are those of ParakeetFeatureExtractor to 3e-6`(_ number: Int) throws {
    let settings = Self.cases[number]
    let preemphasis = settings["preemphasis"]
    let mel = NormalizedLogMel(
      bands: settings["feature_size"]?.int ?? 80, window: settings["win_length"]?.int ?? 400,
      length: settings["n_fft"]?.int ?? 512, hop: settings["hop_length"]?.int ?? 160,
      preemphasis: preemphasis == .null ? 0 : preemphasis?.double ?? 0.97,
      rate: settings["sampling_rate"]?.int ?? 16_000)
    let period = try numbers("sound.\(number)", in: "normalized.npz").numbers
    let times = try #require(settings["times"]?.int)
    let sound = (0..<times).flatMap { _ in period.map { Float($0 / 16_384) } }
    let frames = mel.frames(of: sound.count)
    #expect(frames.all == settings["frames"]?.int)
    #expect(frames.counted == settings["counted"]?.int)
    let found = mel(sound)
    let expected = try numbers("features.\(number)", in: "normalized.npz")
    let every = try #require(settings["every"]?.int)
    #expect(expected.shape == [(frames.all + every - 1) / every, mel.bands])
    var largest = 0.0
    for (place, frame) in stride(from: 0, to: frames.all, by: every).enumerated() {
      for band in 0..<mel.bands {
        let own = Double(found[frame * mel.bands + band])
        largest = max(largest, abs(own - expected.numbers[place * mel.bands + band]))
      }
    }
    #expect(largest <= 3e-6, "\(largest)")
  }
}
