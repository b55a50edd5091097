import Decoders
import Kernels
import Models
import TensorCore
import Testing

/// A model of a config alone; nothing is stored but what is named.
func model<Model: Architecture>(
  _: Model.Type, _ members: [String: JSONValue], storing paths: Set<String> = []
) throws -> Model {
  try reading(Model.self, members, storing: paths).model
}

/// The same, and what it has read.
func reading<Model: Architecture>(
  _: Model.Type, _ members: [String: JSONValue], storing paths: Set<String> = []
) throws -> (model: Model, facts: [ConfigFact]) {
  var reader = ConfigReader(
    .object(members.sorted { $0.key < $1.key }.map { JSONValue.Member($0.key, $0.value) }))
  let model = Model(config: &reader, isStored: paths.contains)
  try reader.check()
  return (model, reader.facts)
}

/// The one line that is wrong.
func fault(_ body: () throws -> Void) -> CheckpointError? {
  do {
    try body()
    return nil
  } catch {
    return error as? CheckpointError
  }
}

@Suite struct GPT2Tests {
  private static let sizes: [String: JSONValue] = [
    "vocab_size": 13, "n_embd": 8, "n_head": 2, "n_layer": 1, "n_positions": 10,
  ]

  private func gpt2(
    _ head: String? = "GPT2LMHeadModel", _ members: [String: JSONValue] = [:],
    storing paths: Set<String> = []
  ) throws -> GPT2 {
    var all = Self.sizes.merging(members) { $1 }
    if let head { all["architectures"] = [.string(head)] }
    return try model(GPT2.self, all, storing: paths)
  }

  private func zeros(_ shape: Int...) -> NDArray<Int> { NDArray(shape: shape, repeating: 0) }

  @Test(
    arguments: [
      ([], "GPT2LMHeadModel"), (["lm_head.weight"], "GPT2LMHeadModel"),
      (["lm_head.weight", "choice_head.weight"], "GPT2DoubleHeadsModel"),
      (["score.weight"], "GPT2ForSequenceClassification"),
      (["classifier.weight"], "GPT2ForTokenClassification"),
      (["qa_head.weight"], "GPT2ForQuestionAnswering"),
    ] as [(Set<String>, String)])
  func `without a class the stored weights show the head`(_ paths: Set<String>, _ head: String)
    throws
  {
    #expect(try gpt2(nil, storing: paths).head == head)
  }

  @Test func `an untied model without a class and a head is the bare one`() throws {
    #expect(try gpt2(nil, ["tie_word_embeddings": false]).head == "GPT2Model")
  }

  @Test func `an unknown class is not supported, and the known ones are named`() throws {
    let error = try #require(fault { _ = try gpt2("GPT2ForImages") })
    #expect(error.category == .unsupported)
    #expect(error.description.contains("\"GPT2ForImages\" is not supported; supported are: GPT2M"))
  }

  @Test(
    arguments: [
      ("activation_function", "gelu_3", "\"gelu_3\" is not known"),
      ("summary_type", "mean", "summary_type \"mean\" is not supported"),
      ("summary_use_proj", false, "summary_use_proj false"),
    ] as [(String, JSONValue, String)])
  func `what is not supported is said`(_ key: String, _ value: JSONValue, _ text: String) throws {
    let error = try #require(fault { _ = try gpt2("GPT2DoubleHeadsModel", [key: value]) })
    #expect(error.category == .unsupported && error.description.contains(text), "\(error)")
  }

  @Test(
    arguments: [
      ("n_head", 3, "n_embd 8 is not a multiple of n_head 3"),
      ("hidden_size", 16, "n_embd is 8, but hidden_size, which is the same, is 16"),
      ("eos_token_id", "x", "eos_token_id must be an id or a list of ids"),
      ("pad_token_id", [1, 2], "pad_token_id must be one id"),
      ("n_head", "2", "n_head must be an integer"),
    ] as [(String, JSONValue, String)])
  func `a fault is one line`(_ key: String, _ value: JSONValue, _ text: String) throws {
    let error = try #require(fault { _ = try gpt2("GPT2Model", [key: value]) })
    #expect(error.category == .failed && error.details.isEmpty)
    #expect(error.description.contains(text), "\(error)")
  }

  @Test func `other names of sizes are accepted`() throws {
    let named = try model(
      GPT2.self,
      [
        "vocab_size": 13, "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1,
        "max_position_embeddings": 10,
      ])
    #expect(named.dimensions == ["head_size": 4, "group_size": 4])
    #expect(named.probe["input_ids"]?.shape == [2, 10])
  }

