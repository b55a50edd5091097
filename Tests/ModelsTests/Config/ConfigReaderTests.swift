import Families
import Kernels
import Models
import TensorCore
import TestSupport
import Testing

/// What the reader returns, and what it keeps.
@Suite struct ConfigReaderTests {
  private enum LayerType: String, CaseIterable {
    case full = "full_attention"
    case sliding = "sliding_attention"
  }

  private func fact(_ key: String, _ reader: ConfigReader) -> ConfigFact? {
    reader.facts.first { $0.key == key }
  }

  @Test func `what is read is recorded with key, kind and value`() {
    var reader = ConfigReader(["heads": 3, "eps": .double(1e-5), "causal": true])
    let heads = reader.count("heads", default: 1)
    let epsilon = reader.epsilon("eps", default: 1e-12)
    let isCausal = reader.flag("causal", default: false, named: (no: "no", yes: "yes"))
    let layers = reader.count("layers", default: 7, on: .weights)
    #expect(heads == 3 && epsilon == 1e-5 && isCausal && layers == 7)
    #expect(reader.facts.map(\.key) == ["heads", "eps", "causal", "layers"])
    #expect(reader.facts.map(\.name) == ["heads", "epsilon", "causal", nil])
    #expect(reader.facts.map(\.text) == ["3", "1e-05", "yes", "7"])
    #expect(reader.facts[0].kind == .count(1...ConfigReader.largestExtent, usual: []))
    #expect(reader.facts[3].value == 7)
  }

