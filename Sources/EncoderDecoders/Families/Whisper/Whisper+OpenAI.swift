import Models
import TensorCore

extension Dialect {
  /// Whisper as OpenAI's code names it (openai/whisper: whisper/model.py). Files of torch's have `dims` beside the
  /// weights.
  static let openAIWhisper = Dialect(
    name: "openai",
    architecture: Whisper.name,
    rules: [openAIRules { .weight($0) }],
    nativeConfig: .openAIWhisper,
    limits: openAILimits,
    evidence: [
      Evidence(
        stored: "encoder.conv1.bias", shape: { $0.count == 1 },
        lacking: ["encoder.layer_norm.weight"])
    ],
    ownFiles: Dialect.OwnFiles(
      program: "openai-whisper", files: "its own PyTorch checkpoints", container: "torch",
      isExclusive: false))

  /// - Parameter bias: how the bias of a convolution lies.
  static func openAIRules(_ bias: (String) -> Layout) -> [Rule] {
    .rename("decoder.token_embedding.weight", "embeddings.word.weight")
      + .tensor("encoder.conv1.weight", .weight("encoder.embeddings.first.weight"))
      + .tensor("encoder.conv1.bias", bias("encoder.embeddings.first.bias"))
      + .tensor("encoder.conv2.weight", .weight("encoder.embeddings.second.weight"))
      + .tensor("encoder.conv2.bias", bias("encoder.embeddings.second.bias"))
      + stack("encoder", norm: "ln_post") + stack("decoder", norm: "ln")
      + attention("decoder", "cross_attn", "cross_attention")
  }

  /// What both programs compute.
  static let openAILimits: [Limit] = [
    .activation("gelu"),
    .of(Whisper.self, "the head") { model in
      model.form.head.task == .conditionalGeneration
        ? nil : ("\(model.head) in the config", "one that scores words")
    },
    Limit("the matrix that scores words") { graph in
      let path = "lm_head.weight"
      guard graph.slots.contains(where: { $0.path == path }), graph.ties[path] == nil else {
        return nil
      }
      return ("one of its own in the model", "always the word embedding")
    },
    .of(Whisper.self, "the units of feed-forward networks") { model in
      let form = model.form
      let units = (form.encoder.blocks + form.decoder.blocks).map(\.feedForward.hidden)
      guard let other = units.first(where: { $0 != 4 * form.width }) else { return nil }
      return ("\(other) in the config", "4 × d_model, \(4 * form.width)")
    },
  ]

  private static func stack(_ name: String, norm: String) -> [Rule] {
    let (block, path) = ("\(name).blocks.{i}.", "\(name).blocks.{i}.")
    return .tensor(
      "\(name).positional_embedding", .weight("\(name).embeddings.position.weight"))
      + attention(name, "attn", "attention")
      + .rename("\(block)mlp.0", "\(path)feed_forward.up")
      + .rename("\(block)mlp.2", "\(path)feed_forward.down")
      + .rename("\(block)mlp_ln", "\(path)feed_forward_norm")
      + .rename("\(name).\(norm)", "\(name).norm")
  }

  private static func attention(_ stack: String, _ module: String, _ path: String) -> [Rule] {
    let (stored, path) = ("\(stack).blocks.{i}.\(module)", "\(stack).blocks.{i}.\(path)")
    let parts = [("query", "query"), ("key", "key"), ("value", "value"), ("out", "output")]
    return parts.flatMap { [Rule].rename("\(stored).\($0.0)", "\(path).\($0.1)") }
      + .rename("\(stored)_ln", "\(path)_norm")
  }
}

extension NativeConfig {
  /// `dims`, from which the model is made. The rest stands in the code.
  fileprivate static let openAIWhisper = NativeConfig(
    inside: "torch",
    recognizes: { config, _ in config["model_type"] == nil && config["dims"] != nil },
    usual: { config, _ throws(CheckpointError) in
      try WhisperSizes(config["dims"] ?? [:]).config
    },
    native: { ["dims": WhisperSizes.native(for: $0)] },
    tensors: { _ in [] })
}

/// The sizes that files of OpenAI's say.
struct WhisperSizes {
  let values: JSONValue

  /// - Throws: `CheckpointError` if the stacks are not equally wide.
  init(_ values: JSONValue) throws(CheckpointError) {
    self.values = values
    let widths = (values["n_audio_state"], values["n_text_state"])
    guard widths.0 == widths.1 else {
      throw CheckpointError(
        .malformed("n_audio_state and n_text_state must be the same: they are one width"))
    }
  }

  /// The special tokens that the vocabulary's size shows (`is_multilingual`); the last word stands for them in a
  /// vocabulary that is smaller than the published ones.
  static func tokens(ofVocabulary words: Int) -> [JSONValue.Member] {
    let end = words >= 51_865 ? 50_257 : 50_256
    func token(_ id: Int) -> JSONValue { .number(max(0, min(id, words - 1))) }
    return [
      .init("bos_token_id", token(end)), .init("eos_token_id", token(end)),
      .init("pad_token_id", token(end)), .init("decoder_start_token_id", token(end + 1)),
    ]
  }

  /// The config that says the same.
  var config: JSONValue {
    // Any number may stand there; what cannot be is refused when the config is read.
    let words = min(max(1, values["n_vocab"]?.int ?? 1), 1 << 40)
    let width = values["n_text_state"]?.int ?? 0
    let hidden = JSONValue.number(width.multipliedReportingOverflow(by: 4).partialValue)
    return .object(
      [
        .init("model_type", .string(Whisper.name)),
        .init("architectures", ["WhisperForConditionalGeneration"]),
        .init("encoder_ffn_dim", hidden), .init("decoder_ffn_dim", hidden),
      ] + Self.tokens(ofVocabulary: words)
        + Self.keys.compactMap { key in values[key.native].map { .init(key.usual, $0) } })
  }

  /// What a config says of them.
  static func native(for config: JSONValue) -> JSONValue {
    var reader = ConfigReader(config)
    let form = Whisper(config: &reader) { _ in false }.form
    let bands = if case .frames(let bands, _)? = form.sound { bands } else { 0 }
    func heads(_ stack: StackForm) -> Int { stack.blocks.first?.attention.shape.heads ?? 1 }
    let sizes: KeyValuePairs = [
      "n_mels": bands, "n_audio_ctx": form.encoder.positions.longest ?? 0,
      "n_audio_state": form.width, "n_audio_head": heads(form.encoder),
      "n_audio_layer": form.encoder.blocks.count, "n_vocab": form.words.count(of: .decoder),
      "n_text_ctx": form.decoder.positions.longest ?? 0, "n_text_state": form.width,
      "n_text_head": heads(form.decoder), "n_text_layer": form.decoder.blocks.count,
    ]
    return .object(sizes.map { .init($0.key, .number($0.value)) })
  }

  private static let keys: [(native: String, usual: String)] = [
    ("n_mels", "num_mel_bins"), ("n_audio_ctx", "max_source_positions"),
    ("n_audio_head", "encoder_attention_heads"), ("n_audio_layer", "encoder_layers"),
    ("n_vocab", "vocab_size"), ("n_text_ctx", "max_target_positions"),
    ("n_text_state", "d_model"), ("n_text_head", "decoder_attention_heads"),
    ("n_text_layer", "decoder_layers"),
  ]
}
