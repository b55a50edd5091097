import Encoders
import Kernels
import Models
import TensorCore
import Testing

@Suite struct RoBERTaTests {
  private typealias Plain = RoBERTa<PlainRoBERTa>

  private static let sizes: [String: JSONValue] = [
    "vocab_size": 13, "hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1,
    "intermediate_size": 6, "max_position_embeddings": 12, "pad_token_id": 2,
  ]

  private func roberta(
    _ members: [String: JSONValue] = [:], storing paths: Set<String> = []
  ) throws -> Plain {
    try model(Plain.self, Self.sizes.merging(members) { $1 }, storing: paths)
  }

  @Test(
    arguments: [
      ([], "RobertaModel"), (["pooler.weight"], "RobertaModel"),
      (["mlm_head.transform.weight"], "RobertaForMaskedLM"),
      (["classifier_dense.weight", "classifier.weight"], "RobertaForSequenceClassification"),
      (["pooler.weight", "classifier.weight"], "RobertaForMultipleChoice"),
      (["classifier.weight"], "RobertaForTokenClassification"),
      (["qa_head.weight"], "RobertaForQuestionAnswering"),
    ] as [(Set<String>, String)])
  func `without a class the stored weights show the head`(_ paths: Set<String>, _ head: String)
    throws
  {
    #expect(try roberta(storing: paths).head == head)
    if head == "RobertaForMaskedLM" {
      #expect(try roberta(["is_decoder": true], storing: paths).head == "RobertaForCausalLM")
    }
  }

  @Test func `positions count from behind the padding token on, and leave it out`() throws {
    let ids = NDArray(shape: [2, 5], elements: [7, 2, 8, 9, 2, 2, 2, 5, 6, 7])
    let inputs = try roberta().prepare(ModelInputs(["input_ids": ids]))
    #expect(
      inputs["position_ids"]
        == NDArray(shape: [2, 5], elements: [3, 2, 4, 5, 2, 2, 2, 3, 4, 5]))
  }

  @Test func `a text is as long as there are positions behind the padding's`() throws {
    func ids(_ count: Int) -> ModelInputs {
      ModelInputs(["input_ids": NDArray(shape: [1, count], repeating: 4)])
    }
    let model = try roberta()
    _ = try model.prepare(ids(9))
    let error = try #require(fault { _ = try model.prepare(ids(10)) })
    #expect(
      error.description.contains("the inputs are 10 long, the model has 9 positions"), "\(error)")
    #expect(model.probe["input_ids"]?.width == 9)
  }

  @Test(
    arguments: [
      ("num_attention_heads", 3, "hidden_size 16 is not a multiple of num_attention_heads 3"),
      ("pad_token_id", 11, "pad_token_id 11 is no position before others of"),
      ("pad_token_id", -1, "pad_token_id -1 is no position before others of"),
      ("pad_token_id", .null, "pad_token_id null is no position before others of"),
      ("add_cross_attention", true, "add_cross_attention is true, but is_decoder, which it needs"),
      ("position_embedding_type", "relative_key", "position_embedding_type"),
    ] as [(String, JSONValue, String)])
  func `what cannot be is refused`(_ key: String, _ value: JSONValue, _ expected: String) throws {
    let error = try #require(fault { _ = try roberta([key: value]) })
    #expect(error.description.contains(expected), "\(error)")
  }
}
