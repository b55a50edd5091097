import EncoderDecoders
import Families
import Kernels
import Models
import TensorCore
import Testing

@Suite struct EncoderDecoderPairTests {
  private static let encoder: JSONValue = [
    "model_type": "bert", "vocab_size": 13, "hidden_size": 12, "num_attention_heads": 3,
    "intermediate_size": 5, "num_hidden_layers": 1, "max_position_embeddings": 9,
  ]

  private static let decoder: JSONValue = [
    "model_type": "gpt2", "vocab_size": 17, "n_embd": 8, "n_head": 2, "n_layer": 1,
    "n_positions": 7, "add_cross_attention": true, "eos_token_id": 16,
  ]

  private func pair(
    _ changes: [(path: [String], value: JSONValue)] = []
  ) throws -> EncoderDecoderPair<AllFamilies> {
    var config: JSONValue = ["encoder": Self.encoder, "decoder": Self.decoder]
    for change in changes { config = config.setting(change.path, to: change.value) }
    return try model(
      EncoderDecoderPair<AllFamilies>.self,
      Dictionary((config.members ?? []).map { ($0.key, $0.value) }) { $1 })
  }

  @Test(
    arguments: [
      (["encoder"], .null, "encoder is missing: the config of the model"),
      (["decoder"], 3, "decoder must be an object"),
      (["encoder", "model_type"], .null, "encoder.model_type must be a string"),
      (
        ["encoder", "model_type"], "mamba", "encoder is of the architecture \"mamba\", which is not"
      ),
      (["encoder", "model_type"], "gpt2", "\"gpt2\", which is not supported as an encoder beside"),
      (
        ["encoder", "model_type"], "encoder-decoder", "not supported as an encoder beside a decoder"
      ),
      (["decoder", "model_type"], "t5", "\"t5\", which is not supported as a decoder beside"),
      (["decoder", "add_cross_attention"], false, "decoder.add_cross_attention is not true"),
      (["decoder", "n_head"], 3, "decoder: n_embd 8 is not a multiple of n_head 3"),
      (["encoder", "hidden_size"], "12", "encoder.hidden_size must be an integer"),
      (["decoder", "cross_attention_hidden_size"], 12, "cross_attention_hidden_size 12 is not"),
    ] as [([String], JSONValue, String)])
  func `what cannot be is refused, and says of which part`(
    _ path: [String], _ value: JSONValue, _ expected: String
  ) throws {
    let error = try #require(fault { _ = try pair([(path, value)]) })
    #expect("\(error) \(error.details)".contains(expected), "\(error)")
  }

  @Test func `a decoder's inputs have names of their own`() throws {
    let model = try pair()
    let names = [
      "input_ids", "attention_mask", "token_type_ids", "position_ids", "decoder_input_ids",
      "decoder_attention_mask", "decoder_token_type_ids", "decoder_position_ids",
    ]
    #expect(model.inputs.map(\.name) == names)
    let ids = ModelInputs([
      "input_ids": NDArray(shape: [2, 3], elements: [1, 2, 3, 4, 5, 6]),
      "decoder_input_ids": NDArray(shape: [2, 2], elements: [1, 2, 16, 4]),
    ])
    let prepared = try model.prepare(ids)
    #expect(prepared["decoder_position_ids"]?.elements == [0, 1, 0, 1])
    #expect(prepared["position_ids"]?.shape == [2, 3])
    var long = ids
    long["decoder_input_ids"] = NDArray(shape: [2, 8], repeating: 1)
    let error = try #require(fault { _ = try model.prepare(long) })
    #expect(error.description.contains("8 long, the model has 7 positions"), "\(error)")
  }

  @Test func `the pair says which tokens begin and end texts, or else its decoder`() throws {
    let own = try #require(try pair().generation)
    #expect(own.endTokens == [16] && own.padToken == nil && own.longest == 7)
    let changed = try pair([(["eos_token_id"], 5), (["pad_token_id"], 0)])
    #expect(changed.generation?.endTokens == [5] && changed.generation?.padToken == 0)
    let ids = ModelInputs(["input_ids": NDArray(shape: [1, 2], elements: [1, 2])])
    let missing = try #require(
      fault { _ = try pair([(["decoder", "bos_token_id"], .null)]).prompt(ids) })
    #expect(missing.description.contains("no decoder_start_token_id"), "\(missing)")
    let prompt = try pair([(["decoder_start_token_id"], 4)]).prompt(ids)
    #expect(prompt["decoder_input_ids"]?.elements == [4])
  }

  @Test func `outputs are those of a pair, and a pooler is none`() throws {
    let names = try pair().outputNames(hiddenStates: true)
    #expect(
      names == [
        "encoder_hidden_states.0", "encoder_hidden_states.1", "encoder_last_hidden_state",
        "decoder_hidden_states.0", "decoder_hidden_states.1", "logits",
      ])
  }

  @Test func `facts of the parts are told apart in the id`() throws {
    let config: [String: JSONValue] = ["encoder": Self.encoder, "decoder": Self.decoder]
    let facts = try reading(EncoderDecoderPair<AllFamilies>.self, config).facts
    let names = facts.compactMap(\.name)
    let expected = [
      "head", "encoder.architecture", "encoder.heads", "encoder.epsilon", "encoder.attention",
      "decoder.architecture", "decoder.heads", "decoder.epsilon",
    ]
    #expect(Set(names).isSuperset(of: expected), "\(names)")
    #expect(Set(names).count == names.count)
  }

  @Test func `pairs of other parts are other models`() throws {
    let model = try pair()
    #expect(try model == pair())
    #expect(try model != pair([(["encoder", "num_attention_heads"], 2)]))
    #expect(try model != pair([(["decoder", "layer_norm_epsilon"], .double(0.1))]))
    #expect(try model != pair([(["decoder_start_token_id"], 3)]))
  }
}
