import Kernels
import Models
import TensorCore
import TestSupport
import Testing

/// Models that turn a part of each head, by the configs that old and new versions write: what transformers
/// computes from them (Tools/oracle/rotary.py).
private struct PartialCase: CustomTestStringConvertible {
  let name: String
  let json: JSONValue

  var testDescription: String { name }

  static let all: [PartialCase] = {
    let bytes = readFile(fixture("kernels/rotary_partial.json"))
    let json = try? JSONValue(parsingChecked: bytes)
    return (json?.members ?? []).map { PartialCase(name: $0.key, json: $0.value) }
  }()

  var headSize: Int { query.count }
  var query: [Double] { numbers(json["query"]) }

  /// What each architecture knows beside its config.
  var defaults: RotaryDefaults {
    switch name.prefix(while: { $0 != "-" }) {
    case "neox":
      RotaryDefaults(
        fraction: 0.25, headSize: headSize, positions: 2048, thetaKey: "rotary_emb_base",
        fractionKey: "rotary_pct")
    case "phi": RotaryDefaults(fraction: 0.5, headSize: headSize, positions: 2048)
    case "stablelm": RotaryDefaults(fraction: 0.25, headSize: headSize, positions: 4096)
    default: RotaryDefaults(headSize: headSize, positions: 4096)
    }
  }

  func numbers(_ value: JSONValue?) -> [Double] { (value?.elements ?? []).compactMap(\.double) }
}

@Suite struct PartialRotaryTests {
  @Test func `the cases are there`() { #expect(PartialCase.all.count == 14) }

  @Test(arguments: PartialCase.all)
  private func `a part of each head is turned as transformers turns it`(_ form: PartialCase) throws
  {
    var reader = ConfigReader(try #require(form.json["config"]))
    let settings = reader.rotary(form.defaults)
    try reader.check()
    for text in try #require(form.json["texts"]?.elements) {
      let length = try #require(text["length"]?.int)
      let frequencies = settings.frequencies(length: length)
      let inverse = form.numbers(text["inverse"])
      #expect(frequencies.inverse.count == inverse.count)
      for (ours, theirs) in zip(frequencies.inverse, inverse) {
        #expect(abs(ours - theirs) <= 4e-16 * theirs)
      }
      let factor = try #require(text["attention_factor"]?.double)
      #expect(abs(frequencies.attentionFactor - factor) <= 4e-16)
      let table = rotaryTable(
        positions: NDArray(shape: [1, 1], elements: [length - 1]), frequencies: frequencies,
        of: Double.self)
      #expect(table.width == settings.turned)
      let turned = rotate(
        NDArray(shape: [1, 1, form.headSize], elements: form.query), by: table, heads: 1,
        layout: .halves)
      let expected = form.numbers(text["turned"])
      #expect(expected.count == form.headSize)
      for (ours, theirs) in zip(turned.elements, expected) { #expect(abs(ours - theirs) <= 1e-11) }
    }
  }

  /// The same facts, and so the same id, wherever a config says it and under whichever key.
  @Test func `the id does not show the key`() throws {
    let defaults = try #require(PartialCase.all.first { $0.name == "neox-old" }).defaults
    func facts(_ config: JSONValue) throws -> [String: String] {
      var reader = ConfigReader(config)
      _ = reader.rotary(defaults)
      try reader.check()
      #expect(reader.unknownKeys == [])
      return Dictionary(reader.facts.compactMap { fact in fact.name.map { ($0, fact.text) } }) {
        $1
      }
    }
    let old = try facts(["rotary_pct": .double(0.5), "rotary_emb_base": 7])
    let new = try facts([
      "rotary_pct": 1,
      "rope_parameters": ["partial_rotary_factor": .double(0.5), "rope_theta": 7],
    ])
    #expect(old == new && Set(old.keys) == ["rope_theta", "partial_rotary_factor", "rope_type"])
  }

  @Test func `an odd count is one more, unless pairs are told apart by their place`() throws {
    func size(_ kind: JSONValue) throws -> Int {
      var reader = ConfigReader([
        "partial_rotary_factor": .double(0.5), "rope_scaling": kind, "max_position_embeddings": 64,
      ])
      let settings = reader.rotary(RotaryDefaults(headSize: 14, positions: 64))
      try reader.check()
      return settings.turned
    }
    #expect(try size(["type": "linear", "factor": 2]) == 8)
    #expect(throws: CheckpointError.self) { try size(["type": "yarn", "factor": 2]) }
  }
}
