import Models
import TensorCore

extension Dialect {
  /// Marian as the program of that name stores its models in npz files, and transformers converts them
  /// (models/marian/convert_marian_to_pytorch.py, 4.44).
  ///
  /// Matrices are `[in, out]`, vectors `[1, n]`, and layers are counted from 1. The word of zeros that transformers puts
  /// behind the vocabulary, where it is padding and begins texts, is not stored.
  static let marianNMT = Dialect(
    name: "marian",
    architecture: Marian.name,
    rules: [
      .without(encoderWords, words("Wemb", "embeddings.word.weight")),
      .with(
        encoderWords, words("encoder_Wemb", encoderWords),
        words("decoder_Wemb", "decoder.embeddings.word.weight")),
      attention("encoder", "self", "attention"), attention("decoder", "self", "attention"),
      attention("decoder", "context", "cross_attention"),
      feedForward("encoder"), feedForward("decoder"),
      .tensor(
        "decoder_ff_logit_out_b",
        .withoutLast(.unit(.weight("lm_head.bias"), axis: 0), axis: 1)),
    ],
    nativeConfig: .marianNMT,
    limits: [
      .of(BART<Marian>.self, "the head") {
        $0.form.head.task == .base ? ("no part of the model", "always there") : nil
      },
      .of(BART<Marian>.self, "the factor of embeddings") {
        $0.form.encoder.factor == 1 ? ("1 in the config", "the root of d_model") : nil
      },
      .of(BART<Marian>.self, "the encoder's heads and units") { marian in
        let forms = [marian.form.encoder, marian.form.decoder].map(\.blocks.first)
        guard let first = forms[0], let second = forms[1],
          first.attention.shape.heads != second.attention.shape.heads
            || first.feedForward != second.feedForward
        else { return nil }
        return ("not the decoder's in the config", "the decoder's")
      },
    ],
    evidence: [.name("decoder_ff_logit_out_b")],
    ownFiles: Dialect.OwnFiles(
      program: "Marian", files: "npz files", container: "npz", isExclusive: false))

  private static let encoderWords = "encoder.embeddings.word.weight"

  private static func words(_ stored: String, _ path: String) -> [Rule] {
    .tensor(stored, .withoutLast(.weight(path), axis: 0))
  }

  private static func attention(_ stack: String, _ stored: String, _ path: String) -> [Rule] {
    let (stored, path) = ("\(stack)_l{i+1}_\(stored)_", "\(stack).blocks.{i}.\(path)")
    let parts = [("q", "query"), ("k", "key"), ("v", "value"), ("o", "output")]
    return parts.flatMap {
      linear("\(stored)W\($0.0)", "\(stored)b\($0.0)", "\(path).\($0.1)")
    } + norm("\(stored)Wo", "\(path)_norm")
  }

  private static func feedForward(_ stack: String) -> [Rule] {
    let (stored, path) = ("\(stack)_l{i+1}_ffn_", "\(stack).blocks.{i}.feed_forward")
    return linear("\(stored)W1", "\(stored)b1", "\(path).up")
      + linear("\(stored)W2", "\(stored)b2", "\(path).down") + norm("\(stored)ffn", "\(path)_norm")
  }

  private static func linear(_ matrix: String, _ bias: String, _ path: String) -> [Rule] {
    .tensor(matrix, .transposed(.weight("\(path).weight"))) + vector(bias, "\(path).bias")
  }

  private static func norm(_ stored: String, _ path: String) -> [Rule] {
    vector("\(stored)_ln_scale", "\(path).weight") + vector("\(stored)_ln_bias", "\(path).bias")
  }

  private static func vector(_ stored: String, _ path: String) -> [Rule] {
    .tensor(stored, .unit(.weight(path), axis: 0))
  }
}

extension NativeConfig {
  /// The options in YAML that lie among the tensors.
  fileprivate static let marianNMT = NativeConfig(
    inside: "npz", tensorName: "special:model.yml",
    recognizes: { options, _ in
      options["model_type"] == nil && options["type"] != nil && options["dim-vocabs"] != nil
    },
    usual: { options, _ throws(CheckpointError) in try marianFacts(of: options) },
    native: { _ in nil },
    tensors: { config in
      guard let options = marianOptions(for: config) else { return [] }
      let bytes = Array(options.yamlDocument.utf8) + [0]
      return [
        Tensor(
          name: "special:model.yml", dtype: .i8, shape: [bytes.count], bytes: ByteArray(bytes))
      ]
    })
}

