import Models
import TensorCore

extension Dialect {
  /// Whisper as CTranslate2's converter of transformers' models writes it, and faster-whisper reads it
  /// (OpenNMT/CTranslate2: python/ctranslate2/specs/whisper_spec.py, converters/transformers.py, 4.8).
  static let ctranslate2Whisper = Dialect(
    name: "ctranslate2",
    architecture: Whisper.name,
    rules: [
      .tensor("decoder/embeddings/weight", .weight("embeddings.word.weight")),
      .tensor("decoder/projection/weight", .weight("lm_head.weight"), writesTie: .always),
      .ctranslate2Linear("encoder/conv1", "encoder.embeddings.first"),
      .ctranslate2Linear("encoder/conv2", "encoder.embeddings.second"),
      .ctranslate2Stack("encoder", keysHaveBias: false),
      .ctranslate2Stack("decoder", keysHaveBias: false),
      .ctranslate2CrossAttention(keysHaveBias: false),
      positions("encoder"), positions("decoder"),
    ],
    unread: ctranslate2Settings(of: "encoder", "decoder"),
    nativeConfig: .ctranslate2(
      isMember: { $0.has("encoder/conv1/weight") && $0.has("decoder/embeddings/weight") },
      members: { settings throws(CheckpointError) in try settings.whisper }),
    limits: [
      .activation("gelu"),
      .of(Whisper.self, "the head") {
        $0.form.head.task == .conditionalGeneration
          ? nil : ("another one in the config", "always words")
      },
    ],
    evidence: [.name("encoder/conv1/weight")],
    ownFiles: .ctranslate2)

  private static func positions(_ stack: String) -> [Rule] {
    .tensor(
      "\(stack)/position_encodings/encodings", .weight("\(stack).embeddings.position.weight"))
  }
}

extension CTranslate2Settings {
  /// The config that transformers has for the model. Special tokens are those that the vocabulary's size shows.
  fileprivate var whisper: [JSONValue.Member] {
    get throws(CheckpointError) {
      let words = try shape("decoder/embeddings/weight", rank: 2)
      try require("decoder/pre_norm", 1)
      try require("decoder/activation", 3)
      for name in ["alibi", "scale_embeddings", "start_from_zero_embedding"] {
        try require("decoder/" + name, 0)
      }
      var members: [JSONValue.Member] = [
        .init("model_type", .string(Whisper.name)),
        .init("architectures", ["WhisperForConditionalGeneration"]),
        .init("vocab_size", .number(words[0])), .init("d_model", .number(words[1])),
        .init("num_mel_bins", .number(try shape("encoder/conv1/weight", rank: 3)[1])),
        .init(
          "tie_word_embeddings",
          .bool(try areSame("decoder/projection/weight", "decoder/embeddings/weight"))),
      ]
      for (stack, side) in [("encoder", "source"), ("decoder", "target")] {
        let positions = try shape("\(stack)/position_encodings/encodings", rank: 2)[0]
        let hidden = try shape("\(stack)/layer_0/ffn/linear_0/weight", rank: 2)[0]
        members += [
          .init("\(stack)_layers", .number(layers(of: stack))),
          .init("\(stack)_attention_heads", try count("\(stack)/num_heads")),
          .init("\(stack)_ffn_dim", .number(hidden)),
          .init("max_\(side)_positions", .number(positions)),
        ]
      }
      members += [
        .init("suppress_tokens", json["suppress_ids"] ?? .null),
        .init("begin_suppress_tokens", json["suppress_ids_begin"] ?? .null),
      ]
      return members + WhisperSizes.tokens(ofVocabulary: words[0])
    }
  }
}
