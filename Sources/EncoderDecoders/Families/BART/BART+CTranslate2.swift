import Kernels
import Models
import TensorCore

extension Dialect {
  /// BART and its kin as CTranslate2's converter of transformers' models writes them
  /// (OpenNMT/CTranslate2: python/ctranslate2/converters/transformers.py, specs/transformer_spec.py, 4.8).
  ///
  /// Queries, keys and values are one matrix, and keys and values of another text are. Rows of learned positions that no
  /// text reaches, and Marian's word of zeros, are not stored; settings are tensors of one number.
  static func ctranslate2BART<Member: BARTMember>(_: Member.Type) -> Dialect {
    let isMarian = Member.name == Marian.name
    func words(_ path: String) -> Layout {
      isMarian ? .withoutLast(.weight(path), axis: 0) : .weight(path)
    }
    return Dialect(
      name: "ctranslate2",
      architecture: Member.name,
      rules: [
        .without(
          encoderWords,
          .tensor(
            "decoder/embeddings/weight", words("embeddings.word.weight"),
            copies: ["encoder/embeddings_0/weight", "decoder/projection/weight"],
            writesCopies: true)),
        .with(
          encoderWords, .tensor("encoder/embeddings_0/weight", words(encoderWords)),
          .tensor(
            "decoder/embeddings/weight", words("decoder.embeddings.word.weight"),
            copies: ["decoder/projection/weight"], writesCopies: true)),
        .tensor("decoder/projection/bias", words("lm_head.bias")),
        stack("encoder", Member.self), stack("decoder", Member.self),
        linear("decoder/layer_{i}/attention/linear_0", "decoder.blocks.{i}.cross_attention", query),
        linear(
          "decoder/layer_{i}/attention/linear_1", "decoder.blocks.{i}.cross_attention",
          ["key", "value"]),
        linear(
          "decoder/layer_{i}/attention/linear_2", "decoder.blocks.{i}.cross_attention", ["output"]),
        norm("decoder/layer_{i}/attention/layer_norm", "decoder.blocks.{i}.cross_attention_norm"),
      ],
      unread: settings(Member.self),
      nativeConfig: .ctranslate2(Member.self),
      limits: [
        .of(BART<Member>.self, "the head") {
          $0.form.head.task == .conditionalGeneration
            ? nil : ("another one in the config", "always words")
        }
      ],
      evidence: [.name("encoder/embeddings_0/weight")],
      ownFiles: Dialect.OwnFiles(
        program: "CTranslate2", files: "model.bin", container: "ctranslate2"))
  }

  private static let encoderWords = "encoder.embeddings.word.weight"
  private static let query = ["query"]

  private static func stack<Member: BARTMember>(_ name: String, _: Member.Type) -> [Rule] {
    let (stored, path) = ("\(name)/layer_{i}/", "\(name).blocks.{i}.")
    let table = Layout.weight("\(name).embeddings.position.weight")
    var positions: Layout? = table
    switch Member.positioning {
    case .learned: positions = .withoutFirst(table, rows: "padding_rows")
    case .table: break
    case .behindPadding, .tableBehindPadding: positions = nil
    }
    return linear(
      stored + "self_attention/linear_0", path + "attention", ["query", "key", "value"])
      + linear(stored + "self_attention/linear_1", path + "attention", ["output"])
      + norm(stored + "self_attention/layer_norm", path + "attention_norm")
      + linear(stored + "ffn/linear_0", path + "feed_forward", ["up"])
      + linear(stored + "ffn/linear_1", path + "feed_forward", ["down"])
      + norm(stored + "ffn/layer_norm", path + "feed_forward_norm")
      + norm("\(name)/layernorm_embedding", "\(name).embeddings.norm")
      + norm("\(name)/layer_norm", "\(name).norm")
      + (positions.map { .tensor("\(name)/position_encodings/encodings", $0) } ?? [])
  }

  private static func linear(_ stored: String, _ path: String, _ parts: [String]) -> [Rule] {
    ["weight", "bias"].flatMap { ending -> [Rule] in
      let weights = parts.map { Layout.weight("\(path).\($0).\(ending)") }
      return .tensor(
        "\(stored)/\(ending)", weights.count == 1 ? weights[0] : .joined(weights, axis: 0))
    }
  }

