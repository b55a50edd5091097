import Kernels
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// What is the same on the built-in probe, and not on texts that go further.
@Suite struct FarProbeTests {
  /// A case's model with some members of its config changed.
  private func model(_ name: String, _ members: [String: JSONValue]) throws -> Model {
    let folder = fixture(name)
    let config = try JSONValue(parsing: readFile(folder.appending("config.json")), grammar: .strict)
    let changed = members.reduce(config.members ?? []) { all, new in
      all.filter { $0.key != new.key } + [JSONValue.Member(new.key, new.value)]
    }
    let scratch = ScratchFolder()
    let path = scratch.write(Array(JSONValue.object(changed).text().utf8), to: "config.json")
    return try withExtendedLifetime(scratch) {
      try Model(folder, options: OpenOptions(config: path))
    }
  }

  private func verdict(
    _ name: String, _ a: [String: JSONValue], _ b: [String: JSONValue]
  ) throws -> PairReport.Verdict {
    try compare(model(name, a), model(name, b), precision: Float.self).verdict
  }

  private let beyond = "stage decoder.blocks.0, beyond what the probe reaches"

  @Test(arguments: [600, 4096])
  func `a window of one key more is seen beyond it`(_ window: Int) throws {
    let (a, b) = (JSONValue.number(window), JSONValue.number(window + 1))
    let name = "llama/mistral_generate"
    #expect(
      try verdict(name, ["sliding_window": a], ["sliding_window": b]) == .different(beyond))
    #expect(try verdict(name, ["sliding_window": a], ["sliding_window": a]) == .identical)
    // A window that is longer than what is computed to get beyond it is not told from none.
    #expect(
      try verdict(name, ["sliding_window": 4_000_000], ["sliding_window": .null]) == .identical)
  }

  @Test func `scaling of long texts is seen in them`() throws {
    func rotary(_ length: Int) -> [String: JSONValue] {
      [
        "max_position_embeddings": .number(length),
        "rope_parameters": [
          "rope_type": "dynamic", "factor": .double(2), "rope_theta": .double(10000),
        ],
      ]
    }
    let name = "llama/generate"
    #expect(
      try verdict(name, rotary(2048), rotary(4096))
        == .different(beyond.stage("embeddings, state rotary")))
    #expect(try verdict(name, rotary(2048), rotary(2048)) == .identical)
    let plain: [String: JSONValue] = [
      "rope_parameters": ["rope_type": "default", "rope_theta": .double(10000)]
    ]
    #expect(
      try verdict(name, plain, rotary(100_000))
        == .different(beyond.stage("embeddings, state rotary")))
  }

  @Test func `what holds for short texts alone is seen in one`() throws {
    let config = try openModel("phi/phi3_long").graph.config
    let scaling = try #require(config["rope_scaling"]?.members)
    let short = try #require(config["rope_scaling"]?["short_factor"]?.elements)
    let other = scaling.map { member in
      member.key == "short_factor"
        ? JSONValue.Member(member.key, .array(Array(short.suffix(1) + short.dropLast()))) : member
    }
    #expect(
      try verdict("phi/phi3_long", [:], ["rope_scaling": .object(other)])
        == .different("stage embeddings, state rotary, in a text of 4 positions"))
    #expect(try verdict("phi/phi3_long", [:], [:]) == .identical)
  }

  @Test func `a probe that reaches as far is enough`() throws {
    let graph = try openModel("llama/mistral_generate").graph
    let architecture = graph.architecture
    #expect(architecture.reach == Reach(keys: 4))
    #expect(architecture.farProbe(architecture.reach) == nil)
    #expect(architecture.farProbe(Reach(keys: 511, positions: 511)) == nil)
    let long = try #require(architecture.farProbe(Reach(keys: 512)))
    #expect(long["input_ids"]?.shape == [1, 528] && long["position_ids"] == nil)
    let far = try #require(architecture.farProbe(Reach(keys: 5, positions: 8192)))
    #expect(far["position_ids"]?.elements == Array(8160..<8224))
  }
}

extension String {
  /// The same of another stage.
  fileprivate func stage(_ name: String) -> String {
    replacing("decoder.blocks.0", with: name)
  }
}
