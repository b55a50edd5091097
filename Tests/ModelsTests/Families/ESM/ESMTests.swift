import Encoders
import Kernels
import Models
import TensorCore
import Testing

@Suite struct ESMTests {
  private static let sizes: [String: JSONValue] = [
    "vocab_size": 13, "hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1,
    "intermediate_size": 6, "max_position_embeddings": 12, "pad_token_id": 2,
  ]

  private func esm(
    _ members: [String: JSONValue] = [:], storing paths: Set<String> = []
  ) throws -> ESM {
    try model(ESM.self, Self.sizes.merging(members) { $1 }, storing: paths)
  }

  @Test(
    arguments: [
      ([], "EsmModel"), (["pooler.weight"], "EsmModel"),
      (["mlm_head.transform.weight"], "EsmForMaskedLM"),
      (["classifier_dense.weight", "classifier.weight"], "EsmForSequenceClassification"),
      (["classifier.weight"], "EsmForTokenClassification"),
    ] as [(Set<String>, String)])
  func `without a class the stored weights show the head`(_ paths: Set<String>, _ head: String)
    throws
  {
    #expect(try esm(storing: paths).head == head)
  }

  @Test func `with rotary positions no text is too long`() throws {
    func prepare(_ model: ESM) throws {
      _ = try model.prepare(ModelInputs(["input_ids": NDArray(shape: [1, 30], repeating: 4)]))
    }
    try prepare(esm(["position_embedding_type": "rotary"]))
    let error = try #require(fault { try prepare(esm()) })
    #expect(error.description.contains("the model has 9 positions"), "\(error)")
  }

  @Test(
    arguments: [
      (["token_dropout": true], "mask_token_id is missing, which token_dropout needs"),
      (["pad_token_id": .null], "pad_token_id is missing, from which positions count"),
      (["vocab_size": .null], "vocab_size is missing"),
      (["is_folding_model": true], "a folding model (is_folding_model) is not supported"),
      (["position_embedding_type": "relative_key"], "position_embedding_type"),
      (
        ["position_embedding_type": "rotary", "hidden_size": 6],
        "heads of 3 numbers cannot be turned"
      ),
      (["add_cross_attention": true], "cross-attention (add_cross_attention) is not supported"),
    ] as [([String: JSONValue], String)])
  func `what cannot be is refused`(_ members: [String: JSONValue], _ expected: String) throws {
    let error = try #require(fault { _ = try esm(members) })
    #expect(error.description.contains(expected), "\(error)")
  }
}
