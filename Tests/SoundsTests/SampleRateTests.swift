import Sounds
import TensorCore
import TestSupport
import Testing

/// Sounds at other rates, against what librosa makes of them.
@Suite struct SampleRateTests {
  @Test(arguments: [
    ("rate8.wav", 16_000), ("rate44.flac", 16_000), ("pcm16.wav", 22_050), ("stereo.wav", 8000),
  ])
  func `samples are those of librosa, to 1e-7`(_ name: String, _ rate: Int) throws {
    let bytes = readFile(fixture("sounds/\(name)"))
    let sound = try Sound(decoding: bytes, rate: rate, resamples: true)
    let expected = try numbers(name, in: "resampled.npz").numbers
    #expect(sound.rate == rate && sound.ownRate != rate && sound.count == expected.count)
    let differences = zip(sound.samples, expected).map { abs(Double($0) - $1) }
    #expect(sound.samples.count == expected.count)
    #expect(differences.max() ?? 1 <= 1e-7, "\(differences.max() ?? 1)")
    // A limit takes the first of the same.
    let first = try Sound(decoding: bytes, rate: rate, limit: 20, resamples: true)
    #expect(first.samples == Array(sound.samples.prefix(20)) && first.count == expected.count)
  }

  @Test func `a sound that has the rate stays as it is, and others are refused unless asked for`()
    throws
  {
    let bytes = readFile(fixture("sounds/pcm16.wav"))
    #expect(
      try Sound(decoding: bytes, rate: 16_000, resamples: true)
        == Sound(decoding: bytes, rate: 16_000))
    let error = #expect(throws: CheckpointError.self) { _ = try Sound(decoding: bytes, rate: 8000) }
    #expect(error?.advice?.contains("--resample") == true)
  }

  @Test func `a rate that would make too many samples is refused`() {
    var bytes = readFile(fixture("sounds/pcm16.wav"))
    // One sample in a second.
    bytes.replaceSubrange(24..<28, with: [1, 0, 0, 0])
    let error = #expect(throws: CheckpointError.self) {
      _ = try Sound(decoding: bytes, rate: 768_000, resamples: true)
    }
    #expect(error?.description.contains("the number of samples") == true, "\(error as Any)")
  }
}
