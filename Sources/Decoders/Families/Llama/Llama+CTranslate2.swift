import Kernels
import Models
import TensorCore

extension Dialect {
  /// Llama, Mistral, Qwen2 and Qwen3 as CTranslate2's converter of transformers' models writes them
  /// (OpenNMT/CTranslate2: python/ctranslate2/converters/transformers.py, specs/attention_spec.py, 4.8).
  static let ctranslate2Llama: [Dialect] = [
    ctranslate2(MetaLlama.self), ctranslate2(Mistral.self), ctranslate2(Qwen2.self),
    ctranslate2(Qwen3.self),
  ]

  private static func ctranslate2<Member: LlamaMember>(_: Member.Type) -> Dialect {
    Dialect(
      name: "ctranslate2",
      architecture: Member.name,
      rules: [
        .tensor("decoder/embeddings/weight", .weight("embeddings.word.weight")),
        .tensor("decoder/projection/weight", .weight("lm_head.weight"), writesTie: .always),
        .ctranslate2Stack("decoder"),
      ],
      unread: ctranslate2Settings(of: "decoder")
        + ["decoder/sliding_window"].map { ($0, "a setting of CTranslate2") }
        + [
          "head_dim", "num_heads_kv", "rotary_base", "rotary_dim", "rotary_interleave",
          "rotary_scaling_factor", "rotary_scaling_type", "sliding_window",
        ].map { ("decoder/layer_{i}/self_attention/\($0)", "a setting of CTranslate2") },
      nativeConfig: .ctranslate2(
        isMember: { $0.isGatedDecoder && $0.isOf(Member.self) },
        members: { settings throws(CheckpointError) in try settings.members(Member.self) }),
      limits: [
        .fact("activation", "\(Activation.silu.rawValue)"),
        .rotaryScaling(Llama<Member>.self, known: ["linear"]),
        .headOfWords(Llama<Member>.self),
      ] + (Member.self == Mistral.self ? [] : [.noWindow(Llama<Member>.self)]),
      evidence: [
        .name("decoder/layer_0/ffn/linear_0_noact/weight", without: "encoder/num_heads")
      ],
      ownFiles: .ctranslate2)
  }
}

extension CTranslate2Settings {
  private func inFirst(_ name: String) -> String { "decoder/layer_0/self_attention/" + name }

  /// Whether the model has what these have: a gate with SiLU, root-mean-square normalisations before the layers, and rotary
  /// positions.
  fileprivate var isGatedDecoder: Bool {
    !has("encoder/num_heads") && has("decoder/layer_0/ffn/linear_0_noact/weight")
      && !has("decoder/layer_norm/beta") && !has("decoder/position_encodings/encodings")
      && number("decoder/pre_norm") == 1 && number("decoder/activation") == 2
      && number("decoder/scale_embeddings") == 0 && number("decoder/alibi") == 0
      && has(inFirst("rotary_dim"))
  }

  /// Whether it has the biases, normalisations and settings of a member.
  fileprivate func isOf<Member: LlamaMember>(_: Member.Type) -> Bool {
    let hasBias = has(inFirst("linear_0/bias"))
    let isMistral = has(inFirst("sliding_window")) || has(inFirst("head_dim")) && !hasBias
    if has(inFirst("q_norm/gamma")) { return Member.self == Qwen3.self }
    if hasBias, !has(inFirst("linear_1/bias")) { return Member.self == Qwen2.self }
    return isMistral ? Member.self == Mistral.self : Member.self == MetaLlama.self
  }

  /// The config that transformers has for the model.
  fileprivate func members<Member: LlamaMember>(
    _: Member.Type
  ) throws(CheckpointError) -> [JSONValue.Member] {
    let words = try shape("decoder/embeddings/weight", rank: 2)
    let heads = try required("decoder/num_heads")
    let headSize = try setting("head_dim") ?? (Double(words[1]) / heads).rounded(.down)
    for (name, wanted) in [
      ("rotary_interleave", 0), ("rotary_scaling_type", 0),
      ("rotary_dim", try setting("rotary_dim") == 0 ? 0 : headSize),
    ] {
      _ = try setting(name)
      try require(inFirst(name), wanted)
    }
    guard json["layer_norm_epsilon"]?.double != nil else {
      throw CheckpointError(
        .malformed("config: layer_norm_epsilon must be a number: it says what CTranslate2 computes")
      )
    }
    var members: [JSONValue.Member] = [
      .init("model_type", .string(Member.name)),
      .init("architectures", [.string(Member.className + "ForCausalLM")]),
      .init("vocab_size", .number(words[0])), .init("hidden_size", .number(words[1])),
      .init("num_hidden_layers", .number(layers(of: "decoder"))),
      .init("num_attention_heads", .whole(heads)),
      .init("num_key_value_heads", .whole(try setting("num_heads_kv") ?? heads)),
      .init("head_dim", .whole(headSize)),
      .init(
        "intermediate_size",
        .number(try shape("decoder/layer_0/ffn/linear_0/weight", rank: 2)[0])),
      .init("hidden_act", "silu"), .init("rms_norm_eps", epsilon),
      .init("rope_parameters", try rotary),
      .init(
        "tie_word_embeddings",
        .bool(try areSame("decoder/projection/weight", "decoder/embeddings/weight"))),
    ]
    if Member.self == MetaLlama.self {
      members += [
        .init("attention_bias", .bool(has(inFirst("linear_0/bias")))),
        .init("mlp_bias", .bool(has("decoder/layer_0/ffn/linear_0/bias"))),
      ]
    }
    if Member.self == Mistral.self {
      let window = try setting("sliding_window").flatMap { $0 == 0 ? nil : $0 }
      members.append(.init("sliding_window", window.map { .whole($0) } ?? .null))
    }
    return members
  }

  private var rotary: JSONValue {
    get throws(CheckpointError) {
      let theta = JSONValue.Member("rope_theta", .double(try setting("rotary_base") ?? 10_000))
      guard try setting("rotary_scaling_type") != nil else {
        return .object([.init("rope_type", "default"), theta])
      }
      let factor = try setting("rotary_scaling_factor") ?? 1
      return .object([.init("rope_type", "linear"), theta, .init("factor", .double(factor))])
    }
  }

  /// What attention is set to in all layers.
  private func setting(_ name: String) throws(CheckpointError) -> Double? {
    try inLayers(of: "decoder", "self_attention/" + name)
  }
}

extension JSONValue {
  /// A number as a whole one; 0 stands for one that is none.
  fileprivate static func whole(_ number: Double) -> JSONValue {
    .number(Int(exactly: number) ?? 0)
  }
}
