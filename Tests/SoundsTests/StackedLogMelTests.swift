import Sounds
import TensorCore
import TestSupport
import Testing

/// Rows of Kaldi's bands of sounds, against what transformers makes of them with numpy.
@Suite struct StackedLogMelTests {
  private static let cases =
    (try? JSONValue(parsing: readFile(fixture("sounds/stacked.json")), grammar: .strict))?
    .elements ?? []

  @Test func `there are cases`() { #expect(Self.cases.count == 10) }

  @Test(arguments: Self.cases.indices)
  func `features are those of SeamlessM4TFeatureExtractor`(_ number: Int) throws {
    let settings = Self.cases[number]
    let mel = StackedLogMel(
      bands: settings["num_mel_bins"]?.int ?? 80, stride: settings["stride"]?.int ?? 2,
      padding: Float(settings["padding_value"]?.double ?? 0),
      padsFirst: settings["padding_side"]?.string == "left",
      rate: settings["sampling_rate"]?.int ?? 16_000)
    let period = try numbers("sound.\(number)", in: "stacked.npz").numbers
    let times = try #require(settings["times"]?.int)
    let silence = [Float](repeating: 0, count: try #require(settings["silence"]?.int))
    let sound = (0..<times).flatMap { _ in period.map { Float($0 / 16_384) } } + silence
    let rows = mel.rows(of: sound.count)
    #expect(rows == settings["rows"]?.int)
    if let mask = settings["mask"]?.string {
      #expect(mel.mask(of: sound.count).map(String.init).joined() == mask)
    }
    let found = mel(sound)
    let expected = try numbers("features.\(number)", in: "stacked.npz")
    let every = try #require(settings["every"]?.int)
    let width = mel.bands * mel.stride
    #expect(expected.shape == [(rows + every - 1) / every, width])
    var (largest, others) = (0.0, 0)
    for (place, row) in stride(from: 0, to: rows, by: every).enumerated() {
      for index in 0..<width {
        let own = Double(found[row * width + index])
        let difference = abs(own - expected.numbers[place * width + index])
        largest = max(largest, difference)
        others += difference > 0 ? 1 : 0
      }
    }
    // Another rounding in the transform shows in few numbers, and there in the last bits of a logarithm.
    let all = expected.numbers.count
    #expect(largest <= 1e-5 && others * 10 <= all, "\(others) of \(all): \(largest)")
  }
}
