import Models
import TensorCore

extension Dialect {
  /// GPT-2 as CTranslate2's converter of transformers' models writes it
  /// (OpenNMT/CTranslate2: python/ctranslate2/converters/transformers.py, 4.8).
  static let ctranslate2GPT2 = Dialect(
    name: "ctranslate2",
    architecture: GPT2.name,
    rules: [
      .tensor("decoder/embeddings/weight", .weight("embeddings.word.weight")),
      .tensor("decoder/position_encodings/encodings", .weight("embeddings.position.weight")),
      .tensor("decoder/projection/weight", .weight("lm_head.weight"), writesTie: .always),
      .ctranslate2Stack("decoder"),
    ],
    unread: ctranslate2Settings(of: "decoder"),
    nativeConfig: .ctranslate2(
      isMember: { $0.isGPT2 },
      members: { settings throws(CheckpointError) in try settings.gpt2 }),
    limits: [
      .fact("epsilon", "\(1e-5)"), .fact("scale_attn_by_inverse_layer_idx", "false"),
      .fact("scale_attn_weights", "true"), .headOfWords(GPT2.self),
    ],
    evidence: [
      .name("decoder/position_encodings/encodings", without: "encoder/num_heads")
    ],
    ownFiles: .ctranslate2)
}

extension CTranslate2Settings {
  /// Whether the model has what this one has: learned positions, normalisations with a bias before the layers, as many heads
  /// of keys as of queries. One with ReLU is OPT's, which counts positions otherwise.
  fileprivate var isGPT2: Bool {
    guard !has("encoder/num_heads"), has("decoder/position_encodings/encodings"),
      !has("decoder/project_in/weight"), !has("decoder/layer_0/ffn/linear_0_noact/weight"),
      has("decoder/layer_norm/beta"), number("decoder/pre_norm") == 1,
      number("decoder/alibi") == 0, number("decoder/activation").map({ $0 != 0 }) ?? false,
      let width = shape("decoder/embeddings/weight")?.last
    else { return false }
    let (rows, overflows) = width.multipliedReportingOverflow(by: 3)
    let matrix = shape("decoder/layer_0/self_attention/linear_0/weight")
    return !overflows && (matrix ?? [rows, width]) == [rows, width]
  }

  /// The config that transformers has for the model.
  fileprivate var gpt2: [JSONValue.Member] {
    get throws(CheckpointError) {
      let words = try shape("decoder/embeddings/weight", rank: 2)
      for name in ["scale_embeddings", "start_from_zero_embedding"] {
        try require("decoder/" + name, 0)
      }
      var members: [JSONValue.Member] = [
        .init("model_type", .string(GPT2.name)), .init("architectures", ["GPT2LMHeadModel"]),
        .init("vocab_size", .number(words[0])), .init("n_embd", .number(words[1])),
        .init("n_layer", .number(layers(of: "decoder"))),
        .init("n_head", try count("decoder/num_heads")),
        .init(
          "n_positions", .number(try shape("decoder/position_encodings/encodings", rank: 2)[0])),
        .init("activation_function", try activation(of: "decoder")),
        .init("layer_norm_epsilon", epsilon),
        .init(
          "tie_word_embeddings",
          .bool(try areSame("decoder/projection/weight", "decoder/embeddings/weight"))),
      ]
      if let matrix = shape("decoder/layer_0/ffn/linear_0/weight"), let rows = matrix.first {
        members.append(.init("n_inner", .number(rows)))
      }
      return members
    }
  }
}
