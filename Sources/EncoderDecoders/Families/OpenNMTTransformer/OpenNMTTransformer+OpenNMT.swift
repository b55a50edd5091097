import Models
import TensorCore

extension Dialect {
  /// The Transformer as OpenNMT-py stores it (onmt/models/model_saver.py, 3.5.1): in a checkpoint of torch's, whose
  /// options say what the model is, or in safetensors, without the name of the model before those of its parts.
  static let openNMT = Dialect(
    name: "opennmt",
    architecture: OpenNMTTransformer.name,
    rules: [
      words, positions("encoder"), positions("decoder"),
      layer("encoder", "transformer", norm: "layer_norm"),
      attention("encoder.transformer.{i}.self_attn", "encoder.blocks.{i}.attention"),
      layer("decoder", "transformer_layers", norm: "layer_norm_1"),
      attention("decoder.transformer_layers.{i}.self_attn", "decoder.blocks.{i}.attention"),
      attention(
        "decoder.transformer_layers.{i}.context_attn", "decoder.blocks.{i}.cross_attention"),
      .rename(
        "model.decoder.transformer_layers.{i}.layer_norm_2",
        "decoder.blocks.{i}.cross_attention_norm"),
      .tensor("generator.weight", .weight("lm_head.weight"), writesTie: .always),
      .rename("generator.bias", "lm_head.bias"),
    ],
    prefixes: [OptionalPrefix(text: "model.") { _ in false }],
    nativeConfig: .openNMT,
    evidence: [.name(table("encoder")), .name(table("decoder"))])

  /// The name of a stack's table of words.
  static func table(_ stack: String) -> String {
    "model.\(stack).embeddings.make_embedding.emb_luts.0.weight"
  }

  /// The name of a stack's table of positions.
  static func positionTable(_ stack: String) -> String {
    "model.\(stack).embeddings.make_embedding.pe.pe"
  }

  private static var words: [Rule] {
    let paths = ["encoder", "decoder"].map { "\($0).embeddings.word.weight" }
    return .without(
      paths[0],
      .tensor(
        table("encoder"), .weight("embeddings.word.weight"), copies: [table("decoder")],
        writesCopies: true))
      + .with(
        paths[0], .tensor(table("encoder"), .weight(paths[0])),
        .tensor(table("decoder"), .weight(paths[1])))
  }

  private static func positions(_ stack: String) -> [Rule] {
    .tensor(
      positionTable(stack), .unit(.weight("\(stack).embeddings.position.weight"), axis: 1))
  }

  private static func layer(_ stack: String, _ layers: String, norm: String) -> [Rule] {
    let (stored, path) = ("model.\(stack).\(layers).{i}.", "\(stack).blocks.{i}.")
    let (network, feed) = (stored + "feed_forward.", path + "feed_forward.")
    let gate = feed + "gate"
    return .rename(stored + norm, path + "attention_norm")
      + .rename(network + "layer_norm", path + "feed_forward_norm")
      + .without(gate + ".weight", .rename(network + "w_1", feed + "up"))
      + .with(
        gate + ".weight", .rename(network + "w_1", gate), .rename(network + "w_3", feed + "up"))
      + .rename(network + "w_2", feed + "down")
      + .rename("model.\(stack).layer_norm", "\(stack).norm")
  }

  private static func attention(_ stored: String, _ path: String) -> [Rule] {
    let parts = [
      ("linear_query", "query"), ("linear_keys", "key"), ("linear_values", "value"),
      ("final_linear", "output"),
    ]
    return parts.flatMap { [Rule].rename("model.\(stored).\($0.0)", "\(path).\($0.1)") }
  }
}

extension NativeConfig {
  /// The options that the model was trained with, and where its vocabulary has the marks of texts.
  fileprivate static let openNMT = NativeConfig(
    inside: "torch",
    recognizes: { config, _ in
      config["model_type"] == nil && config["options"] != nil && config["vocab"] != nil
    },
    usual: { config, table throws(CheckpointError) in
      try TrainedOptions(options: config["options"] ?? [:], vocabulary: config["vocab"] ?? [:])
        .config(table)
    },
    native: { _ in nil },
    tensors: { _ in [] })
}

/// What a checkpoint says beside its weights.
private struct TrainedOptions {
  let options: JSONValue
  let vocabulary: JSONValue

  /// Options of which one value is supported.
  private static let assumptions: [JSONValue.Member] = [
    .init("model_type", "text"), .init("model_task", "seq2seq"),
    .init("encoder_type", "transformer"), .init("decoder_type", "transformer"),
    .init("parallel_residual", false), .init("relative_positions_buckets", 0),
    .init("sliding_window", 0), .init("num_experts", 0), .init("copy_attn", false),
    .init("generator_function", "softmax"), .init("lora_layers", []), .init("quant_layers", []),
    .init("lora_embedding", false),
  ]

