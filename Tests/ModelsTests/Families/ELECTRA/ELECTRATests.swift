import Encoders
import Models
import TensorCore
import Testing

@Suite struct ELECTRATests {
  private func electra(
    _ members: [String: JSONValue], storing paths: Set<String> = []
  ) throws -> ELECTRA {
    let sizes: [String: JSONValue] = [
      "vocab_size": 13, "hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1,
      "intermediate_size": 6, "embedding_size": 4,
    ]
    return try model(ELECTRA.self, sizes.merging(members) { $1 }, storing: paths)
  }

  @Test(
    arguments: [
      ([], "ElectraModel"), (["discriminator.score.weight"], "ElectraForPreTraining"),
      (["mlm_head.transform.weight"], "ElectraForMaskedLM"),
      (["summary.weight", "classifier.weight"], "ElectraForMultipleChoice"),
      (["classifier_dense.weight"], "ElectraForSequenceClassification"),
      (["classifier.weight"], "ElectraForTokenClassification"),
    ] as [(Set<String>, String)])
  func `without a class the stored weights show the head`(_ paths: Set<String>, _ head: String)
    throws
  {
    #expect(try electra([:], storing: paths).head == head)
  }

  @Test func `what choices are summed up by is read where there are choices`() throws {
    let settings: [String: JSONValue] = ["summary_type": "mean", "summary_use_proj": false]
    _ = try electra(settings)
    let choices = settings.merging(["architectures": ["ElectraForMultipleChoice"]]) { $1 }
    let error = try #require(fault { _ = try electra(choices) })
    #expect(error.description.contains("2 faults") || error.details.count == 2, "\(error)")
  }
}
