import Families
import Kernels
import Models
import TensorCore
import Testing
import Towers

@Suite struct LLaVATests {
  private static let vision: JSONValue = [
    "model_type": "clip_vision_model", "hidden_size": 4, "num_attention_heads": 1,
    "num_hidden_layers": 2, "intermediate_size": 3, "image_size": 4, "patch_size": 2,
  ]
  private static let text: JSONValue = [
    "model_type": "llama", "vocab_size": 9, "hidden_size": 4, "num_attention_heads": 2,
    "num_hidden_layers": 1, "intermediate_size": 3, "eos_token_id": 8,
  ]

  private func llava(
    _ changes: [(path: [String], value: JSONValue)] = []
  ) throws -> LLaVA<AllFamilies> {
    var config: JSONValue = [
      "vision_config": Self.vision, "text_config": Self.text, "image_token_index": 7,
    ]
    for change in changes { config = config.setting(change.path, to: change.value) }
    return try model(
      LLaVA<AllFamilies>.self,
      Dictionary((config.members ?? []).map { ($0.key, $0.value) }) { $1 })
  }

  private func inputs(_ ids: [Int], pictures: Int) -> ModelInputs {
    ModelInputs(
      ["input_ids": NDArray(shape: [1, ids.count], elements: ids)],
      numbers: pictures == 0
        ? [:] : ["pixel_values": NDArray(shape: [pictures, 3, 4, 4], repeating: 0.5)])
  }

  @Test(
    arguments: [
      (["vision_config"], .null, "vision_config is missing: the config of the model"),
      (["vision_config", "model_type"], "vit", "not supported as an encoder of pictures in texts"),
      (["text_config", "model_type"], "t5", "text_config is of the architecture \"t5\", which"),
      (["text_config", "model_type"], "gpt2", "to whose words something is added"),
      (["image_token_index"], 9, "image_token_index 9 is no word of text_config, which has 9"),
      (["image_token_index"], .null, "image_token_index -1 is no word"),
      (["vision_feature_layer"], 3, "vision_feature_layer must be a number from -3 to 2, or a"),
      (["vision_feature_layer"], [], "vision_feature_layer must be a number from -3 to 2, or a"),
      (["vision_feature_layer"], [1, -4], "vision_feature_layer must be a number from -3 to 2"),
      (["vision_feature_select_strategy"], "some", "vision_feature_select_strategy"),
      (["tie_word_embeddings"], true, "is not supported where text_config does not say it"),
      (["vision_config", "hidden_size"], "4", "vision_config.hidden_size must be an integer"),
    ] as [([String], JSONValue, String)])
  func `what cannot be is refused`(
    _ path: [String], _ value: JSONValue, _ expected: String
  ) throws {
    let error = try #require(fault { _ = try llava([(path, value)]) })
    #expect("\(error) \(error.details)".contains(expected), "\(error)")
  }

  @Test func `a picture stands for as many tokens as are read of it`() throws {
    let model = try llava()
    #expect(model.pictureToken == PictureToken(id: 7, count: 4))
    let full = try llava([(["vision_feature_select_strategy"], "full")])
    #expect(full.pictureToken?.count == 5)
    _ = try model.prepare(inputs([1, 7, 7, 7, 7, 2], pictures: 1))
    let error = try #require(
      fault { _ = try model.prepare(inputs([1, 7, 7, 7, 2], pictures: 1)) })
    #expect(error.description.contains("1 times 4 vectors, input_ids has the token 7 3 times"))
  }

  @Test func `a text without pictures may have the token`() throws {
    let model = try llava()
    let prepared = try model.prepare(inputs([1, 7, 2], pictures: 0))
    #expect(prepared.numbers.isEmpty)
  }

  @Test func `the probe has a picture in each text`() throws {
    let model = try llava()
    let probe = model.probe(longest: 6)
    let ids = try #require(probe["input_ids"])
    #expect(ids.shape == [2, 10])
    #expect(probe.numbers["pixel_values"]?.shape == [2, 3, 4, 4])
    for row in 0..<2 {
      #expect(Array(ids.row(row)[(row * 10 + row + 1)..<(row * 10 + row + 5)]) == [7, 7, 7, 7])
      #expect(ids.row(row).count { $0 == 7 } == 4)
    }
    let prepared = try model.prepare(probe)
    #expect(prepared["attention_mask"]?.shape == [2, 10])
  }

  @Test func `outputs are those of the class`() throws {
    #expect(
      try llava().outputNames(hiddenStates: true) == [
        "image_hidden_states", "hidden_states.0", "hidden_states.1", "logits",
      ])
  }

  @Test func `what reads other states, or writes otherwise, is another model`() throws {
    let model = try llava()
    #expect(try model == llava())
    #expect(try model == llava([(["vision_feature_layer"], 1)]))
    #expect(try model != llava([(["vision_feature_layer"], -1)]))
    #expect(try model != llava([(["image_token_index"], 6)]))
    #expect(try model != llava([(["projector_hidden_act"], "relu")]))
    #expect(try model != llava([(["vision_config", "num_attention_heads"], 2)]))
    #expect(try model != llava([(["text_config", "rope_theta"], 500)]))
  }

  @Test func `a text ends as the model says, or else its decoder`() throws {
    #expect(try llava().generation?.endTokens == [8])
    let other = try llava([(["eos_token_id"], 5), (["pad_token_id"], 0)])
    #expect(other.generation?.endTokens == [5] && other.generation?.padToken == 0)
    #expect(other.generation?.scores == "text.logits")
  }

  @Test func `facts of the parts are told apart in the id`() throws {
    let config: [String: JSONValue] = [
      "vision_config": Self.vision, "text_config": Self.text, "image_token_index": 7,
    ]
    let names = try reading(LLaVA<AllFamilies>.self, config).facts.compactMap(\.name)
    let expected = [
      "head", "vision.architecture", "vision.heads", "text.architecture", "text.heads",
      "image_token", "activation", "vision_feature_layer",
    ]
    #expect(Set(names).isSuperset(of: expected), "\(names)")
    #expect(Set(names).count == names.count)
  }
}