  /// Options that a config has as they are.
  private static let keys = [
    "heads", "num_kv", "transformer_ff", "add_qkvbias", "add_ffnbias", "pos_ffn_activation_fn",
    "norm_eps", "position_encoding", "share_embeddings", "share_decoder_embeddings",
  ]

  private static let networkBias: TensorName =
    "model.encoder.transformer.0.feed_forward.w_1.bias"

  /// The config that says the same.
  ///
  /// - Throws: `CheckpointError` if the options are those of a model that is not supported.
  func config(_ table: TensorTable) throws(CheckpointError) -> JSONValue {
    for member in Self.assumptions {
      guard let value = options[member.key], value != member.value else { continue }
      throw unsupported(member.key, member.value.text())
    }
    guard ["scaled-dot", "scaled-dot-flash", nil].contains(options["self_attn_type"]?.string) else {
      throw unsupported("self_attn_type", "\"scaled-dot\"")
    }
    if let features = vocabulary["src_feats"] {
      throw CheckpointError(
        .unsupported("words have features (src_feats \(features.text())), which are not read"))
    }
    guard let width = size("hidden_size", or: "dec_hid_size") else {
      throw unsupported("hidden_size", "a number, as OpenNMT-py 3 says it")
    }
    var members: [JSONValue.Member] = [
      .init("model_type", .string(OpenNMTTransformer.name)), .init("architectures", ["NMTModel"]),
      .init("hidden_size", width),
    ]
    for key in ["enc_layers", "dec_layers"] {
      if let layers = size("layers", or: key) { members.append(.init(key, layers)) }
    }
    members += Self.keys.compactMap { key in options[key].map { .init(key, $0) } }
    if let norm = options["layer_norm"] { members.append(.init("norm_type", norm)) }
    if options["multiquery"]?.bool == true, options["num_kv"]?.int ?? 0 == 0 {
      members.removeAll { $0.key == "num_kv" }
      members.append(.init("num_kv", 1))
    }
    // Files of before the option have the bias all the same.
    if table[Self.networkBias] != nil {
      members.removeAll { $0.key == "add_ffnbias" }
      members.append(.init("add_ffnbias", true))
    }
    return .object(members + (try positions(table)) + sizes(of: table) + marks)
  }

  private func unsupported(_ key: String, _ wanted: String) -> CheckpointError {
    CheckpointError(
      .unsupported("opt: \(key) is \(options[key]?.text() ?? "missing"); supported is \(wanted)"))
  }

  /// A size that one option says of both stacks, if it is positive, and else another of each.
  private func size(_ both: String, or each: String) -> JSONValue? {
    if let value = options[both]?.int, value > 0 { return .number(value) }
    return options[each]
  }

  /// What the model knows of places.
  private func positions(_ table: TensorTable) throws(CheckpointError) -> [JSONValue.Member] {
    let relative = options["max_relative_positions"]?.int ?? 0
    if options["position_encoding"]?.bool == true, relative == 0 {
      let rows = rows(Dialect.positionTable("encoder"), table)
      return rows.map { [.init("max_position_embeddings", .number($0))] } ?? []
    }
    guard options["position_encoding"]?.bool != true, relative == -1 else {
      throw unsupported(
        "max_relative_positions", "0 with position_encoding, or -1 (rotary) without it")
    }
    return ["rotary_interleave", "rotary_theta", "rotary_dim"].compactMap { key in
      options[key].map { .init(key, $0) }
    }
  }

  /// How many words there are, which only the tables say.
  private func sizes(of table: TensorTable) -> [JSONValue.Member] {
    [("src_vocab_size", "encoder"), ("tgt_vocab_size", "decoder")].compactMap { key, stack in
      rows(Dialect.table(stack), table).map { .init(key, .number($0)) }
    }
  }

  private func rows(_ name: String, _ table: TensorTable) -> Int? {
    table[TensorName(name)]?.shape.first
  }

  /// The numbers of the marks in the vocabulary of what is written.
  private var marks: [JSONValue.Member] {
    let words = vocabulary["tgt"]
    let start = vocabulary["decoder_start_token"]?.string ?? "<s>"
    let marks = [
      ("pad_token_id", "<blank>"), ("bos_token_id", "<s>"), ("eos_token_id", "</s>"),
      ("decoder_start_token_id", start),
    ]
    return marks.compactMap { key, word in words?[word].map { .init(key, $0) } }
  }
}
