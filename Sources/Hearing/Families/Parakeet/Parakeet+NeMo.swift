import Kernels
import Models
import TensorCore

extension Dialect {
  /// The model as NVIDIA NeMo names it (nemo/collections/asr/modules/conformer_encoder.py, conv_asr.py,
  /// parts/submodules/conformer_modules.py), as far as transformers' conversion reads it
  /// (models/parakeet/convert_nemo_to_hf.py).
  static let nemoParakeet = Dialect(
    name: "nemo",
    architecture: ParakeetCTC.name,
    rules: [
      .rename("encoder.pre_encode.conv.{i}", "embeddings.convolutions.{i}"),
      .rename("encoder.pre_encode.out", "embeddings.projection"),
      blocks(
        "encoder.layers.{i}.",
        attention: [
          ("linear_q", "query"), ("linear_k", "key"), ("linear_v", "value"),
          ("linear_out", "output"), ("linear_pos", "position"),
        ], biases: "pos_bias_", statistics: "batch_norm"),
      scores("decoder.decoder_layers.0"),
    ],
    unread: [
      ("encoder.layers.{i}.conv.batch_norm.num_batches_tracked", batches),
      ("encoder.pos_enc.pe", "vectors of distances, which are computed"),
      ("preprocessor.featurizer.window", "a window of samples, which is computed"),
      ("preprocessor.featurizer.fb", "filters of frequencies, which are computed"),
    ],
    nativeConfig: .nemo,
    limits: nemoLimits,
    evidence: [Evidence(stored: "encoder.pre_encode.out.weight", isWhole: true)])

  private static let nemoLimits: [Limit] = [
    .of(ParakeetCTC.self, "the activation") { model in
      guard case .conformer(let block)? = model.form.blocks.first,
        block.feedForward.activation != .silu
      else { return nil }
      return ("\(block.feedForward.activation.rawValue) in the config", "silu")
    },
    .of(ParakeetCTC.self, "what has biases") { model in
      guard case .conformer(let block)? = model.form.blocks.first,
        block.hasBias != block.convolution.hasBias
      else { return nil }
      return ("not the same for attention and convolutions", "the same for both")
    },
    .of(ParakeetCTC.self, "the convolutions over bands") { model in
      guard case .bands(let form) = model.form.source, form.kernel != 3 || form.step != 2 else {
        return nil
      }
      return ("\(form.kernel) wide with stride \(form.step) in the config", "3 and 2")
    },
  ]
}

extension NativeConfig {
  /// The section `encoder` of model_config.yaml.
  fileprivate static let nemo = NativeConfig(
    inside: "nemo",
    recognizes: { config, _ in
      config["model_type"] == nil && config["encoder"]?["d_model"] != nil
    },
    usual: { config, table throws(CheckpointError) in
      try NeMoEncoder(config["encoder"] ?? [:]).config(of: table)
    },
    native: { _ in nil }, tensors: { _ in [] })
}

/// What the section says.
private struct NeMoEncoder {
  let section: JSONValue

  /// Keys with another name and the same meaning.
  private static let keys: [(own: String, usual: String)] = [
    ("d_model", "hidden_size"), ("n_heads", "num_attention_heads"),
    ("n_layers", "num_hidden_layers"), ("feat_in", "num_mel_bins"),
    ("conv_kernel_size", "conv_kernel_size"), ("subsampling_factor", "subsampling_factor"),
    ("subsampling_conv_channels", "subsampling_conv_channels"),
    ("pos_emb_max_len", "max_position_embeddings"), ("xscaling", "scale_input"),
    ("use_bias", "attention_bias"), ("dropout", "dropout"), ("dropout_emb", "dropout_positions"),
    ("dropout_att", "attention_dropout"), ("stochastic_depth_drop_prob", "layerdrop"),
  ]

  /// Keys of which the mathematics have one value.
  private static let required: [(key: String, value: JSONValue)] = [
    ("self_attention_model", "rel_pos"), ("subsampling", "dw_striding"),
    ("conv_norm_type", "batch_norm"), ("causal_downsampling", false), ("untie_biases", true),
    ("att_context_style", "regular"), ("att_context_size", [-1, -1]), ("feat_out", -1),
  ]

  /// Keys without effect on outputs, or that may only be null.
  private static let ignored = [
    "_target_", "ff_expansion_factor", "dropout_pre_encoder", "stochastic_depth_mode",
    "stochastic_depth_start_layer", "sync_max_audio_length", "subsampling_conv_chunking_factor",
    "use_pytorch_sdpa", "use_pytorch_sdpa_backends", "reduction_factor", "reduction_position",
  ]
  private static let nulls = ["conv_context_size", "reduction"]

  init(_ section: JSONValue) { self.section = section }

  /// The config that says the same; how many units and tokens there are the tensors say.
  ///
  /// - Throws: `CheckpointError` if it is of a model that is not computed.
  func config(of table: TensorTable) throws(CheckpointError) -> JSONValue {
    for prefix in ["decoder.prediction.", "joint."]
    where table.tensors.contains(where: { $0.name.text.hasPrefix(prefix) }) {
      throw CheckpointError(
        .unsupported("the decoder is a transducer (RNN-T, TDT); CTC alone is supported"))
    }
    for (key, value) in Self.required {
      guard let own = section[key], own != .null, own != value else { continue }
      throw CheckpointError(
        .unsupported("encoder.\(key) is \(own.text()): only \(value.text()) is supported"))
    }
    for key in Self.nulls {
      guard let own = section[key], own != .null, own != [-1, -1] else { continue }
      throw CheckpointError(.unsupported("encoder.\(key) is \(own.text()): it is not supported"))
    }
    var encoder: [JSONValue.Member] = [.init("model_type", .string(ParakeetEncoder.name))]
    for member in section.members ?? [] {
      let known =
        Self.required.map(\.key) + Self.nulls + Self.ignored
      if known.contains(member.key) { continue }
      let key = Self.keys.first { $0.own == member.key }?.usual ?? member.key
      if member.value == .null { continue }
      encoder.append(.init(key, member.value))
      if member.key == "use_bias" { encoder.append(.init("convolution_bias", member.value)) }
    }
    func rows(_ name: String) -> Int? { table[TensorName(name)]?.shape.first }
    if let hidden = rows("encoder.layers.0.feed_forward1.linear1.weight") {
      encoder.append(.init("intermediate_size", .number(hidden)))
    }
    var members: [JSONValue.Member] = [
      .init("model_type", .string(ParakeetCTC.name)), .init("architectures", ["ParakeetForCTC"]),
      .init("encoder_config", .object(encoder)),
    ]
    if let words = rows("decoder.decoder_layers.0.weight"), words > 0 {
      members += [
        .init("vocab_size", .number(words)), .init("pad_token_id", .number(words - 1)),
      ]
    }
    return .object(members)
  }
}
