import Encoders
import Kernels
import Models
import TensorCore
import Testing

@Suite struct XLNetTests {
  private static let sizes: [String: JSONValue] = [
    "vocab_size": 13, "d_model": 8, "n_head": 2, "n_layer": 2, "d_inner": 6,
  ]

  private func xlnet(
    _ members: [String: JSONValue] = [:], storing paths: Set<String> = []
  ) throws -> XLNet {
    try model(XLNet.self, Self.sizes.merging(members) { $1 }, storing: paths)
  }

  private func ones(_ shape: Int...) -> NDArray<Double> { NDArray(shape: shape, repeating: 1) }

  @Test(
    arguments: [
      ([], "XLNetModel"), (["lm_head.bias"], "XLNetLMHeadModel"),
      (["summary.weight", "score.weight"], "XLNetForSequenceClassification"),
      (["classifier.weight"], "XLNetForTokenClassification"),
      (["qa_head.weight"], "XLNetForQuestionAnsweringSimple"),
    ] as [(Set<String>, String)])
  func `without a class the stored weights show the head`(_ paths: Set<String>, _ head: String)
    throws
  {
    #expect(try xlnet(storing: paths).head == head)
  }

  @Test(
    arguments: [
      (["n_head": 3], "d_model 8 is not a multiple of n_head 3"),
      (["d_model": 9, "n_head": 3], "d_model 9 is odd"),
      (["d_head": 8], "d_head 8 is not d_model / n_head, 4"),
      (["attn_type": "tri"], "attn_type \"tri\" is not known; known are bi, uni"),
      (["clamp_len": -2], "clamp_len must be from -1"),
      (["n_token": 14], "vocab_size is 13, but n_token, which is the same, is 14"),
      (["summary_type": "attn"], "summary_type \"attn\" is not known"),
      (["summary_proj_to_labels": true], "(summary_proj_to_labels) is not supported"),
      (["architectures": ["XLNetForQuestionAnswering"]], "XLNetForQuestionAnswering"),
      (
        ["architectures": ["XLNetForQuestionAnsweringSimple"], "num_labels": 3],
        "question answering has 2 labels, the config has 3"
      ),
    ] as [([String: JSONValue], String)])
  func `what cannot be is refused`(_ members: [String: JSONValue], _ expected: String) throws {
    let error = try #require(fault { _ = try xlnet(members) })
    #expect(error.description.contains(expected), "\(error)")
  }

  @Test(
    arguments: [
      ("perm_mask", [2, 3, 2], "perm_mask is [2, 3, 2], must be [2, 3, 3]"),
      ("perm_mask", [2, 3], "perm_mask is [2, 3], must be [batch, length, length]"),
      ("target_mapping", [1, 4, 3], "target_mapping is [1, 4, 3], must be [2, 4, 3]"),
      ("mems.0", [5, 1, 8], "mems.0 is [5, 1, 8], must be [5, 2, 8]"),
      ("mems.0", [5, 2, 7], "mems.0 is [5, 2, 7], must be [memory, batch, 8]"),
      ("mems.1", [5, 2, 8], "mems.0 is missing"),
      ("mems.2", [5, 2, 8], "\"mems.2\" is no input of this model"),
    ] as [(String, [Int], String)])
  func `inputs that do not fit are refused`(
    _ name: String, _ shape: [Int], _ expected: String
  ) throws {
    let inputs = ModelInputs(
      ["input_ids": NDArray(shape: [2, 3], repeating: 1)],
      numbers: [name: NDArray(shape: shape, repeating: 1)])
    let error = try #require(fault { _ = try xlnet().prepare(inputs) })
    #expect(error.description.contains(expected), "\(error)")
  }

  @Test(arguments: [-0.5, .nan])
  func `what is not seen is told by no number below 0`(_ number: Double) throws {
    var order = ones(1, 3, 3)
    order.elements[4] = number
    let inputs = ModelInputs(
      ["input_ids": NDArray(shape: [1, 3], repeating: 1)], numbers: ["perm_mask": order])
    let error = try #require(fault { _ = try xlnet().prepare(inputs) })
    #expect(error.description.contains("at element 4, must be 0 or more"), "\(error)")
  }