  private static func norm(_ stored: String, _ path: String) -> [Rule] {
    .tensor(stored + "/gamma", .weight(path + ".weight"))
      + .tensor(stored + "/beta", .weight(path + ".bias"))
  }

  /// What is no weight.
  private static func settings<Member: BARTMember>(
    _: Member.Type
  ) -> [(stored: String, reason: String)] {
    let names = [
      "activation", "alibi", "alibi_use_positive_positions", "alignment_heads", "alignment_layer",
      "embeddings_merge", "multi_query_attention", "num_heads", "pre_norm", "scale_alibi",
      "scale_embeddings", "start_from_zero_embedding",
    ]
    var all: [(stored: String, reason: String)] = []
    for stack in ["encoder", "decoder"] {
      for name in names { all.append(("\(stack)/\(name)", "a setting of CTranslate2")) }
      if Member.positioning == .behindPadding {
        all.append(("\(stack)/position_encodings/encodings", "computed positions"))
      }
    }
    return all
  }
}

extension NativeConfig {
  /// CTranslate2's config.json says little; the settings among the tensors, and their shapes, say the rest. Numbers of
  /// special tokens are those of the class, but Marian's, which follow from the vocabulary.
  fileprivate static func ctranslate2<Member: BARTMember>(_: Member.Type) -> NativeConfig {
    NativeConfig(
      inside: "ctranslate2",
      recognizes: { config, table in
        config["model_type"] == nil && config["add_source_bos"] != nil
          && CTranslate2Settings(table).map { $0.isOf(Member.self) } ?? false
      },
      usual: { _, table throws(CheckpointError) in
        guard let settings = CTranslate2Settings(table) else {
          throw CheckpointError(.malformed("the settings of CTranslate2 are missing"))
        }
        return try settings.config(Member.self)
      },
      native: { _ in nil }, tensors: { _ in [] })
  }
}

/// What a file says of its model beside the weights.
private struct CTranslate2Settings {
  let table: TensorTable
  let width: Int
  let words: Int

  init?(_ table: TensorTable) {
    guard let words = table[TensorName("decoder/embeddings/weight")], words.shape.count == 2,
      table[TensorName("encoder/embeddings_0/weight")] != nil
    else { return nil }
    (self.table, self.words, width) = (table, words.shape[0], words.shape[1])
  }

  /// A tensor of one number.
  private func number(_ name: String) -> Double? {
    guard let tensor = table[TensorName(name)], tensor.elementCount == 1,
      tensor.dtype.byteWidth != nil, let bytes = try? tensor.bytes(of: 0..<1)
    else { return nil }
    return tensor.dtype.element(at: 0, of: bytes).number
  }

  /// Whether the model is one of a member: by where its normalisations are, and by its first position.
  func isOf<Member: BARTMember>(_: Member.Type) -> Bool {
    let hasNorm = table[TensorName("encoder/layernorm_embedding/gamma")] != nil
    guard hasNorm == Member.normalisesEmbeddings,
      ["encoder", "decoder"].allSatisfy({
        (number("\($0)/pre_norm") == 1) == (Member.arrangement == .normBefore)
      })
    else { return false }
    switch Member.positioning {
    case .learned: return true
    case .tableBehindPadding: return false
    case .table: return Member.arrangement == .normAfter || firstPosition == 0
    case .behindPadding: return firstPosition.map { $0 != 0 } ?? false
    }
  }

  /// The first number of the first vector of positions: the sine of 0, or of where they begin.
  private var firstPosition: Double? {
    guard let tensor = table[TensorName("encoder/position_encodings/encodings")],
      tensor.elementCount > 0, let bytes = try? tensor.bytes(of: 0..<1)
    else { return nil }
    return tensor.dtype.element(at: 0, of: bytes).number
  }

