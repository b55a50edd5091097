import Decoders
import Models
import TensorCore
import Testing

@Suite struct GPTNeoXTests {
  private static let sizes: [String: JSONValue] = [
    "vocab_size": 13, "hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1,
    "intermediate_size": 6,
  ]

  private func neox(
    _ members: [String: JSONValue] = [:], storing paths: Set<String> = []
  ) throws -> GPTNeoX {
    try model(GPTNeoX.self, Self.sizes.merging(members) { $1 }, storing: paths)
  }

  @Test(
    arguments: [
      ([], "GPTNeoXModel"), (["lm_head.weight"], "GPTNeoXForCausalLM"),
      (["score.weight"], "GPTNeoXForSequenceClassification"),
      (["classifier.weight"], "GPTNeoXForTokenClassification"),
      (["qa_head.weight"], "GPTNeoXForQuestionAnswering"),
    ] as [(Set<String>, String)])
  func `without a class the stored weights show the head`(_ paths: Set<String>, _ head: String)
    throws
  {
    #expect(try neox(storing: paths).head == head)
    if paths.isEmpty {
      #expect(try neox(["tie_word_embeddings": true]).head == "GPTNeoXForCausalLM")
    }
  }

  @Test func `the base and the part of a head are read under both generations' keys`() throws {
    let old = try neox(["rotary_emb_base": 500, "rotary_pct": .double(0.5)])
    let new = try neox([
      "rope_parameters": [
        "rope_type": "default", "rope_theta": 500, "partial_rotary_factor": .double(0.5),
      ]
    ])
    #expect(old == new)
    // Those of other models, beside the settings, mean nothing here.
    #expect(try neox(["rope_theta": 500, "partial_rotary_factor": .double(0.5)]) == neox())
    #expect(try neox(["rotary_pct": .double(0.25), "rotary_emb_base": 10000]) == neox())
  }

  @Test(
    arguments: [
      ("num_attention_heads", 3, "hidden_size 16 is not a multiple of num_attention_heads 3"),
      ("rotary_pct", 0, "partial_rotary_factor 0.0 is not possible with heads of 8"),
      ("rotary_pct", .double(1.5), "partial_rotary_factor 1.5 is not possible with heads of 8"),
      ("use_parallel_residual", "yes", "use_parallel_residual"),
    ] as [(String, JSONValue, String)])
  func `what cannot be is refused`(_ key: String, _ value: JSONValue, _ expected: String) throws {
    let error = try #require(fault { _ = try neox([key: value]) })
    #expect(error.description.contains(expected), "\(error)")
  }
}
