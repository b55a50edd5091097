import Kernels
import Models
import TensorCore
import Testing

/// Rotary settings as transformers 4 and 5 write them. The numbers were observed of transformers 5.23
/// (`PreTrainedConfig.rope_parameters`, `ROPE_INIT_FUNCTIONS`).
@Suite struct RotaryTests {
  private let defaults = RotaryDefaults(headSize: 8, positions: 2048)

  private func read(_ config: JSONValue) throws -> RotarySettings {
    var reader = ConfigReader(config)
    let settings = reader.rotary(defaults)
    try reader.check()
    #expect(reader.unknownKeys == [])
    return settings
  }

  private func facts(_ config: JSONValue) -> [String: String] {
    var reader = ConfigReader(config)
    _ = reader.rotary(defaults)
    return Dictionary(reader.facts.compactMap { fact in fact.name.map { ($0, fact.text) } }) { $1 }
  }

  @Test func `nothing said is the usual`() throws {
    #expect(try read([:]) == RotarySettings(size: 8))
    #expect(try read(["rope_theta": .double(5e5)]) == RotarySettings(size: 8, base: 5e5))
    #expect(try read(["rope_parameters": ["rope_type": "default", "rope_theta": 7]]).base == 7)
  }

  @Test(
    arguments: [
      (
        ["rope_theta": 5, "rope_scaling": ["type": "linear", "factor": 2]],
        ["rope_parameters": ["rope_theta": 5, "rope_type": "linear", "factor": 2]]
      ),
      (
        [
          "rope_theta": 5,
          "rope_scaling": ["rope_type": "dynamic", "factor": 4], "max_position_embeddings": 64,
        ],
        [
          "rope_parameters": ["rope_theta": 5, "rope_type": "dynamic", "factor": 4],
          "max_position_embeddings": 64,
        ]
      ),
      (
        [
          "partial_rotary_factor": .double(0.5), "rope_theta": 5,
          "rope_scaling": [
            "rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4,
            "original_max_position_embeddings": 8192,
          ],
        ],
        [
          "rope_parameters": [
            "rope_theta": 5, "partial_rotary_factor": .double(0.5), "rope_type": "llama3",
            "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4,
            "original_max_position_embeddings": 8192,
          ]
        ]
      ),
      (
        [
          "rope_theta": 5, "original_max_position_embeddings": 32,
          "rope_scaling": ["type": "yarn", "factor": 4],
        ],
        [
          "rope_parameters": [
            "rope_theta": 5, "rope_type": "yarn", "factor": 4,
            "original_max_position_embeddings": 32,
          ]
        ]
      ),
    ] as [(JSONValue, JSONValue)])
  func `both generations say the same, and give the same id`(
    _ old: JSONValue, _ new: JSONValue
  ) throws {
    #expect(try read(old) == read(new))
    #expect(facts(old) == facts(new))
  }

  @Test func `what stands in the object goes before what stands beside it`() throws {
    let config: JSONValue = [
      "rope_theta": 1, "partial_rotary_factor": .double(0.25),
      "rope_parameters": ["rope_theta": 2, "partial_rotary_factor": .double(0.5)],
    ]
    #expect(try read(config) == RotarySettings(size: 4, base: 2))
    // An older object that is empty is none.
    #expect(try read(["rope_scaling": [:], "rope_parameters": ["rope_theta": 3]]).base == 3)
  }

  @Test func `yarn's numbers are all read`() throws {
    let plain = try read([
      "rope_scaling": ["rope_type": "yarn", "factor": 4], "max_position_embeddings": 100,
    ])
    #expect(plain.scaling == .yarn(YaRN(factor: 4, trained: 100)))
    let numbers = try read([
      "rope_scaling": [
        "rope_type": "yarn", "factor": 40, "mscale": .double(0.707), "mscale_all_dim": 1,
        "beta_fast": 16, "beta_slow": 2, "truncate": false, "attention_factor": 3,
        "original_max_position_embeddings": 50,
      ]
    ])
    #expect(
      numbers.scaling
        == .yarn(
          YaRN(
            factor: 40, trained: 50, attentionFactor: 3, betaFast: 16, betaSlow: 2, mscale: 0.707,
            mscaleAllDimensions: 1, truncates: false)))
  }

  @Test func `yarn and longrope without a factor take it from the positions`() throws {
    let list: JSONValue = [1, 2, 3, 4]
    let long = try read([
      "max_position_embeddings": 4096, "original_max_position_embeddings": 1024,
      "rope_scaling": ["type": "longrope", "short_factor": list, "long_factor": list],
    ])
    let numbers = [1.0, 2, 3, 4]
    #expect(
      long.scaling
        == .longRoPE(LongRoPE(short: numbers, long: numbers, factor: 4, trained: 1024)))
    let yarn = try read([
      "max_position_embeddings": 100,
      "rope_parameters": [
        "rope_type": "yarn", "factor": .null, "original_max_position_embeddings": 50,
      ],
    ])
    #expect(yarn.scaling == .yarn(YaRN(factor: 2, trained: 50)))
  }

  @Test func `proportional settings are of whole heads`() throws {
    let settings = try read([
      "rope_parameters": ["rope_type": "proportional", "partial_rotary_factor": .double(0.5)]
    ])
    #expect(settings == RotarySettings(size: 8, scaling: .proportional(factor: 1, turned: 2)))
  }

  @Test(
    arguments: [
      ["rope_scaling": ["type": "linear"]], ["rope_scaling": "linear"],
      ["rope_scaling": ["type": "linear", "factor": 0]], ["rope_theta": 0],
      ["partial_rotary_factor": 2], ["partial_rotary_factor": 0],
      ["rope_scaling": ["type": "longrope", "short_factor": [1], "long_factor": [1]]],
      ["rope_scaling": ["type": "longrope"]],
      [
        "rope_scaling": [
          "rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 1,
        ]
      ],
    ] as [JSONValue])
  func `what is missing or impossible is a fault`(_ config: JSONValue) {
    #expect(fault { _ = try read(config) }?.category == .failed)
  }

  @Test func `a kind that is not known is not supported`() {
    let error = fault { _ = try read(["rope_scaling": ["type": "mrope", "factor": 1]]) }
    #expect(error?.category == .unsupported && error?.description.contains("mrope") == true)
  }

  @Test func `a type of layer has settings of its own`() throws {
    var reader = ConfigReader([
      "rope_parameters": [
        "full_attention": ["rope_type": "linear", "rope_theta": 9, "factor": 2],
        "sliding_attention": ["rope_theta": 3],
      ]
    ])
    let settings = reader.rotary(
      defaults, layerTypes: ["full_attention", "sliding_attention", "chunked_attention"])
    try reader.check()
    #expect(
      settings["full_attention"] == RotarySettings(size: 8, base: 9, scaling: .linear(factor: 2)))
    #expect(settings["sliding_attention"] == RotarySettings(size: 8, base: 3))
    #expect(settings["chunked_attention"] == nil)
    let names = reader.facts.compactMap(\.name)
    #expect(names.contains("full_attention.factor") && Set(names).count == names.count)
    #expect(reader.unknownKeys == [])
    var flat = ConfigReader(["rope_theta": 4])
    let same = flat.rotary(defaults, layerTypes: ["a", "b"])["b"]
    #expect(same == RotarySettings(size: 8, base: 4))
  }
}
