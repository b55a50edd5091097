import Models
import TensorCore

extension Dialect {
  /// BERT as CTranslate2's converter of transformers' models writes it
  /// (OpenNMT/CTranslate2: python/ctranslate2/converters/transformers.py, 4.8): without a head, with the pooler.
  static let ctranslate2BERT = Dialect(
    name: "ctranslate2",
    architecture: BERT.name,
    rules: [
      .tensor("encoder/embeddings_0/weight", .weight("embeddings.word.weight")),
      .tensor("encoder/embeddings_1/weight", .weight("embeddings.token_type.weight")),
      .tensor("encoder/position_encodings/encodings", .weight("embeddings.position.weight")),
      .ctranslate2Norm("encoder/layernorm_embedding", "embeddings.norm"),
      .ctranslate2Stack("encoder"),
      .ctranslate2Linear("pooler_dense", "pooler"),
    ],
    unread: ctranslate2Settings(of: "encoder")
      + [("pooler_activation", "a setting of CTranslate2")],
    nativeConfig: .ctranslate2(
      isMember: { $0.isBERT },
      members: { settings throws(CheckpointError) in try settings.bert }),
    limits: [
      .fact("attention", "bidirectional"),
      .of(BERT.self, "the head") {
        $0.task == .base ? nil : ("\($0.head) in the config", "none")
      },
    ],
    evidence: [.name("encoder/embeddings_1/weight")],
    ownFiles: .ctranslate2)
}

extension CTranslate2Settings {
  /// Whether the model has what this one has. One with a single type of tokens is RoBERTa's or its kin's, which count
  /// positions otherwise.
  fileprivate var isBERT: Bool {
    !has("decoder/num_heads") && has("encoder/layernorm_embedding/gamma")
      && number("encoder/pre_norm") == 0
      && shape("encoder/embeddings_1/weight").map { $0.count == 2 && $0[0] > 1 } ?? false
  }

  /// The config that transformers has for the model.
  fileprivate var bert: [JSONValue.Member] {
    get throws(CheckpointError) {
      let words = try shape("encoder/embeddings_0/weight", rank: 2)
      try require("encoder/embeddings_merge", 1)
      try require("encoder/scale_embeddings", 0)
      try require("encoder/multi_query_attention", 0)
      try require("pooler_activation", 5)
      return [
        .init("model_type", .string(BERT.name)),
        .init("architectures", [.string(BERTHead.base.rawValue)]),
        .init("vocab_size", .number(words[0])), .init("hidden_size", .number(words[1])),
        .init("num_hidden_layers", .number(layers(of: "encoder"))),
        .init("num_attention_heads", try count("encoder/num_heads")),
        .init(
          "intermediate_size",
          .number(try shape("encoder/layer_0/ffn/linear_0/weight", rank: 2)[0])),
        .init(
          "max_position_embeddings",
          .number(try shape("encoder/position_encodings/encodings", rank: 2)[0])),
        .init("type_vocab_size", .number(try shape("encoder/embeddings_1/weight", rank: 2)[0])),
        .init("hidden_act", try activation(of: "encoder")), .init("layer_norm_eps", epsilon),
      ]
    }
  }
}