  /// The config that transformers has for the model.
  func config<Member: BARTMember>(_: Member.Type) throws(CheckpointError) -> JSONValue {
    func setting(_ name: String) throws(CheckpointError) -> Double {
      guard let number = number(name) else {
        throw CheckpointError(
          .malformed("is missing, or no number: it says what CTranslate2 computes"),
          tensor: TensorName(name))
      }
      return number
    }
    func shape(_ name: String) throws(CheckpointError) -> [Int] {
      guard let shape = table[TensorName(name)]?.shape, shape.count == 2 else {
        throw CheckpointError(
          .malformed("is missing, or no matrix: it shows the model's sizes"),
          tensor: TensorName(name))
      }
      return shape
    }
    let isMarian = Member.name == Marian.name
    let count = isMarian ? words + 1 : words
    var members: [JSONValue.Member] = [
      .init("model_type", .string(Member.name)),
      .init(
        "architectures",
        .array(
          Member.classes.filter { $0.head == .conditionalGeneration }.map { .string($0.name) })),
      .init("vocab_size", .number(count)), .init("d_model", .number(width)),
      .init("tie_word_embeddings", true),
    ]
    for stack in ["encoder", "decoder"] {
      var layers = 0
      while table[TensorName("\(stack)/layer_\(layers)/ffn/linear_0/weight")] != nil { layers += 1 }
      let heads = try setting("\(stack)/num_heads")
      members += [
        .init("\(stack)_layers", .number(layers)),
        .init("\(stack)_attention_heads", .number(Int(exactly: heads) ?? 0)),
        .init("\(stack)_ffn_dim", .number(try shape("\(stack)/layer_0/ffn/linear_0/weight")[0])),
      ]
    }
    let activations = ["relu", "gelu_new", "swish", "gelu", "quick_gelu", "tanh", "sigmoid"]
    let activation = Int(exactly: try setting("encoder/activation")) ?? -1
    guard activations.indices.contains(activation),
      try setting("decoder/activation") == Double(activation)
    else {
      throw CheckpointError(
        .unsupported("activation \(activation) is not supported, or not the same in both stacks"),
        tensor: "encoder/activation")
    }
    for (name, wanted) in [
      ("alibi", 0.0), ("multi_query_attention", 0), ("start_from_zero_embedding", isMarian ? 1 : 0),
    ] {
      for stack in ["encoder", "decoder"] {
        let name = "\(stack)/\(name)"
        guard let value = number(name), value != wanted else { continue }
        throw CheckpointError(
          .unsupported("is \(value), and of \(Member.name) \(wanted) is supported"),
          tensor: TensorName(name))
      }
    }
    let isScaled = try isScaled("encoder")
    guard try self.isScaled("decoder") == isScaled else {
      throw CheckpointError(
        .unsupported("words are multiplied by another number than the encoder's"),
        tensor: "decoder/scale_embeddings")
    }
    let positions = try shape("encoder/position_encodings/encodings")[0]
    members += [
      .init("activation_function", .string(activations[activation])),
      .init("scale_embedding", .bool(isScaled)),
      .init("max_position_embeddings", .number(positions)),
    ]
    if isMarian {
      members += [
        .init("decoder_vocab_size", .number(count)),
        .init(
          "share_encoder_decoder_embeddings",
          .bool(try areSame("encoder/embeddings_0/weight", "decoder/embeddings/weight"))),
        .init("pad_token_id", .number(words)), .init("decoder_start_token_id", .number(words)),
        .init("eos_token_id", 0), .init("bos_token_id", 0), .init("forced_eos_token_id", 0),
        .init("bad_words_ids", .array([.array([.number(words)])])),
      ]
    }
    return .object(members)
  }

  /// Whether a stack's words are multiplied by the root of the width: by a flag of 8 bits, or by the number itself
  /// (`build_embeddings_scale` in src/layers/transformer.cc).
  private func isScaled(_ stack: String) throws(CheckpointError) -> Bool {
    let name = TensorName("\(stack)/scale_embeddings")
    guard let factor = number(name.text) else {
      throw CheckpointError(
        .malformed("is missing, or no number: it says what CTranslate2 computes"), tensor: name)
    }
    if table[name]?.dtype == .i8 { return factor != 0 }
    guard factor == 1 || Float(factor) == Float(width).squareRoot() else {
      throw CheckpointError(
        .unsupported(
          "words are multiplied by \(factor), and supported is 1 or the root of \(width)"),
        tensor: name)
    }
    return factor != 1
  }

  /// Whether two tensors hold the same bytes.
  private func areSame(_ a: String, _ b: String) throws(CheckpointError) -> Bool {
    guard let a = table[TensorName(a)], let b = table[TensorName(b)], a.shape == b.shape,
      a.dtype == b.dtype
    else { return false }
    return try SHA256.digest(of: a) == SHA256.digest(of: b)
  }
}
