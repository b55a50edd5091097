import Models
import TensorCore
import TestSupport
import Testing

private let word = "bert.embeddings.word_embeddings.weight"
private let head = "cls.predictions.decoder.weight"
private let headPath = "mlm_head.decoder.weight"
private let wordPath = "embeddings.word.weight"

@Suite struct TieTests {
  @Test func `a head that is not stored is the embedding`() throws {
    let graph = try TinyBERT("BertForMaskedLM").graph()
    #expect(graph.ties[headPath] == wordPath)
    #expect(graph.tensor(at: headPath)?.name == TensorName(word))
    let total = graph.slots.reduce(0) { $0 + $1.parameterCount }
    let tied = TinyBERT.vocabulary * TinyBERT.width + TinyBERT.vocabulary
    #expect(graph.parameterCount == total - tied)
  }

  @Test func `a stored head that equals the embedding is dropped, with the reason`() throws {
    var model = TinyBERT("BertForMaskedLM")
    model.copy(TensorName(word), to: TensorName(head))
    let graph = try model.graph()
    #expect(graph.ties[headPath] == wordPath)
    #expect(graph.dropped.map(\.name) == [TensorName(head)])
    #expect(graph.dropped[0].reason == "equal to \(word), to which it is tied")
  }

  @Test func `a stored head that differs is kept, whatever the config says`() throws {
    var model = TinyBERT("BertForMaskedLM")
    model.add(head, [TinyBERT.vocabulary, TinyBERT.width])
    let graph = try model.graph()
    #expect(graph.ties[headPath] == nil && graph.dropped.isEmpty)
    #expect(graph.tensor(at: headPath)?.name == TensorName(head))
    #expect(graph.tensor(at: wordPath)?.name == TensorName(word))
  }

  @Test func `one bit makes a head its own`() throws {
    var model = TinyBERT("BertForMaskedLM")
    let tensor = try #require(model.tensor(TensorName(word)))
    var bytes = try tensor.bytes.read(0..<tensor.byteCount)
    bytes[bytes.count - 4] ^= 1
    model.tensors.append(Tensor(TensorName(head), .f32, tensor.shape, bytes: bytes))
    #expect(try model.graph().ties[headPath] == nil)
  }

  @Test func `where only the head is stored, it is the embedding too`() throws {
    var model = TinyBERT("BertForMaskedLM")
    model.rename(TensorName(word), TensorName(head))
    let graph = try model.graph()
    #expect(graph.ties[headPath] == wordPath)
    #expect(graph.tensor(at: wordPath)?.name == TensorName(head))
    #expect(graph.tensor(at: headPath)?.name == TensorName(head))
  }

  @Test func `where neither is stored, one is missing`() throws {
    var model = TinyBERT("BertForMaskedLM")
    model.remove(TensorName(word))
    let fault = try #require(model.fault())
    #expect(fault.details.count == 1 && fault.details[0].contains(word))
  }

  @Test func `an untied model must store its head`() throws {
    var model = TinyBERT("BertForMaskedLM")
    model["tie_word_embeddings"] = false
    let fault = try #require(model.fault())
    #expect(fault.category == .refused && fault.details.count == 1)
    #expect(fault.details[0].contains("missing") && fault.details[0].contains(head))
    model.add(head, [TinyBERT.vocabulary, TinyBERT.width])
    #expect(try model.graph().ties[headPath] == nil)
  }

  @Test func `an untied head equal to the embedding is a tensor of its own`() throws {
    var model = TinyBERT("BertForMaskedLM")
    model["tie_word_embeddings"] = false
    model.copy(TensorName(word), to: TensorName(head))
    let graph = try model.graph()
    #expect(graph.dropped.isEmpty && graph.ties[headPath] == nil)
  }

  @Test func `a stored head of the wrong shape is misshapen, not another head`() throws {
    var model = TinyBERT("BertForMaskedLM")
    model.add(head, [TinyBERT.width, TinyBERT.vocabulary])
    let fault = try #require(model.fault())
    #expect(fault.details.count == 1 && fault.details[0].hasPrefix("misshapen"))
  }

  @Test func `of two biases the decoder's own is used`() throws {
    var model = TinyBERT("BertForMaskedLM")
    #expect(
      try model.graph().tensor(at: "mlm_head.decoder.bias")?.name == "cls.predictions.bias")
    model.add("cls.predictions.decoder.bias", [TinyBERT.vocabulary])
    #expect(
      try model.graph().tensor(at: "mlm_head.decoder.bias")?.name == "cls.predictions.decoder.bias")
  }
}

