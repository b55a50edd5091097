import Kernels
import Models
import TensorCore
import Testing
import Towers

@Suite struct CLIPTests {
  private static let text: JSONValue = [
    "vocab_size": 9, "hidden_size": 4, "num_attention_heads": 2, "num_hidden_layers": 1,
    "intermediate_size": 3, "max_position_embeddings": 6, "eos_token_id": 7,
  ]
  private static let vision: JSONValue = [
    "hidden_size": 4, "num_attention_heads": 1, "num_hidden_layers": 2, "intermediate_size": 3,
    "image_size": 4, "patch_size": 2,
  ]

  private func clip(
    _ members: [String: JSONValue] = [:], text: JSONValue = Self.text,
    vision: JSONValue = Self.vision, storing paths: Set<String> = []
  ) throws -> CLIP {
    let config: [String: JSONValue] = [
      "text_config": text, "vision_config": vision, "projection_dim": 3,
    ]
    return try model(CLIP.self, config.merging(members) { $1 }, storing: paths)
  }

  @Test func `texts and pictures need not be as many`() throws {
    let model = try clip()
    let probe = model.probe(longest: 6)
    #expect(probe["input_ids"]?.shape == [2, 6])
    #expect(probe.numbers["pixel_values"]?.shape == [3, 3, 4, 4])
    var inputs = probe
    inputs.numbers["pixel_values"] = NDArray(shape: [1, 3, 4, 4], repeating: 0)
    #expect(try model.prepare(inputs).numbers["pixel_values"]?.shape == [1, 3, 4, 4])
    // Of any size of which there are patches.
    inputs.numbers["pixel_values"] = NDArray(shape: [1, 3, 2, 7], repeating: 0)
    #expect(try model.prepare(inputs).numbers["pixel_values"]?.shape == [1, 3, 2, 7])
    inputs.numbers["pixel_values"] = NDArray(shape: [1, 3, 1, 4], repeating: 0)
    let error = try #require(fault { _ = try model.prepare(inputs) })
    #expect(
      error.description.contains("must be [pictures, 3, height from 2 on, width from 2 on]"),
      "\(error)")
  }

  @Test func `the probe's texts end where their padding begins`() throws {
    let probe = try clip().probe(longest: 6)
    let ids = try #require(probe["input_ids"])
    let mask = try #require(probe["attention_mask"])
    for text in 0..<ids.rows {
      let allowed = mask.row(text).lastIndex { $0 != 0 }
      #expect(ids.elements[try #require(allowed)] == 7)
    }
  }

  @Test func `without a class the stored weights show it`() throws {
    #expect(try clip().head == "CLIPModel")
    #expect(
      try clip(storing: ["vision.classifier.weight"]).head == "CLIPForImageClassification")
  }

  @Test func `a part's settings of old files replace the others`() throws {
    let model = try clip(["text_config_dict": Self.text], text: ["hidden_size": 64])
    #expect(try model == clip())
  }

  @Test func `facts of the parts have names of their own`() throws {
    var reader = ConfigReader(["text_config": Self.text, "vision_config": Self.vision])
    _ = CLIP(config: &reader) { _ in false }
    let names = reader.facts.compactMap(\.name)
    #expect(Set(names).count == names.count, "\(names)")
    #expect(names.contains("text.heads") && names.contains("vision.heads"), "\(names)")
  }

  @Test(
    arguments: [
      (["eos_token_id": .null], [:], "eos_token_id is null"),
      ([:], ["image_size": [4, 6]], "not as high as wide"),
      (["num_attention_heads": 3], [:], "num_attention_heads"),
    ] as [([String: JSONValue], [String: JSONValue], String)])
  func `what cannot be is refused`(
    _ text: [String: JSONValue], _ vision: [String: JSONValue], _ expected: String
  ) throws {
    func merged(_ config: JSONValue, _ own: [String: JSONValue]) -> JSONValue {
      own.sorted { $0.key < $1.key }.reduce(config) { $0.setting([$1.key], to: $1.value) }
    }
    let error = try #require(
      fault { _ = try clip(text: merged(Self.text, text), vision: merged(Self.vision, vision)) })
    #expect(error.description.contains(expected), "\(error)")
  }
}