/// Options of which transformers' conversion knows one value.
private let marianAssumptions: [JSONValue.Member] = [
  .init("type", "transformer"), .init("layer-normalization", false), .init("right-left", false),
  .init("transformer-ffn-depth", 2), .init("transformer-aan-depth", 2),
  .init("transformer-no-projection", false), .init("transformer-postprocess-emb", "d"),
  .init("transformer-postprocess", "dan"), .init("transformer-preprocess", ""),
  .init("transformer-train-position-embeddings", false), .init("ulr-dim-emb", 0),
  .init("dec-cell-base-depth", 2), .init("dec-cell-high-depth", 1),
  .init("transformer-aan-nogate", false),
]

/// Options that are numbers of a config, by the config's key.
private let marianSizes: KeyValuePairs = [
  "d_model": "dim-emb", "encoder_layers": "enc-depth", "decoder_layers": "dec-depth",
  "encoder_attention_heads": "transformer-heads", "decoder_attention_heads": "transformer-heads",
  "encoder_ffn_dim": "transformer-dim-ffn", "decoder_ffn_dim": "transformer-dim-ffn",
  "max_position_embeddings": "dim-emb",
]

/// The config that transformers' conversion makes of options.
private func marianFacts(of options: JSONValue) throws(CheckpointError) -> JSONValue {
  func unsupported(_ key: String, _ wanted: String) -> CheckpointError {
    CheckpointError(
      .unsupported("\(key) is \(options[key]?.text() ?? "not there"), and supported is \(wanted)"),
      tensor: "special:model.yml")
  }
  for member in marianAssumptions where options[member.key].map({ $0 != member.value }) ?? false {
    // What is not quoted and empty is null.
    if options[member.key] == .null, member.value == "" { continue }
    throw unsupported(member.key, member.value.text())
  }
  let isTied = ["tied-embeddings-all", "tied-embeddings"].contains { options[$0]?.bool == true }
  guard isTied else { throw unsupported("tied-embeddings", "true") }
  let isShared = ["tied-embeddings-all", "tied-embeddings-src"].contains {
    options[$0]?.bool == true
  }
  let counts = (options["dim-vocabs"]?.elements ?? []).map(\.int)
  guard counts.count == 2, let words = counts[0], counts[1] == words, words >= 0,
    words < .max
  else { throw unsupported("dim-vocabs", "twice the same") }
  var members: [JSONValue.Member] = [
    .init("architectures", ["MarianMTModel"]), .init("model_type", .string(Marian.name)),
  ]
  for (key, option) in marianSizes {
    guard let number = options[option]?.int else { throw unsupported(option, "a number") }
    members.append(.init(key, .number(number)))
  }
  guard let activation = options["transformer-ffn-activation"]?.string else {
    throw unsupported("transformer-ffn-activation", "a name")
  }
  return .object(
    members + [
      .init("activation_function", .string(activation)), .init("vocab_size", .number(words + 1)),
      .init("decoder_vocab_size", .number(words + 1)),
      .init("share_encoder_decoder_embeddings", .bool(isShared)),
      .init("tie_word_embeddings", true), .init("scale_embedding", true),
      .init("bos_token_id", 0), .init("eos_token_id", 0), .init("forced_eos_token_id", 0),
      .init("pad_token_id", .number(words)), .init("decoder_start_token_id", .number(words)),
      .init("bad_words_ids", .array([.array([.number(words)])])),
    ])
}

/// The options for a config; `nil` if it has no word that is left out.
private func marianOptions(for config: JSONValue) -> JSONValue? {
  var reader = ConfigReader(config)
  let model = BART<Marian>(config: &reader) { _ in false }
  let form = model.form
  guard reader.faults.isEmpty, let block = form.decoder.blocks.first,
    case let count = form.words.count(of: .encoder), count > 0
  else { return nil }
  let isShared = if case .separate = form.words { false } else { true }
  let facts: [JSONValue.Member] = [
    .init("dim-emb", .number(form.width)),
    .init(
      "dim-vocabs",
      .array([.number(count - 1), .number(form.words.count(of: .decoder) - 1)])),
    .init("enc-depth", .number(form.encoder.blocks.count)),
    .init("dec-depth", .number(form.decoder.blocks.count)),
    .init("transformer-heads", .number(block.attention.shape.heads)),
    .init("transformer-dim-ffn", .number(block.feedForward.hidden)),
    .init("transformer-dim-aan", .number(block.feedForward.hidden)),
    .init("transformer-ffn-activation", config["activation_function"] ?? "gelu"),
    .init("transformer-aan-activation", config["activation_function"] ?? "gelu"),
    .init("tied-embeddings", true), .init("tied-embeddings-all", .bool(isShared)),
    .init("tied-embeddings-src", .bool(isShared)),
  ]
  return .object((marianAssumptions + facts).sorted { $0.key < $1.key })
}
