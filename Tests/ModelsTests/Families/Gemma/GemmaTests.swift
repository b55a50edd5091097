import Decoders
import Kernels
import Models
import TensorCore
import Testing

@Suite struct GemmaTests {
  private static let sizes: [String: JSONValue] = [
    "vocab_size": 13, "hidden_size": 8, "num_attention_heads": 4, "num_key_value_heads": 2,
    "head_dim": 4, "intermediate_size": 12, "num_hidden_layers": 6,
  ]

  private func made<Member>(
    _: Member.Type, _ members: [String: JSONValue] = [:]
  ) throws -> Gemma<Member> {
    try model(Gemma<Member>.self, Self.sizes.merging(members) { $1 }, storing: [])
  }

  @Test func `the first says gelu and means its approximation`() throws {
    #expect(try made(Gemma1.self, ["hidden_act": "gelu"]) == made(Gemma1.self))
    #expect(try made(Gemma1.self, ["hidden_act": "silu"]) != made(Gemma1.self))
    // The others have a key of their own, and mean what they say.
    #expect(try made(Gemma2.self, ["hidden_activation": "gelu"]) != made(Gemma2.self))
    #expect(try made(Gemma2.self, ["hidden_act": "gelu"]) == made(Gemma2.self))
  }

  @Test func `an absent bound is the class's, null is none`() throws {
    let usual = try made(Gemma2.self)
    #expect(usual.form.head.softcap == 30 && usual.form.blocks[0].attention.softcap == 50)
    let free = try made(
      Gemma2.self, ["final_logit_softcapping": .null, "attn_logit_softcapping": .null])
    #expect(free.form.head.softcap == nil && free.form.blocks[0].attention.softcap == nil)
    // The third has a key for a bound of the scores, and none.
    let third = try made(Gemma3.self, ["attn_logit_softcapping": 50])
    #expect(third == (try made(Gemma3.self)) && third.form.head.softcap == nil)
  }

  @Test func `bases of both generations, of which only the one of all keys is scaled`() throws {
    let old = try made(
      Gemma3.self,
      [
        "rope_theta": 500, "rope_local_base_freq": 20,
        "rope_scaling": ["rope_type": "linear", "factor": 8],
      ])
    let new = try made(
      Gemma3.self,
      [
        "rope_parameters": [
          "full_attention": ["rope_type": "linear", "factor": 8, "rope_theta": 500],
          "sliding_attention": ["rope_type": "default", "rope_theta": 20],
        ]
      ])
    #expect(old == new)
    #expect(old.form.rotaries.map(\.base) == [500, 20])
    #expect(old.form.rotaries.map(\.scaling) == [.linear(factor: 8), .none])
    #expect(try made(Gemma3.self).form.rotaries.map(\.base) == [1e6, 1e4])
  }

  @Test func `windows by layer, and both ways`() throws {
    func windows<Member>(_ model: Gemma<Member>) -> [Int?] {
      model.form.blocks.map(\.attention.shape.window)
    }
    #expect(windows(try made(Gemma1.self)) == [nil, nil, nil, nil, nil, nil])
    #expect(windows(try made(Gemma2.self, ["sliding_window": 7])) == [7, nil, 7, nil, 7, nil])
    #expect(windows(try made(Gemma3.self, ["sliding_window": 7])) == [7, 7, 7, 7, 7, nil])
    let pattern: [String: JSONValue] = ["sliding_window": 7, "sliding_window_pattern": 3]
    #expect(windows(try made(Gemma3.self, pattern)) == [7, 7, nil, 7, 7, nil])
    let both = try made(
      Gemma3.self,
      [
        "sliding_window": 8, "use_bidirectional_attention": true,
        "architectures": ["Gemma3ForCausalLM"],
      ])
    #expect(windows(both) == [5, 5, 5, 5, 5, nil])
    #expect(both.form.blocks.allSatisfy(\.attention.seesAhead) && both.generation == nil)
  }

  @Test(
    arguments: [
      (["sliding_window": .null], "sliding_window is null"),
      (["query_pre_attn_scalar": 0], "query_pre_attn_scalar must not be 0"),
      (["attn_logit_softcapping": 0], "attn_logit_softcapping must not be 0"),
      (["use_bidirectional_attention": true], "use_bidirectional_attention true is not supported"),
      (["hidden_size": 10], "hidden_size 10 is not a multiple of num_attention_heads 4"),
      (["partial_rotary_factor": .double(0.5)], "partial_rotary_factor other than 1"),
    ] as [([String: JSONValue], String)])
  func `what cannot be is refused, with the reason`(
    _ members: [String: JSONValue], _ reason: String
  ) throws {
    let error = fault { _ = try made(Gemma2.self, members) }
    #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
  }
}
