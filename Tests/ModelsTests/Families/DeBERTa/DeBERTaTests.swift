import Encoders
import Kernels
import Models
import TensorCore
import Testing

@Suite struct DeBERTaTests {
  private static let sizes: [String: JSONValue] = [
    "vocab_size": 13, "hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1,
    "intermediate_size": 6, "max_position_embeddings": 12, "relative_attention": true,
    "pos_att_type": "p2c|c2p",
  ]

  private func deberta(
    _ members: [String: JSONValue] = [:], storing paths: Set<String> = []
  ) throws -> DeBERTaV2 {
    try model(DeBERTaV2.self, Self.sizes.merging(members) { $1 }, storing: paths)
  }

  @Test(
    arguments: [
      ([], "DebertaV2Model"),
      (["mlm_head.transform.weight", "mlm_head.decoder.bias"], "DebertaV2ForMaskedLM"),
      (["pooler.weight", "classifier.weight"], "DebertaV2ForSequenceClassification"),
      (["classifier.weight"], "DebertaV2ForTokenClassification"),
      (["qa_head.weight"], "DebertaV2ForQuestionAnswering"),
    ] as [(Set<String>, String)])
  func `without a class the stored weights show the head`(_ paths: Set<String>, _ head: String)
    throws
  {
    #expect(try deberta(storing: paths).head == head)
  }

  @Test(
    arguments: [
      (["p2c", "c2p"], true, true), ("c2p | P2C", true, true), (["c2p"], true, false),
      ("p2c", false, true), (.null, false, false), (["p2p"], false, false),
    ] as [(JSONValue, Bool, Bool)])
  func `what is compared with distances is a list or a text`(
    _ value: JSONValue, _ queries: Bool, _ keys: Bool
  ) throws {
    let attention = try #require(deberta(["pos_att_type": value]).form.blocks.first?.attention)
    #expect(attention.disentangled?.comparesQueries == queries)
    #expect(attention.disentangled?.comparesKeys == keys)
    let terms = 1 + (queries ? 1.0 : 0) + (keys ? 1 : 0)
    #expect(attention.scale == 1 / (8 * terms).squareRoot())
  }

  @Test func `the table has two rows for each bucket, or for each distance`() throws {
    #expect(try deberta().form.distanceVectors?.rows == 24)
    #expect(try deberta(["max_relative_positions": 7]).form.distanceVectors?.rows == 14)
    #expect(try deberta(["position_buckets": 4]).form.distanceVectors?.rows == 8)
    #expect(try deberta(["relative_attention": false]).form.distanceVectors == nil)
  }

  @Test(
    arguments: [
      (["num_attention_heads": 3], "hidden_size 16 is not a multiple of num_attention_heads 3"),
      (["attention_head_size": 4], "attention_head_size 4 is not supported"),
      (["pooler_hidden_size": 8], "pooler_hidden_size 8 is not hidden_size 16"),
      (["conv_kernel_size": 2], "conv_kernel_size 2 must be odd"),
      (
        ["conv_kernel_size": 3, "conv_groups": 3], "hidden_size 16 is not a multiple of conv_groups"
      ),
      (["position_buckets": 1], "position_buckets 1 for 12 relative positions is not supported"),
      (
        ["position_buckets": 22], "position_buckets 22 for 12 relative positions is not supported"
      ),
      (
        ["relative_attention": false, "norm_rel_ebd": "layer_norm"],
        "norm_rel_ebd without relative_attention is not supported"
      ),
      (["pos_att_type": 3], "pos_att_type must be a text or a list of texts, is 3"),
      (
        [
          "architectures": ["DebertaV2ForMaskedLM"], "legacy": false, "embedding_size": 8,
        ], "embedding_size 8 is not hidden_size 16"
      ),
    ] as [([String: JSONValue], String)])
  func `what cannot be is refused`(_ members: [String: JSONValue], _ expected: String) throws {
    let error = try #require(fault { _ = try deberta(members) })
    #expect(error.description.contains(expected), "\(error)")
  }
}
