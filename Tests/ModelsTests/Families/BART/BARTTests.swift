import EncoderDecoders
import Kernels
import Models
import TensorCore
import Testing

@Suite struct BARTTests {
  private static let sizes: [String: JSONValue] = [
    "vocab_size": 13, "d_model": 12, "encoder_layers": 1, "decoder_layers": 1,
    "encoder_attention_heads": 3, "decoder_attention_heads": 2, "encoder_ffn_dim": 5,
    "decoder_ffn_dim": 4, "max_position_embeddings": 6, "pad_token_id": 1,
    "decoder_start_token_id": 4,
  ]

  private func faults<Member>(
    _: BART<Member>.Type, _ ids: [String: [Int]], _ changes: [String: JSONValue] = [:]
  ) throws -> String {
    let model = try model(BART<Member>.self, Self.sizes.merging(changes) { $1 })
    let inputs = ModelInputs(
      ids.mapValues { NDArray(shape: [1, $0.count], elements: $0) })
    let error = fault { _ = try model.prepare(inputs) }
    return error.map { "\($0) \($0.details)" } ?? ""
  }

  @Test func `a text has no more positions than the model`() throws {
    let (long, short) = (Array(repeating: 3, count: 7), [3, 3])
    let ids = ["input_ids": long, "decoder_input_ids": short]
    let message = "input_ids is 7 long, the model has 6 positions"
    #expect(try faults(BART<OriginalBART>.self, ids).contains(message))
    #expect(try faults(BART<Marian>.self, ids).contains(message))
    #expect(
      try faults(BART<Pegasus>.self, ["input_ids": short, "decoder_input_ids": long])
        .contains("decoder_input_ids is 7 long"))
    #expect(try faults(BART<M2M100>.self, ids) == "")
  }

  @Test func `a model of one position has a probe of one`() throws {
    let sizes = Self.sizes.merging(["max_position_embeddings": 1]) { $1 }
    let model = try model(BART<Marian>.self, sizes)
    let probe = model.probe(longest: 8)
    #expect(probe["input_ids"]?.shape == [2, 1])
    #expect(probe["decoder_input_ids"]?.elements == [4, 4])
    #expect(throws: Never.self) { try model.prepare(probe) }
  }

  /// As transformers' `shift_tokens_right` of either model makes it.
  @Test func `the decoder reads the text one place to the right`() throws {
    let ids = NDArray(shape: [2, 4], elements: [5, 6, 7, 8, 5, 6, 1, 1])
    let inputs = ModelInputs(["input_ids": ids])
    let behind = try model(BART<OriginalBART>.self, Self.sizes).prepare(inputs)
    #expect(behind["decoder_input_ids"]?.elements == [4, 5, 6, 7, 4, 5, 6, 1])
    let wrapped = try model(BART<MBART>.self, Self.sizes).prepare(inputs)
    #expect(wrapped["decoder_input_ids"]?.elements == [8, 5, 6, 7, 6, 5, 6, 1])
    #expect(
      try faults(BART<Marian>.self, ["input_ids": [3]]).contains("decoder_input_ids is missing"))
  }

  @Test(
    arguments: [
      (["encoder_attention_heads": 5], "d_model 12 is not a multiple of encoder_attention_heads 5"),
      (["decoder_attention_heads": 5], "d_model 12 is not a multiple of decoder_attention_heads 5"),
      (["bad_words_ids": [1]], "bad_words_ids must be lists of ids"),
      (["num_hidden_layers": 2], "encoder_layers is 1, but num_hidden_layers"),
    ] as [([String: JSONValue], String)])
  func `what cannot be is refused`(_ changes: [String: JSONValue], _ expected: String) throws {
    let config = Self.sizes.merging(changes) { $1 }
    let error = try #require(fault { _ = try model(BART<OriginalBART>.self, config) })
    #expect("\(error) \(error.details)".contains(expected), "\(error)")
  }

  @Test func `positions that count from behind nothing are refused`() throws {
    for changes in [["pad_token_id": .null], ["pad_token_id": -1]] as [[String: JSONValue]] {
      let config = Self.sizes.merging(changes) { $1 }
      let error = try #require(fault { _ = try model(BART<M2M100>.self, config) })
      #expect("\(error) \(error.details)".contains("pad_token_id"), "\(error)")
    }
  }

  /// As transformers' `_prepare_fsmt_decoder_inputs` makes it, and without it where a text is continued.
  @Test func `padding of a decoder is masked where no mask is given`() throws {
    let model = try model(
      BART<FSMT>.self, Self.sizes.merging(["src_vocab_size": 13]) { $1 })
    func inputs(_ ids: [Int]) -> ModelInputs {
      ModelInputs([
        "input_ids": NDArray(shape: [1, 2], elements: [5, 6]),
        "decoder_input_ids": NDArray(shape: [1, ids.count], elements: ids),
      ])
    }
    #expect(try model.prepare(inputs([4, 1, 5]))["decoder_attention_mask"]?.elements == [1, 0, 1])
    #expect(try model.prepare(inputs([4, 3]))["decoder_attention_mask"] == nil)
    #expect(try model.prompt(inputs([4, 1, 5]))["decoder_attention_mask"] == nil)
    var given = inputs([4, 1, 5])
    given["decoder_attention_mask"] = NDArray(shape: [1, 3], elements: [1, 1, 1])
    #expect(try model.prepare(given)["decoder_attention_mask"]?.elements == [1, 1, 1])
  }

  @Test func `one table of two vocabularies has one size`() throws {
    let changes: [String: JSONValue] = [
      "src_vocab_size": 13, "tgt_vocab_size": 12, "tie_word_embeddings": true,
    ]
    let config = Self.sizes.filter { $0.key != "vocab_size" }.merging(changes) { $1 }
    let error = try #require(fault { _ = try model(BART<FSMT>.self, config) })
    #expect("\(error) \(error.details)".contains("src_vocab_size 13 is not tgt_vocab_size 12"))
  }

  /// As transformers' `NoBadWordsLogitsProcessor`, `ForcedBOSTokenLogitsProcessor` and
  /// `ForcedEOSTokenLogitsProcessor`.
  @Test func `tokens are forced and forbidden`() {
    let limits = TokenLimits(first: 2, last: [0], forbidden: [[1], [3, 2], [3, 3, 3]])
    func scores(_ text: [Int], isLast: Bool = false) -> [Double] {
      Array(
        limits.applied(
          to: [1.0, 2, 3, 4][...], behind: text[...], added: 1, endTokens: [], isLast: isLast))
    }
    let none = -Double.infinity
    #expect(scores([3]) == [none, none, 0, none])
    #expect(scores([0, 0]) == [1, none, 3, 4])
    #expect(scores([0, 3]) == [1, none, none, 4])
    // A sequence that is longer than the text is not looked for, though its beginning is all of it.
    #expect(scores([3, 3]) == [1, none, none, 4])
    #expect(scores([3, 3, 3]) == [1, none, none, none])
    #expect(scores([3], isLast: true) == [0, none, none, none])
  }
}
