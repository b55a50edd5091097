import EncoderDecoders
import Kernels
import Models
import TensorCore
import Testing

@Suite struct T5Tests {
  private static let sizes: [String: JSONValue] = [
    "vocab_size": 13, "d_model": 8, "d_kv": 3, "num_heads": 2, "d_ff": 12, "num_layers": 2,
    "decoder_start_token_id": 0,
  ]

  private func t5(
    _ head: String? = "T5ForConditionalGeneration", _ members: [String: JSONValue] = [:],
    storing paths: Set<String> = []
  ) throws -> T5 {
    var all = Self.sizes.merging(members) { $1 }
    if let head { all["architectures"] = [.string(head)] }
    return try model(T5.self, all, storing: paths)
  }

  private func fact(_ key: String, _ members: [String: JSONValue]) throws -> String? {
    var all = Self.sizes.merging(members) { $1 }
    all["architectures"] = ["T5ForConditionalGeneration"]
    return try reading(T5.self, all).facts.first { $0.name == key }?.text
  }

  private func zeros(_ shape: Int...) -> NDArray<Int> { NDArray(shape: shape, repeating: 0) }

  @Test func `a decoder with one cache for both attentions is refused`() throws {
    let members: [String: JSONValue] = ["is_encoder_decoder": false]
    let error = try #require(fault { _ = try t5("T5ForConditionalGeneration", members) })
    #expect(error.description.contains("is_encoder_decoder is false"), "\(error)")
    // T5EncoderModel says so of itself.
    #expect(try t5("T5EncoderModel", members) == t5("T5EncoderModel"))
    #expect(try t5("T5ForConditionalGeneration", ["is_encoder_decoder": .null]) == t5())
  }

  // Observed of transformers 5.23.
  @Test(
    arguments: [
      (nil, nil, true), (true, nil, true), (false, nil, false), (nil, true, true),
      (nil, false, false), (true, true, true), (true, false, false), (false, true, true),
      (false, false, false),
    ] as [(Bool?, Bool?, Bool)])
  func `states are scaled as the config says in either of its spellings`(
    _ isTied: Bool?, _ scales: Bool?, _ expected: Bool
  ) throws {
    var members: [String: JSONValue] = [:]
    members["tie_word_embeddings"] = isTied.map { .bool($0) }
    members["scale_decoder_outputs"] = scales.map { .bool($0) }
    #expect(try fact("scale_decoder_outputs", members) == "\(expected)")
  }

  @Test(
    arguments: [
      ([:], "relu", false), (["feed_forward_proj": "gelu"], "gelu", false),
      (["feed_forward_proj": "gated-gelu"], "gelu_new", true),
      (["feed_forward_proj": "gated-silu"], "silu", true),
      (["feed_forward_proj": "gated-relu"], "relu", true),
      (["feed_forward_proj": "gated-gelu", "dense_act_fn": "gelu"], "gelu", true),
      (["feed_forward_proj": "relu", "dense_act_fn": "silu", "is_gated_act": true], "silu", true),
      (["feed_forward_proj": "gated-gelu", "is_gated_act": false], "gelu_new", false),
    ] as [([String: JSONValue], String, Bool)])
  func `the feed-forward network is what the config says`(
    _ members: [String: JSONValue], _ activation: String, _ isGated: Bool
  ) throws {
    #expect(try fact("activation", members) == activation)
    // A gate is a weight more in each block.
    let plain = try t5("T5EncoderModel").declaration().slots.count
    let slots = try t5("T5EncoderModel", members).declaration().slots
    #expect(slots.count == plain + (isGated ? 2 : 0))
  }

  @Test(
    arguments: [
      ("feed_forward_proj", "gated-gelu-new", false), ("feed_forward_proj", "open-gelu", false),
      ("feed_forward_proj", "gated-glue", true), ("feed_forward_proj", "gated", true),
      ("dense_act_fn", "glue", true), ("relative_attention_max_distance", 16, true),
      ("relative_attention_num_buckets", 3, false), ("eos_token_id", [1, 2], false),
      ("relative_attention_num_buckets", 1_000_000_000, false),
    ] as [(String, JSONValue, Bool)])
  func `what is wrong or not supported is said`(
    _ key: String, _ value: JSONValue, _ isUnsupported: Bool
  ) throws {
    let error = try #require(fault { _ = try t5("T5ForSequenceClassification", [key: value]) })
    #expect(error.category == (isUnsupported ? .unsupported : .failed), "\(error)")
    #expect(error.details.isEmpty)
  }