  @Test func `memories are of all layers, and as long in each`() throws {
    var inputs = ModelInputs(
      ["input_ids": NDArray(shape: [2, 3], repeating: 1)],
      numbers: ["mems.0": ones(5, 2, 8), "mems.1": ones(5, 2, 8)])
    _ = try xlnet().prepare(inputs)
    inputs.numbers["mems.1"] = ones(4, 2, 8)
    #expect(fault { _ = try xlnet().prepare(inputs) } != nil)
    inputs.numbers["mems.1"] = nil
    let error = try #require(fault { _ = try xlnet().prepare(inputs) })
    #expect(error.description.contains("mems.1 is missing; all layers have memories, or none has"))
  }

  @Test func `a batch of two halves has an even number of rows`() throws {
    let model = try xlnet(["bi_data": true])
    _ = try model.prepare(ModelInputs(["input_ids": NDArray(shape: [4, 3], repeating: 1)]))
    let error = try #require(
      fault {
        _ = try model.prepare(ModelInputs(["input_ids": NDArray(shape: [3, 3], repeating: 1)]))
      })
    #expect(error.description.contains("input_ids has 3 rows"), "\(error)")
  }

  @Test func `the probe has what may be missing, and a sample has not`() throws {
    let model = try xlnet()
    let probe = model.probe(longest: 8)
    #expect(probe.numbers["perm_mask"]?.shape == [2, 8, 8])
    #expect(probe.numbers["target_mapping"]?.shape == [2, 2, 8])
    #expect(probe.numbers["mems.1"]?.shape == [2, 2, 8])
    _ = try model.prepare(probe)
    #expect(model.sample(batch: 1, length: 8, decoderLength: 1).numbers.isEmpty)
  }

  @Test func `a model that keeps no memories has none among its hidden states`() throws {
    let names = try xlnet().outputNames(hiddenStates: true)
    #expect(
      names == [
        "hidden_states.0", "hidden_states.1", "mems.0", "hidden_states.2", "last_hidden_state",
        "mems.1",
      ])
    #expect(
      try xlnet(["use_mems_eval": false]).outputNames(hiddenStates: true)
        == ["hidden_states.0", "hidden_states.1", "hidden_states.2", "last_hidden_state"])
  }

  /// Transformers' `generate` reads words alone, and makes the other inputs itself.
  @Test func `a text is continued by its words`() throws {
    let model = try xlnet(["architectures": ["XLNetLMHeadModel"]])
    #expect(try xlnet().generation == nil)
    let rules = try #require(model.generation)
    #expect(rules.endTokens == [2] && rules.padToken == 5)
    let ids = NDArray(shape: [2, 3], elements: [1, 2, 3, 4, 5, 6])
    var inputs = ModelInputs([
      "input_ids": ids, "attention_mask": NDArray(shape: [2, 3], elements: [0, 1, 1, 1, 1, 1]),
    ])
    #expect(try model.prompt(inputs)["attention_mask"] == nil)
    inputs["token_type_ids"] = NDArray(shape: [2, 3], elements: [0, 0, 1, 0, 0, 0])
    let types = try #require(fault { _ = try model.prompt(inputs) })
    #expect(types.description.contains("token_type_ids other than 0 are not supported"))
    inputs["token_type_ids"] = nil
    inputs.numbers["perm_mask"] = ones(2, 3, 3)
    let order = try #require(fault { _ = try model.prompt(inputs) })
    #expect(order.description.contains("perm_mask is not supported where a text is continued"))
    inputs.numbers = [:]
    let forwards = try xlnet(["architectures": ["XLNetLMHeadModel"], "attn_type": "uni"])
    let rows = try #require(fault { _ = try forwards.prompt(inputs) })
    #expect(rows.description.contains("2 texts, or beams, are not supported"))
  }

  @Test(arguments: [(true, 2), (false, 5)])
  func `a step reads the last tokens again, or all, and a place that nobody sees`(
    _ remembers: Bool, _ count: Int
  ) throws {
    let model = try xlnet([
      "architectures": ["XLNetLMHeadModel"], "use_mems_eval": .bool(remembers),
    ])
    let reading = try #require(model.generation?.reading)
    let texts = NDArray(shape: [1, 5], elements: [1, 2, 3, 4, 6])
    #expect(reading(texts, true)["input_ids"]?.elements == [1, 2, 3, 4, 6, 0])
    let step = reading(texts, false)
    #expect(step["input_ids"]?.elements == texts.elements.suffix(count) + [0])
    let place = Array(repeating: 0.0, count: count) + [1]
    #expect(step.numbers["target_mapping"]?.elements == place)
    #expect(
      step.numbers["perm_mask"]?.elements == (0...count).flatMap { _ in place })
  }
}
