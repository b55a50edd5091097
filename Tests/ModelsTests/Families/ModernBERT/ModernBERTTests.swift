import Encoders
import Kernels
import Models
import TensorCore
import Testing

@Suite struct ModernBERTTests {
  private func modern(
    _ members: [String: JSONValue], storing paths: Set<String> = []
  ) throws -> ModernBERT {
    let sizes: [String: JSONValue] = [
      "vocab_size": 13, "hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 5,
      "intermediate_size": 6, "local_attention": 5,
    ]
    return try model(ModernBERT.self, sizes.merging(members) { $1 }, storing: paths)
  }

  @Test func `one layer in three sees everything, the others half of the window to either side`()
    throws
  {
    let blocks = try modern([:]).form.blocks
    #expect(blocks.map(\.attention.shape.window) == [nil, 3, 3, nil, 3])
    #expect(blocks.map(\.attention.rotary) == [0, 1, 1, 0, 1])
    #expect(blocks.map(\.hasAttentionNorm) == [false, true, true, true, true])
    let other = try modern(["global_attn_every_n_layers": 2]).form.blocks
    #expect(other.map(\.attention.shape.window) == [nil, 3, nil, 3, nil])
  }

  @Test func `both bases are read under both generations' keys`() throws {
    let old = try modern(["global_rope_theta": 500, "local_rope_theta": 30])
    let new = try modern([
      "rope_parameters": [
        "full_attention": ["rope_type": "default", "rope_theta": 500],
        "sliding_attention": ["rope_type": "default", "rope_theta": 30],
      ]
    ])
    #expect(old == new)
    #expect(old.form.rotaries.map(\.base) == [500, 30])
    #expect(try modern([:]).form.rotaries.map(\.base) == [160_000, 10_000])
    // What transformers 4 does, which knows null there.
    let null = try modern(["global_rope_theta": 500, "local_rope_theta": .null])
    #expect(null.form.rotaries.map(\.base) == [500, 500])
  }

  @Test(
    arguments: [
      ([], "ModernBertModel"), (["mlm_head.transform.weight"], "ModernBertForMaskedLM"),
      (
        [
          "mlm_head.transform.weight", "classifier_dense.weight", "classifier.weight",
          "qa_head.weight",
        ],
        "ModernBertForSequenceClassification"
      ),
    ] as [(Set<String>, String)])
  func `without a class the stored weights show the head`(_ paths: Set<String>, _ head: String)
    throws
  {
    #expect(try modern([:], storing: paths).head == head)
  }

  @Test func `scaled bases are refused`() throws {
    let error = try #require(
      fault { _ = try modern(["rope_scaling": ["type": "linear", "factor": 2]]) })
    #expect(error.description.contains("rope_scaling beside two bases is not supported"))
  }
}
