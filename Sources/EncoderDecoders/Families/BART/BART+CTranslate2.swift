import Models
import TensorCore

extension Dialect {
  /// BART and its kin as CTranslate2's converter of transformers' models writes them
  /// (OpenNMT/CTranslate2: python/ctranslate2/converters/transformers.py, 4.8).
  ///
  /// Rows of learned positions that no text reaches, and Marian's word of zeros, are not stored; settings are tensors of one
  /// number.
  static func ctranslate2BART<Member: BARTMember>(_: Member.Type) -> Dialect {
    let isMarian = Member.name == Marian.name
    func words(_ path: String) -> Layout {
      isMarian ? .withoutLast(.weight(path), axis: 0) : .weight(path)
    }
    let encoderWords = "encoder.embeddings.word.weight"
    return Dialect(
      name: "ctranslate2",
      architecture: Member.name,
      rules: [
        .without(
          encoderWords,
          .tensor(
            "decoder/embeddings/weight", words("embeddings.word.weight"),
            copies: ["encoder/embeddings_0/weight"], writesCopies: true)),
        .with(
          encoderWords, .tensor("encoder/embeddings_0/weight", words(encoderWords)),
          .tensor("decoder/embeddings/weight", words("decoder.embeddings.word.weight"))),
        .tensor("decoder/projection/weight", words("lm_head.weight"), writesTie: .always),
        .tensor("decoder/projection/bias", words("lm_head.bias")),
        stack("encoder", Member.self), stack("decoder", Member.self), .ctranslate2CrossAttention(),
      ],
      unread: ctranslate2Settings(of: "encoder", "decoder")
        + (Member.positioning == .behindPadding
          ? ["encoder", "decoder"].map {
            ("\($0)/position_encodings/encodings", "computed positions")
          } : []),
      nativeConfig: .ctranslate2(
        isMember: { $0.isOf(Member.self) },
        members: { settings throws(CheckpointError) in try settings.members(Member.self) }),
      limits: [
        .of(BART<Member>.self, "the head") {
          $0.form.head.task == .conditionalGeneration
            ? nil : ("another one in the config", "always words")
        }
      ],
      evidence: [
        .name(
          "encoder/embeddings_0/weight", without: "encoder/embeddings_1/weight")
      ],
      ownFiles: .ctranslate2)
  }

  private static func stack<Member: BARTMember>(_ name: String, _: Member.Type) -> [Rule] {
    let table = Layout.weight("\(name).embeddings.position.weight")
    var positions: Layout? = table
    switch Member.positioning {
    case .learned: positions = .withoutFirst(table, rows: "padding_rows")
    case .table: break
    case .behindPadding, .tableBehindPadding: positions = nil
    }
    return .ctranslate2Stack(name)
      + .ctranslate2Norm("\(name)/layernorm_embedding", "\(name).embeddings.norm")
      + (positions.map { .tensor("\(name)/position_encodings/encodings", $0) } ?? [])
  }
}

extension CTranslate2Settings {
  /// Whether the model is one of a member: by where its normalisations are, and by its first position, the sine of 0 or of
  /// where positions begin.
  fileprivate func isOf<Member: BARTMember>(_: Member.Type) -> Bool {
    guard has("encoder/embeddings_0/weight"), has("decoder/embeddings/weight"),
      has("encoder/layernorm_embedding/gamma") == Member.normalisesEmbeddings,
      ["encoder", "decoder"].allSatisfy({
        (number("\($0)/pre_norm") == 1) == (Member.arrangement == .normBefore)
      }),
      let position = first(of: "encoder/position_encodings/encodings")
    else { return false }
    return switch Member.positioning {
    case .learned: true
    case .tableBehindPadding: false
    case .table: Member.arrangement == .normAfter || position == 0
    case .behindPadding: position != 0
    }
  }

  /// The config that transformers has for the model. Numbers of special tokens are those of the class, but Marian's, which
  /// follow from the vocabulary.
  fileprivate func members<Member: BARTMember>(
    _: Member.Type
  ) throws(CheckpointError) -> [JSONValue.Member] {
    let isMarian = Member.name == Marian.name
    let table = try shape("decoder/embeddings/weight", rank: 2)
    let (words, width) = (table[0], table[1])
    // Where a file says that it has so many words, their matrix has no columns.
    let vocabulary = isMarian && words < .max ? words + 1 : words
    var members: [JSONValue.Member] = [
      .init("model_type", .string(Member.name)),
      .init(
        "architectures",
        .array(
          Member.classes.filter { $0.head == .conditionalGeneration }.map { .string($0.name) })),
      .init("vocab_size", .number(vocabulary)), .init("d_model", .number(width)),
      .init(
        "tie_word_embeddings",
        .bool(try areSame("decoder/projection/weight", "decoder/embeddings/weight"))),
    ]
    for stack in ["encoder", "decoder"] {
      members += [
        .init("\(stack)_layers", .number(layers(of: stack))),
        .init("\(stack)_attention_heads", try count("\(stack)/num_heads")),
        .init(
          "\(stack)_ffn_dim", .number(try shape("\(stack)/layer_0/ffn/linear_0/weight", rank: 2)[0])
        ),
      ]
      try require("\(stack)/alibi", 0)
      try require("\(stack)/multi_query_attention", 0)
      try require("\(stack)/start_from_zero_embedding", isMarian ? 1 : 0)
    }
    let isScaled = try scalesWords("encoder", width: width)
    guard try scalesWords("decoder", width: width) == isScaled else {
      throw CheckpointError(
        .unsupported("words are multiplied by another number than the encoder's"),
        tensor: "decoder/scale_embeddings")
    }
    let positions = try shape("encoder/position_encodings/encodings", rank: 2)[0]
    members += [
      .init("activation_function", try activation(of: "encoder", "decoder")),
      .init("scale_embedding", .bool(isScaled)),
      .init("max_position_embeddings", .number(positions)),
    ]
    guard isMarian else { return members }
    return members + [
      .init("decoder_vocab_size", .number(vocabulary)),
      .init(
        "share_encoder_decoder_embeddings",
        .bool(try areSame("encoder/embeddings_0/weight", "decoder/embeddings/weight"))),
      .init("pad_token_id", .number(words)), .init("decoder_start_token_id", .number(words)),
      .init("eos_token_id", 0), .init("bos_token_id", 0), .init("forced_eos_token_id", 0),
      .init("bad_words_ids", .array([.array([.number(words)])])),
    ]
  }
}