  @Test(
    arguments: [
      ([], "T5EncoderModel"), (["decoder.norm.weight"], "T5ForConditionalGeneration"),
      (["decoder.norm.weight", "qa_head.weight"], "T5ForQuestionAnswering"),
      (["classifier.weight"], "T5ForTokenClassification"),
      (
        ["classification_head.output.weight", "decoder.norm.weight"], "T5ForSequenceClassification"
      ),
    ] as [(Set<String>, String)])
  func `without a class the stored weights show the head`(_ paths: Set<String>, _ head: String)
    throws
  {
    #expect(try t5(nil, storing: paths).head == head)
  }

  @Test func `the class of early versions is known`() throws {
    #expect(try t5("T5WithLMHeadModel").head == "T5ForConditionalGeneration")
    #expect(fault { _ = try t5("MT5Model") }?.category == .unsupported)
  }

  @Test func `outputs have the framework's names`() throws {
    #expect(
      try t5("T5Model", ["num_decoder_layers": 1]).outputNames(hiddenStates: true) == [
        "encoder_hidden_states.0", "encoder_hidden_states.1", "encoder_hidden_states.2",
        "encoder_last_hidden_state", "decoder_hidden_states.0", "decoder_hidden_states.1",
        "last_hidden_state",
      ])
    #expect(
      try t5("T5EncoderModel").outputNames(hiddenStates: true)
        == ["hidden_states.0", "hidden_states.1", "hidden_states.2", "last_hidden_state"])
    #expect(try t5("T5ForTokenClassification").outputNames(hiddenStates: false) == ["logits"])
  }

  // MARK: Inputs

  @Test func `a decoder's ids must be there, or are the encoder's, shifted`() throws {
    let ids = NDArray(shape: [2, 3], elements: [4, 5, 1, 6, 7, 1])
    let inputs = ModelInputs(["input_ids": ids])
    let error = fault { _ = try t5().prepare(inputs) }
    #expect(error?.description == "decoder_input_ids is missing")
    let found = try t5("T5ForQuestionAnswering").prepare(inputs)
    #expect(found["decoder_input_ids"]?.elements == [0, 4, 5, 0, 6, 7])
    let model = try t5("T5ForQuestionAnswering", ["decoder_start_token_id": .null])
    let other = fault { _ = try model.prepare(inputs) }
    #expect(other?.description.contains("no decoder_start_token_id") == true)
  }

  @Test(arguments: [[4, 1, 1, 1, 1, 1], [4, 5, 6, 4, 5, 1], [4, 5, 6, 4, 5, 6]])
  func `a classified row has as many end tokens as the others`(_ ids: [Int]) throws {
    let inputs = ModelInputs(["input_ids": NDArray(shape: [2, 3], elements: ids)])
    let error = fault { _ = try t5("T5ForSequenceClassification").prepare(inputs) }
    #expect(error?.description.contains("same number of end tokens (1)") == true)
  }

  @Test func `arrays must fit each other`() throws {
    func faults(_ arrays: [String: NDArray<Int>], _ head: String) throws -> Int {
      let error = fault { _ = try t5(head).prepare(ModelInputs(arrays)) }
      return error.map { max(1, $0.details.count) } ?? 0
    }
    let (ids, head) = (zeros(2, 3), "T5Model")
    #expect(try faults(["input_ids": ids, "decoder_input_ids": zeros(2, 5)], head) == 0)
    #expect(try faults(["input_ids": ids, "decoder_input_ids": zeros(3, 5)], head) == 1)
    #expect(
      try faults(
        [
          "input_ids": ids, "decoder_input_ids": zeros(2, 5), "attention_mask": zeros(2, 5),
          "decoder_attention_mask": zeros(2, 3), "position_ids": ids,
        ], head) == 3)
    #expect(
      try faults(["input_ids": ids, "decoder_input_ids": zeros(2, 5)], "T5EncoderModel") == 1)
  }

  @Test(arguments: T5Head.allCases) func `every class takes its own probe`(_ head: T5Head) throws {
    let model = try t5(head.className("T5"))
    let inputs = try model.prepare(model.probe)
    #expect(inputs["input_ids"]?.shape == [2, 512])
  }

  @Test func `a text begins with the start token`() throws {
    let model = try t5()
    func start(_ decoder: NDArray<Int>?) throws -> [Int]? {
      var inputs = ModelInputs(["input_ids": zeros(2, 3)])
      inputs["decoder_input_ids"] = decoder
      return try model.prompt(inputs)["decoder_input_ids"]?.elements
    }
    #expect(try start(nil) == [0, 0])
    #expect(try start(NDArray(shape: [2, 1], elements: [3, 4])) == [0, 3, 0, 4])
    #expect(try start(NDArray(shape: [2, 1], elements: [3, 0])) == [3, 0])
    let error = fault {
      _ = try t5("T5ForConditionalGeneration", ["decoder_start_token_id": .null])
        .prompt(ModelInputs(["input_ids": zeros(2, 3)]))
    }
    #expect(error?.description.contains("no decoder_start_token_id") == true)
  }
}