  /// A number that nobody wrote is looked for in vain.
  @Test func `a fault says which of its values are defaults`() {
    var reader = ConfigReader(["width": 64, "old_heads": 5, "sizes": [:]])
    let width = reader.count("width", default: 32)
    let heads = reader.count("heads", default: 71)
    _ = reader.count("old_heads", default: 71)
    reader.rejectUndivided(width, "width", by: heads, "heads")
    reader.refuse("old_heads 5 and wide_heads 71 are not supported, nor heads 710")
    #expect(
      reader.faults == [
        "width 64 is not a multiple of heads 71; heads is not given, and 71 by default"
      ])
    #expect(
      reader.unsupported == ["old_heads 5 and wide_heads 71 are not supported, nor heads 710"])
  }

  @Test func `integers and numbers are one to a number`() {
    var reader = ConfigReader(["a": 10000, "b": .double(1e4)])
    let numbers = [reader.positive("a", default: 0), reader.positive("b", default: 0)]
    #expect(numbers[0] == numbers[1])
    #expect(reader.facts[0].text == reader.facts[1].text)
  }

  /// Positions are counted on from some of them.
  @Test(arguments: [Int.max, .min, 1 << 40 + 1])
  func `an id beyond every vocabulary is a fault`(_ id: Int) {
    var reader = ConfigReader(["pad": .number(id), "end": [3, .number(id)], "start": -1])
    _ = reader.token("pad", default: 0, on: .outputs)
    _ = reader.tokens("end", default: [], on: .nothing)
    #expect(reader.token("start", default: 0, on: .outputs) == -1)
    #expect(
      reader.faults == [
        "pad has an id beyond 2^40, is \(id)", "end has an id beyond 2^40, is [3,\(id)]",
      ])
  }

  @Test func `an object inside has facts under its keys`() {
    var reader = ConfigReader(["text_config": ["width": 5, "deeper": ["x": true]], "width": 9])
    let (width, x) = reader.within("text_config") { reader in
      (
        reader.count("width", default: 1),
        reader.within("deeper") { reader in reader.flag("x", default: false) }
      )
    }
    #expect(width == 5 && x)
    #expect(reader.facts.map(\.key) == ["text_config.width", "text_config.deeper.x"])
    #expect(reader.unknownKeys == ["width"])
  }

  @Test func `of an object that is not there all is absent, and another thing is a fault`() {
    var reader = ConfigReader(["a": 3])
    let absent = reader.within("b") { reader in reader.count("n", default: 2) }
    #expect(absent == 2)
    #expect(reader.faults == [])
    _ = reader.within("a") { reader in reader.count("n", default: 2) }
    #expect(reader.faults == ["a must be an object, is 3"])
  }

  @Test func `faults inside name the whole path`() {
    var reader = ConfigReader(["o": ["n": "x", "k": "z"]])
    reader.within("o") { reader in
      _ = reader.count("n", default: 1)
      _ = reader.choice("k", default: LayerType.full)
    }
    #expect(reader.faults == [#"o.n must be an integer, is "x""#])
    #expect(
      reader.unsupported
        == ["o.k \"z\" is not known; known are full_attention, sliding_attention"])
  }

  @Test func `optional counts tell nothing from something`() {
    var reader = ConfigReader(["window": 4096, "none": .null, "zero": 0])
    let counts = ["window", "none", "absent", "zero"].map { reader.optionalCount($0) }
    #expect(counts == [4096, nil, nil, nil])
    #expect(reader.faults.count == 1)
    #expect(fact("none", reader)?.value == .null && fact("none", reader)?.text == "null")
  }

  @Test func `a null that means nothing is named, with what it is taken for`() {
    let keys = ["count", "positive", "flag", "choice", "activation", "only", "yes"]
    var reader = ConfigReader(.object(keys.map { JSONValue.Member($0, .null) }))
    _ = reader.count("count", default: 12)
    _ = reader.positive("positive", default: 1)
    _ = reader.flag("flag", default: true)
    _ = reader.choice("choice", default: LayerType.full)
    _ = reader.activation("activation", default: .gelu)
    reader.require("only", "one")
    reader.require("yes", true)
    let assumed = ["12", "1.0", "true", "\"full_attention\"", "\"gelu\"", "\"one\"", "true"]
    #expect(
      reader.doubtfulKeys.map(\.text)
        == zip(keys, assumed).map {
          "\($0) is null, which means nothing there: it is taken to be \($1)"
        })
  }

  @Test func `null is none or the default where the framework has that`() {
    let keys = ["window", "factor", "ids", "token", "types", "numbers", "summary", "id2label"]
    var reader = ConfigReader(.object(keys.map { JSONValue.Member($0, .null) }))
    let window = reader.optionalCount("window", default: 7)
    let factor = reader.optionalPositive("factor")
    let ids = reader.tokens("ids", default: [1], on: .outputs)
    let token = reader.token("token", default: 1, on: .outputs)
    let types = reader.choices("types", of: LayerType.self, count: 2)
    let numbers = reader.numbers("numbers", count: 2)
    let summary = reader.activation("summary", default: .linear, mayBeNull: true)
    let labels = reader.labelCount()
    #expect(window == 7 && factor == nil && ids == [] && token == nil && types == nil)
    #expect(numbers == nil && summary == .linear && labels == 2)
    #expect(reader.faults == [] && reader.doubtfulKeys == [])
    // Whoever asks whether it is null gives it a meaning.
    reader = ConfigReader(["rotary_dim": .null])
    let turned = reader.count("rotary_dim", default: reader.isNull("rotary_dim") ? 8 : 64)
    #expect(turned == 8 && reader.doubtfulKeys == [])
  }

  /// What transformers writes of a model whose author has set nothing (Tools/oracle/nulls.py).
  @Test func `a null that transformers writes by itself is not named`() throws {
    let file = try JSONValue(
      parsing: readFile(fixture("configs/nulls.json")), grammar: .strict)
    let architectures = Family.all.architectures
    #expect(Set((file.members ?? []).map(\.key)) == Set(architectures.map { $0.name }))
    for architecture in architectures {
      let keys = (file[architecture.name]?.elements ?? []).compactMap(\.string)
      #expect(!keys.isEmpty)
      var reader = ConfigReader(.object(keys.map { JSONValue.Member($0, .null) }))
      _ = architecture.init(config: &reader) { _ in false }
      #expect(reader.doubtfulKeys.filter { keys.contains($0.key) } == [], "\(architecture.name)")
    }
  }

  @Test func `the base of rotary positions is no null, and the rotated part may be one`() {
    let defaults = RotaryDefaults(fraction: 0.5, headSize: 8, positions: 64)
    var reader = ConfigReader(["rope_theta": .null])
    _ = reader.rotary(defaults)
    #expect(reader.doubtfulKeys.map(\.key) == ["rope_theta"])
    // transformers leaves it out of rope_parameters, and what is not in there is 1.
    reader = ConfigReader(["partial_rotary_factor": .null])
    let settings = reader.rotary(defaults)
    #expect(reader.doubtfulKeys == [] && settings.turned == 8)
    reader = ConfigReader([:])
    let usual = reader.rotary(defaults)
    #expect(usual.turned == 4)
  }

  @Test func `what stands beside the settings of rotary positions and says otherwise is named`() {
    let defaults = RotaryDefaults(fraction: 0.5, headSize: 8, positions: 64)
    func read(_ config: JSONValue) -> (base: Double, said: [String]) {
      var reader = ConfigReader(config)
      let base = reader.rotary(defaults).base
      return (base, reader.doubtfulKeys.map(\.text))
    }
    let other = read(["rope_theta": 500000, "rope_parameters": ["rope_theta": .number(10000.0)]])
    #expect(other.base == 10000)
    #expect(
      other.said == ["rope_theta 500000 is not used: rope_parameters.rope_theta is 10000.0"])
    let same = read(["rope_theta": 10000, "rope_parameters": ["rope_theta": .number(10000.0)]])
    #expect(same.base == 10000 && same.said == [])
    let kinds = read([
      "rope_scaling": ["rope_type": "default", "type": "linear"], "rope_theta": 1000,
    ])
    #expect(kinds.base == 1000)
    #expect(
      kinds.said
        == ["rope_scaling.type \"linear\" is not used: rope_scaling.rope_type is \"default\""])
  }

  @Test(
    arguments: [
      ("num_atention_heads", true), ("num_attention_head", true), ("num_attentoin_heads", true),
      ("num_attentionn_heads", true), ("numattention_heads", true), ("num_heads", false),
      ("num_attn_heads", false), ("attention_heads", false),
    ])
  func `a key one letter away from one that is missing is misspelt`(_ key: String, _ isNear: Bool) {
    var reader = ConfigReader(.object([JSONValue.Member(key, 3)]))
    _ = reader.count("num_attention_heads", default: 12)
    let text = "\(key) is not known: did you mean num_attention_heads, which is taken to be 12?"
    #expect(reader.doubtfulKeys.map(\.text) == (isNear ? [text] : []))
    // Beside the key that is meant it is a key of somebody else's.
    reader = ConfigReader(
      .object([JSONValue.Member(key, 3), JSONValue.Member("num_attention_heads", 3)]))
    _ = reader.count("num_attention_heads", default: 12)
    #expect(reader.doubtfulKeys == [] && reader.unknownKeys == [key])
  }

  @Test func `a misspelt key is named with the faults of the config, inside of objects too`() throws
  {
    var reader = ConfigReader(["o": ["fctor": 2], "width": "x"])
    _ = reader.count("width", default: 1)
    _ = reader.within("o") { $0.optionalPositive("factor") }
    let error = #expect(throws: CheckpointError.self) { try reader.check() }
    #expect(
      error?.details
        == [#"width must be an integer, is "x""#, "o.fctor is not known: did you mean o.factor?"])
  }

  @Test(
    arguments: [
      (["full_attention", "sliding_attention"], 2, true), (["full_attention"], 2, false),
      (["full_attention", 1], 2, false), (["full_attention", "linear_attention"], 2, false),
      ("full_attention", 1, false),
    ] as [(JSONValue, Int, Bool)])
  func `a list has a known name for each layer`(_ list: JSONValue, _ count: Int, _ isRight: Bool) {
    var reader = ConfigReader(["layer_types": list])
    let types = reader.choices("layer_types", of: LayerType.self, count: count)
    #expect((types != nil) == isRight)
    #expect(reader.faults.isEmpty && reader.unsupported.isEmpty == isRight || !isRight)
    if isRight { #expect(reader.facts[0].text == "full_attention,sliding_attention") }
  }

  @Test func `a list of numbers has as many as it must`() {
    var reader = ConfigReader(["a": [1, .double(2.5)], "b": [1], "c": [1, 0], "d": [1, "2"]])
    let lists = ["a", "b", "c", "d"].map { reader.numbers($0, count: 2) }
    #expect(lists == [[1, 2.5], nil, nil, nil])
    #expect(reader.faults.count == 3)
  }

  @Test func `another name of a key is the same fact`() {
    var reader = ConfigReader(["n_embd": 8, "hidden_size": 8])
    let width = reader.count("n_embd", or: "hidden_size", default: 1)
    #expect(width == 8)
    #expect(reader.facts.map(\.key) == ["n_embd"] && reader.unknownKeys == [])
    var other = ConfigReader(["hidden_size": 8])
    let same = other.count("n_embd", or: "hidden_size", default: 1)
    #expect(same == 8)
    #expect(other.facts.map(\.key) == ["hidden_size"])
  }

  @Test func `what has no effect is known`() {
    var reader = ConfigReader(["dropout": 1, "task": ["a": 1], "other": 1, "nothing": .null])
    reader.disregard(["dropout", "task"])
    #expect(reader.unknownKeys == ["other"])
  }
}
