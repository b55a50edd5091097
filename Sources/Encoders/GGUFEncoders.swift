import Kernels
import Models
import TensorCore

/// What key-values say of any encoder.
struct GGUFEncoder: Sendable {
  var vocabulary: Int
  var width: Int
  var layers: Int
  var heads: Int
  var feedForward: Int
  var positions: Int
  /// How many types of tokens there are, which llama.cpp wants to be told even where there are none.
  var types: Int?
  var epsilon: Double

  var values: [JSONValue.Member] {
    [
      .init("context_length", .number(positions)), .init("embedding_length", .number(width)),
      .init("block_count", .number(layers)), .init("vocab_size", .number(vocabulary)),
      .init("feed_forward_length", .number(feedForward)),
      .init("attention.head_count", .number(heads)),
      .init("attention.layer_norm_epsilon", .double(epsilon)), .init("attention.causal", false),
      .init("tokenizer.ggml.token_type_count", .number(types ?? 1)),
    ]
  }
}

/// What encoders' configs call what key-values say.
let ggufEncoderNames: KeyValuePairs = [
  "block_count": "num_hidden_layers", "embedding_length": "hidden_size",
  "feed_forward_length": "intermediate_size", "attention.head_count": "num_attention_heads",
  "attention.layer_norm_epsilon": "layer_norm_eps", "context_length": "max_position_embeddings",
]

extension NativeConfig {
  /// The key-values of a GGUF file about an encoder.
  static func gguf<Model: TextEncoder>(_ config: GGUFConfig<Model>) -> NativeConfig {
    gguf(config, facts: { $0.form.ggufValues($1) })
  }
}

extension EncoderForm {
  fileprivate func ggufValues(_ config: JSONValue) -> [JSONValue.Member] {
    var hidden = 0
    if case .network(let network)? = blocks.first?.feedForward { hidden = network.hidden }
    let shape = blocks.first?.attention.shape
    let encoder = GGUFEncoder(
      vocabulary: vocabulary, width: width, layers: blocks.count, heads: shape?.heads ?? 1,
      feedForward: hidden,
      positions: embedding.positions?.rows ?? config["max_position_embeddings"]?.int ?? 512,
      types: embedding.tokenTypes,
      epsilon: (embedding.norm ?? blocks.first?.norm)?.epsilon ?? 1e-12)
    let sizes = ["key", "value"].map { part in
      JSONValue.Member("attention.\(part)_length", .number(shape?.headSize ?? 1))
    }
    return encoder.values + sizes + (rotaries.first?.ggufValues ?? [])
  }
}

extension Limit {
  /// The ways to scale rotary frequencies that the code knows.
  static func rotaryScaling<Model: TextEncoder>(
    ofEncoder _: Model.Type, known: [String]
  ) -> Limit {
    .of(Model.self, "rope_type") { model in
      model.form.rotaries.otherScaling(than: known).map { ("\($0) in the config", "not known") }
    }
  }

  /// No type of a token but the first has an effect.
  static func firstTokenType<Model: TextEncoder>(_: Model.Type) -> Limit {
    .of(Model.self, "the token type") { model in
      guard let types = model.form.embedding.tokenTypes, types > 1 else { return nil }
      return ("any of \(types) in the config", "always 0")
    }
  }
}