  @Test func `the last hidden state is the normalised one`() throws {
    #expect(
      try gpt2("GPT2Model", ["n_layer": 2]).outputNames(hiddenStates: true)
        == ["hidden_states.0", "hidden_states.1", "hidden_states.2", "last_hidden_state"])
    #expect(
      try gpt2("GPT2Model", ["n_layer": 0]).outputNames(hiddenStates: true)
        == ["hidden_states.0", "last_hidden_state"])
  }

  @Test func `without a padding token one row is classified at a time`() throws {
    let head = "GPT2ForSequenceClassification"
    let error = fault { _ = try gpt2(head).prepare(ModelInputs(["input_ids": zeros(2, 3)])) }
    #expect(error?.description.contains("no pad_token_id") == true)
    _ = try gpt2(head).prepare(ModelInputs(["input_ids": zeros(1, 3)]))
    _ = try gpt2(head, ["pad_token_id": 0]).prepare(ModelInputs(["input_ids": zeros(2, 3)]))
  }

  @Test func `a choice is pooled at its last token unless another one is named`() throws {
    let model = try gpt2("GPT2DoubleHeadsModel")
    let inputs = try model.prepare(ModelInputs(["input_ids": zeros(2, 3, 4)]))
    #expect(inputs["input_ids"]?.shape == [6, 4] && inputs.choices == 3 && inputs.hasChoices)
    #expect(inputs["mc_token_ids"] == NDArray(shape: [2, 3], repeating: 3))
    let rows = try model.prepare(ModelInputs(["input_ids": zeros(2, 4)]))
    #expect(rows["mc_token_ids"] == NDArray(shape: [2], repeating: 3) && !rows.hasChoices)
    for wrong in [zeros(2), zeros(2, 4), NDArray(shape: [2, 3], repeating: 4)] {
      let inputs = ModelInputs(["input_ids": zeros(2, 3, 4), "mc_token_ids": wrong])
      #expect(fault { _ = try model.prepare(inputs) }?.category == .failed)
    }
  }

  @Test(arguments: GPT2.classes.map(\.name), [JSONValue.null, 3])
  func `every class takes its own probe`(_ name: String, _ pad: JSONValue) throws {
    let model = try gpt2(name, ["pad_token_id": pad])
    _ = try model.prepare(model.probe)
  }

  // MARK: Prompts

  @Test func `positions of a prompt follow its mask`() throws {
    let mask = NDArray(shape: [3, 4], elements: [1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0])
    let inputs = try gpt2().prompt(
      ModelInputs(["input_ids": zeros(3, 4), "attention_mask": mask]))
    #expect(inputs["position_ids"]?.elements == [0, 1, 2, 3, 0, 0, 0, 1, 0, 1, 0, 0])
  }

  @Test func `a prompt's padding is masked unless the token also ends texts`() throws {
    let ids = NDArray(shape: [1, 4], elements: [5, 5, 1, 5])
    for (end, mask) in [(6, [0, 0, 1, 0]), (5, nil)] as [(Int, [Int]?)] {
      let model = try gpt2(members: ["pad_token_id": 5, "eos_token_id": .number(end)])
      #expect(try model.prompt(ModelInputs(["input_ids": ids]))["attention_mask"]?.elements == mask)
    }
  }

  private func gpt2(members: [String: JSONValue]) throws -> GPT2 {
    try gpt2("GPT2LMHeadModel", members)
  }

  @Test func `only a language model continues texts`() throws {
    for (name, head) in GPT2.classes {
      #expect((try gpt2(name).generation != nil) == (head == .languageModel))
    }
  }

  @Test func `the next step goes on from the last token`() throws {
    let model = try gpt2()
    let rules = try #require(model.generation)
    let inputs = ModelInputs([
      "input_ids": zeros(2, 3),
      "attention_mask": NDArray(shape: [2, 3], elements: [1, 1, 1, 0, 1, 1]),
      "position_ids": NDArray(shape: [2, 3], elements: [0, 1, 2, 0, 0, 1]),
      "token_type_ids": NDArray(shape: [2, 3], elements: [1, 1, 2, 3, 3, 3]),
    ])
    let next = inputs.next(NDArray(shape: [2, 1], elements: [7, 8]), rules)
    #expect(next["input_ids"] == NDArray(shape: [2, 1], elements: [7, 8]))
    #expect(next["attention_mask"]?.elements == [1, 1, 1, 1, 0, 1, 1, 1])
    #expect(next["position_ids"] == NDArray(shape: [2, 1], elements: [3, 2]))
    #expect(next["token_type_ids"] == NDArray(shape: [2, 1], elements: [2, 3]))
  }
}