@Suite struct HeadTests {
  @Test(arguments: [
    "BertModel", "BertForPreTraining", "BertForMaskedLM", "BertForNextSentencePrediction",
    "BertForSequenceClassification", "BertForTokenClassification", "BertForQuestionAnswering",
  ])
  func `the weights show the class when the config does not`(_ head: String) throws {
    var model = TinyBERT(head)
    model["architectures"] = nil
    #expect(try model.graph().architecture.head == head)
    model["architectures"] = .null
    #expect(try model.graph().architecture.head == head)
    model["architectures"] = []
    #expect(try model.graph().architecture.head == head)
  }

  @Test func `a decoder with a language head is a causal one`() throws {
    var model = TinyBERT("BertLMHeadModel")
    model["architectures"] = nil
    model["is_decoder"] = true
    #expect(try model.graph().architecture.head == "BertLMHeadModel")
  }

  @Test func `a base model may have no pooler`() throws {
    var model = TinyBERT()
    model.remove("pooler.dense.weight")
    model.remove("pooler.dense.bias")
    let graph = try model.graph()
    #expect(graph.architecture.outputNames(hiddenStates: false) == ["last_hidden_state"])
    #expect(
      try TinyBERT().graph().architecture.outputNames(hiddenStates: false)
        == ["last_hidden_state", "pooler_output"])
  }

  @Test func `pre-training weights under another class are there, and unused`() throws {
    var model = TinyBERT("BertForPreTraining")
    model["architectures"] = ["BertForMaskedLM"]
    let graph = try model.graph()
    #expect(graph.architecture.head == "BertForMaskedLM")
    let unused = graph.slots.filter(\.isUnused).map(\.path)
    #expect(unused == ["pooler.weight", "pooler.bias", "nsp_head.weight", "nsp_head.bias"])
    #expect(graph.architecture.outputNames(hiddenStates: false) == ["logits"])
  }

  @Test func `an unused module must be whole`() throws {
    var model = TinyBERT("BertForPreTraining")
    model["architectures"] = ["BertForMaskedLM"]
    model.remove("cls.seq_relationship.bias")
    #expect(model.fault()?.category == .refused)
  }

  @Test(arguments: [
    ("BertForMaskedLM", ["logits"]), ("BertForNextSentencePrediction", ["logits"]),
    ("BertForPreTraining", ["prediction_logits", "seq_relationship_logits"]),
    ("BertForQuestionAnswering", ["start_logits", "end_logits"]),
    ("BertForMultipleChoice", ["logits"]),
  ])
  func `outputs have the framework's names`(_ head: String, _ names: [String]) throws {
    let architecture = try TinyBERT(head).graph().architecture
    #expect(architecture.outputNames(hiddenStates: false) == names)
    let all = architecture.outputNames(hiddenStates: true)
    #expect(all == (0...2).map { "hidden_states.\($0)" } + names)
  }

  @Test func `labels are num_labels, else those of id2label`() throws {
    var model = TinyBERT("BertForSequenceClassification", labels: 4)
    model["id2label"] = ["0": "a", "1": "b"]
    model["num_labels"] = 4
    #expect(model.fault() == nil)
    model["num_labels"] = nil
    #expect(model.fault()?.category == .refused)
    model["id2label"] = ["0": "a", "1": "b", "2": "c", "3": "d"]
    #expect(model.fault() == nil)
  }

  @Test func `two tied weights of other sizes than the config's are faults, and no trap`() throws {
    for shapes in [
      ([11, 8], [12, 8]), ([11, 8], [11, 8]), ([13, 8], [12, 8]), ([12, 8], [13, 8]),
    ] {
      var model = TinyBERT("BertForMaskedLM")
      model.replace(TensorName(word), .f32, shapes.0)
      model.add(head, shapes.1)
      let fault = try #require(model.fault())
      let misshapen = [shapes.0, shapes.1].filter { $0 != [13, 8] }
      #expect(fault.category == .refused && fault.details.count == misshapen.count)
      #expect(fault.details.allSatisfy { $0.hasPrefix("misshapen") })
    }
    // A shorter bias of the decoder beside the head's.
    var model = TinyBERT("BertForMaskedLM")
    model.add("cls.predictions.decoder.bias", [9])
    #expect(model.fault()?.details.map { $0.hasPrefix("misshapen") } == [true])
  }
}
