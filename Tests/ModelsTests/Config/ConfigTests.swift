import Families
import Models
import TensorCore
import TestSupport
import Testing

@Suite struct ConfigTests {
  private func failure(_ key: String, _ value: JSONValue, in head: String = "BertModel")
    -> CheckpointError?
  {
    var model = TinyBERT(head)
    model[key] = value
    return model.fault()
  }

  private static let counts = [
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
    "max_position_embeddings", "type_vocab_size",
  ]

  @Test(
    arguments: counts,
    [
      "8", .double(8.5), .double(8), true, [8], ["n": 8], -1, .int(1 << 31 + 1), .int(.max),
      .uint(.max), .int(.min),
    ] as [JSONValue])
  func `a count is a whole number within reason`(_ key: String, _ value: JSONValue) throws {
    let fault = try #require(failure(key, value))
    #expect(fault.category == .failed)
    let first = fault.details.first.map { "config: " + $0 } ?? fault.description
    #expect(first.hasPrefix("config: \(key) must be "), "\(fault)")
  }

  @Test func `one fault is one, and brings none that follow from it`() throws {
    let fault = failure("num_attention_heads", "2")
    #expect(fault?.description == #"config: num_attention_heads must be an integer, is "2""#)
  }

  @Test func `the heads share the width`() {
    #expect(
      failure("num_attention_heads", 3)?.description
        == "config: hidden_size 8 is not a multiple of num_attention_heads 3")
  }

  @Test(arguments: counts.filter { $0 != "num_hidden_layers" })
  func `nothing may be empty`(_ key: String) throws {
    let fault = try #require(failure(key, 0))
    let first = fault.details.first ?? fault.description
    #expect(first.contains("\(key) must be from 1 to"))
  }

  @Test func `there may be no layers`() throws {
    let model = TinyBERT(layers: 0)
    #expect(
      try model.graph().architecture.outputNames(hiddenStates: true)
        == ["hidden_states.0", "last_hidden_state", "pooler_output"])
  }

  @Test(
    arguments: [
      ("hidden_act", 3), ("hidden_act", ["gelu"]), ("layer_norm_eps", "1e-12"),
      ("layer_norm_eps", -1), ("layer_norm_eps", .double(.nan)),
      ("layer_norm_eps", .double(.infinity)),
      ("layer_norm_eps", true), ("is_decoder", 1), ("is_decoder", "false"),
      ("tie_word_embeddings", "true"), ("architectures", "BertModel"), ("architectures", [1]),
      ("architectures", ["BertModel", .null]), ("id2label", []), ("id2label", 2),
      ("num_labels", "2"), ("num_labels", 0), ("position_embedding_type", 1),
      ("add_cross_attention", "no"),
    ] as [(String, JSONValue)])
  func `a value of the wrong kind is a broken config`(_ key: String, _ value: JSONValue) throws {
    let fault = try #require(failure(key, value))
    #expect(fault.category == .failed)
    #expect(fault.description.contains(key), "\(fault)")
  }

  @Test(
    arguments: [
      ("hidden_act", "swiglu"), ("position_embedding_type", "relative_key"),
      ("architectures", ["BertForCoffee"]), ("model_type", "mamba"),
    ] as [(String, JSONValue)])
  func `what is fine but unknown to us is not supported, and says what is`(
    _ key: String, _ value: JSONValue
  ) throws {
    let fault = try #require(failure(key, value))
    #expect(fault.category == .unsupported)
    let name = try #require(value.string ?? value.elements?.first?.string)
    #expect(
      fault.description.contains(name) && fault.description.contains("support")
        || fault.description.contains("known"), "\(fault)")
  }

  @Test func `all faults are listed at once`() throws {
    var model = TinyBERT()
    model["vocab_size"] = "many"
    model["layer_norm_eps"] = -1
    model["is_decoder"] = 0
    model["hidden_act"] = "unheard of"
    let fault = try #require(model.fault())
    #expect(fault.category == .failed)
    #expect(fault.description == "config: 3 faults")
    #expect(
      Set(fault.details) == [
        #"vocab_size must be an integer, is "many""#,
        "layer_norm_eps must be a number that is not negative, is -1",
        "is_decoder must be true or false, is 0",
      ])
  }

  @Test func `unknown keys and nulls are tolerated`() throws {
    var model = TinyBERT()
    let keys = ["layer_norm_eps", "hidden_act", "is_decoder", "id2label", "num_labels"]
    for key in keys { model[key] = .null }
    model["quantization_config"] = ["bits": 4]
    model["future"] = [1, "two", JSONValue.null]
    model["torch_dtype"] = "bfloat16"
    #expect(model.fault() == nil)
    // Outputs may depend on them.
    #expect(try model.graph().unknownKeys == ["quantization_config", "future"])
  }

  @Test func `defaults are Hugging Face's`() throws {
    // A config without sizes is that of bert-base.
    let table = TensorTable()
    let config: JSONValue = ["model_type": "bert"]
    let error = #expect(throws: CheckpointError.self) {
      try WeightGraph(table, config: config)
    }
    let lines = error?.details.map { $0.split(separator: " ").joined(separator: " ") } ?? []
    #expect(lines.count == 5 + 12 * 16)
    for name in [
      "embeddings.word_embeddings.weight [30522, 768]",
      "embeddings.token_type_embeddings.weight [2",
      "embeddings.position_embeddings.weight [512, 768]",
      "encoder.layer.11.intermediate.dense.weight [3072, 768]",
    ] {
      #expect(lines.contains { $0.contains(name) }, "\(name)")
    }
  }

  @Test(.timeLimit(.minutes(10)), arguments: [10_001, 1 << 31, Int64.max])
  func `a huge number of layers is refused at once`(_ layers: Int64) throws {
    let fault = try #require(failure("num_hidden_layers", .int(layers)))
    #expect(fault.category == .failed)
    #expect(fault.description.contains("from 0 to 10000"))
  }

  @Test(.timeLimit(.minutes(10)))
  func `layers that are not there are all missing`() throws {
    let fault = try #require(failure("num_hidden_layers", 300))
    #expect(fault.category == .refused && fault.details.count == 298 * 16)
  }

  @Test func `without a config a model is not understood, but known by its names`() throws {
    let model = TinyBERT()
    let known = #expect(throws: CheckpointError.self) {
      try WeightGraph(TensorTable(model.tensors), config: nil)
    }
    #expect(known?.category == .failed && known?.description.contains("--config") == true)
    #expect(known?.description.contains("bert") == true)
    let unknown = #expect(throws: CheckpointError.self) {
      try WeightGraph(
        TensorTable([Tensor("x", [1], values: [1])]), config: nil)
    }
    #expect(unknown?.category == .unsupported)
  }

  @Test func `names show the architecture where the config does not say it`() throws {
    var model = TinyBERT()
    model["model_type"] = nil
    #expect(try model.graph().architecture.head == "BertModel")
  }
}
