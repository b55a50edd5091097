import Foundation
import Kernels
import TestSupport
import Testing

/// What transformers computes: Tools/oracle/rotary.py.
private struct Oracle: Decodable {
  struct Settings: Decodable {
    var rope_type: String?
    var rope_theta: Double?
    var factor: Double?
    var partial_rotary_factor: Double?
    var original_max_position_embeddings: Int?
    var low_freq_factor: Double?
    var high_freq_factor: Double?
    var attention_factor: Double?
    var beta_fast: Double?
    var beta_slow: Double?
    var mscale: Double?
    var mscale_all_dim: Double?
    var truncate: Bool?
    var short_factor: [Double]?
    var long_factor: [Double]?
  }

  struct Text: Decodable {
    var length: Int
    var inverse: [Double]
    var attention_factor: Double
    var cosines: [Double]
    var sines: [Double]
  }

  var size: Int
  var longest: Int
  var settings: Settings
  var texts: [Text]

  static func all() throws -> [String: Oracle] {
    let bytes = readFile(fixture("kernels/rotary.json"))
    return try JSONDecoder().decode([String: Oracle].self, from: Data(bytes))
  }

  func rotary() throws -> RotarySettings {
    RotarySettings(size: size, base: settings.rope_theta ?? 10000, scaling: try scaling())
  }

  private func scaling() throws -> RotaryScaling {
    let trained = settings.original_max_position_embeddings ?? 0
    let factor = settings.factor ?? Double(longest) / Double(trained)
    switch settings.rope_type ?? "default" {
    case "default": return .none
    case "linear": return .linear(factor: factor)
    case "dynamic": return .dynamic(factor: factor, longest: longest)
    case "llama3":
      return .llama3(
        factor: factor, lowFrequency: try #require(settings.low_freq_factor),
        highFrequency: try #require(settings.high_freq_factor), trained: trained)
    case "yarn":
      return .yarn(
        YaRN(
          factor: factor, trained: trained, attentionFactor: settings.attention_factor,
          betaFast: settings.beta_fast, betaSlow: settings.beta_slow, mscale: settings.mscale,
          mscaleAllDimensions: settings.mscale_all_dim, truncates: settings.truncate ?? true))
    case "longrope":
      return .longRoPE(
        LongRoPE(
          short: try #require(settings.short_factor), long: try #require(settings.long_factor),
          factor: factor, trained: trained, attentionFactor: settings.attention_factor))
    default:
      let turned = Int(try #require(settings.partial_rotary_factor) * Double(size)) / 2
      return .proportional(factor: factor, turned: turned)
    }
  }
}

@Suite struct RotaryTests {
  @Test func `frequencies, cosines and sines are those of transformers in double precision`() throws
  {
    let cases = try Oracle.all()
    #expect(cases.count == 14)
    for (name, oracle) in cases {
      for text in oracle.texts {
        let frequencies = try oracle.rotary().frequencies(length: text.length)
        #expect(frequencies.inverse.count == text.inverse.count, "\(name)")
        for (ours, theirs) in zip(frequencies.inverse, text.inverse) {
          #expect(abs(ours - theirs) <= 4e-16 * theirs, "\(name) of \(text.length)")
        }
        let error = abs(frequencies.attentionFactor - text.attention_factor)
        #expect(error <= 4e-16, "\(name) of \(text.length)")
        let positions = NDArray(shape: [1, 1], elements: [text.length - 1])
        let table = rotaryTable(positions: positions, frequencies: frequencies, of: Double.self)
        // An angle of some thousand radians is known to some units of its last place.
        #expect(table.error(from: text.cosines + text.sines) <= 1e-11, "\(name) of \(text.length)")
      }
    }
  }

  @Test func `only dynamic and longrope depend on the length`() throws {
    for (name, oracle) in try Oracle.all() {
      let depends = try oracle.rotary().dependsOnLength
      #expect(depends == (name.hasPrefix("dynamic") || name.hasPrefix("longrope")), "\(name)")
    }
  }

  /// Heads, head size, the first number that is turned, pairs, and whether each text has positions of its own.
  private static let forms = [
    (1, 2, 0, 1, false), (3, 8, 0, 4, false), (3, 8, 0, 4, true), (5, 7, 0, 2, true),
    (2, 11, 4, 3, true), (4, 33, 1, 16, false), (2, 5, 0, 0, true),
  ]

  @Test(arguments: forms, [RotaryLayout.halves, .pairs])
  func `pairs turn by the angle of their position`(
    _ form: (heads: Int, size: Int, first: Int, pairs: Int, own: Bool), _ layout: RotaryLayout
  ) {
    check(form, layout, Float.self)
    check(form, layout, Double.self)
  }

  private func check<Scalar: Precision>(
    _ form: (heads: Int, size: Int, first: Int, pairs: Int, own: Bool), _ layout: RotaryLayout,
    _: Scalar.Type
  ) {
    var randoms = Randoms(seed: 21)
    let (batch, length) = (3, 19)
    let x = randoms.array(batch, length, form.heads * form.size, of: Scalar.self)
    let rows = form.own ? batch : 1
    let positions = NDArray(
      shape: [rows, length], elements: (0..<rows * length).map { $0 * 7 % 41 })
    let frequencies = RotaryFrequencies(
      inverse: randoms.array(form.pairs, of: Double.self).elements, attentionFactor: 1.25)
    let table = rotaryTable(positions: positions, frequencies: frequencies, of: Scalar.self)
    let result = rotate(
      x, by: table, heads: form.heads, layout: layout, first: form.first)
    var expected = x.elements.map { Double($0) }
    for row in 0..<batch * length {
      let position = Double(positions.elements[row % (rows * length)])
      for head in 0..<form.heads {
        for pair in 0..<form.pairs {
          let start = (row * form.heads + head) * form.size + form.first
          let (i, j) =
            layout == .halves
            ? (start + pair, start + form.pairs + pair) : (start + 2 * pair, start + 2 * pair + 1)
          let angle = position * frequencies.inverse[pair]
          let (a, b) = (Double(x.elements[i]), Double(x.elements[j]))
          expected[i] = 1.25 * (a * cos(angle) - b * sin(angle))
          expected[j] = 1.25 * (a * sin(angle) + b * cos(angle))
        }
      }
    }
    #expect(result.shape == x.shape)
    #expect(result.error(from: expected) <= Scalar.tolerance, "seed 21")
  }

  @Test func `scores of turned queries and keys depend on their distance alone`() {
    var randoms = Randoms(seed: 22)
    let x = randoms.array(1, 1, 8, of: Double.self)
    let y = randoms.array(1, 1, 8, of: Double.self)
    let frequencies = RotarySettings(size: 8).frequencies(length: 100)
    func score(_ query: Int, _ key: Int) -> Double {
      let turned = [(x, query), (y, key)].map { x, position in
        rotate(
          x,
          by: rotaryTable(
            positions: NDArray(shape: [1, 1], elements: [position]), frequencies: frequencies,
            of: Double.self), heads: 1, layout: .halves)
      }
      return zip(turned[0].elements, turned[1].elements).reduce(0) { $0 + $1.0 * $1.1 }
    }
    for shift in [1, 17, 80] { #expect(abs(score(3, 9) - score(3 + shift, 9 + shift)) < 1e-13) }
    #expect(abs(score(3, 9) - score(9, 3)) > 1e-3)
  }
}
