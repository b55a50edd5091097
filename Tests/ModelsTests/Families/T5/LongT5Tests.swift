import EncoderDecoders
import Kernels
import Models
import TensorCore
import Testing

@Suite struct LongT5Tests {
  private func longT5(
    _ head: String = "LongT5ForConditionalGeneration", _ members: [String: JSONValue] = [:]
  ) throws -> T5Architecture<LongT5> {
    let sizes: [String: JSONValue] = [
      "vocab_size": 13, "d_model": 8, "d_kv": 3, "num_heads": 2, "d_ff": 12, "num_layers": 2,
      "local_radius": 3, "decoder_start_token_id": 0, "architectures": [.string(head)],
    ]
    return try model(T5Architecture<LongT5>.self, sizes.merging(members) { $1 })
  }

  @Test(
    arguments: [
      ("LongT5Model", ["encoder_attention_type": "global"], "\"global\" is not known"),
      ("LongT5Model", ["local_radius": 0], "local_radius must be from 1 to 4096"),
      ("LongT5Model", ["local_radius": 5000], "local_radius must be from 1 to 4096"),
      (
        "LongT5Model", ["encoder_attention_type": "transient-global", "global_block_size": 12],
        "global_block_size 12 is not supported; powers of two are"
      ),
      (
        "LongT5ForQuestionAnswering", [:],
        "the class \"LongT5ForQuestionAnswering\" is not supported"
      ),
    ] as [(String, [String: JSONValue], String)])
  func `what cannot be is refused`(
    _ head: String, _ members: [String: JSONValue], _ expected: String
  ) throws {
    let error = try #require(fault { _ = try longT5(head, members) })
    #expect(error.description.contains(expected), "\(error)")
  }

  @Test func `where sums are not seen their size decides nothing`() throws {
    #expect(try longT5(members: ["global_block_size": 12]) == longT5())
    #expect(try longT5(members: ["local_radius": 4]) != longT5())
  }

  private func longT5(members: [String: JSONValue]) throws -> T5Architecture<LongT5> {
    try longT5("LongT5ForConditionalGeneration", members)
  }

  @Test func `a text goes beyond what a position sees`() throws {
    #expect(try longT5(members: ["local_radius": 600]).reach == Reach(keys: 601))
  }
}
