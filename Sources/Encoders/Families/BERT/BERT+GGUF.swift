import Models
import TensorCore

extension Dialect {
  /// BERT under the tensor names of GGUF (gguf's `tensor_mapping`, architecture `bert`).
  ///
  /// The pooler and the pre-training heads have no place there. What llama.cpp computes stands in
  /// src/models/bert.cpp and in build_pooling of src/llama-graph.cpp.
  static let ggufBERT = Dialect(
    name: "gguf",
    architecture: BERT.name,
    rules: [
      .rename("token_embd", "embeddings.word"),
      .rename("position_embd", "embeddings.position"),
      .rename("token_types", "embeddings.token_type"),
      .rename("token_embd_norm", "embeddings.norm"),
      layer("attn_q", "attention.query"),
      layer("attn_k", "attention.key"),
      layer("attn_v", "attention.value"),
      layer("attn_output", "attention.output"),
      layer("attn_output_norm", "attention_norm"),
      layer("ffn_up", "feed_forward.up"),
      layer("ffn_down", "feed_forward.down"),
      layer("layer_output_norm", "feed_forward_norm"),
      .rename("cls", "classifier"),
    ],
    nativeConfig: .ggufBERT,
    limits: [
      .fact("activation", "gelu_new"), .fact("attention", "bidirectional"),
      .of(BERT.self, "the token type") {
        $0.tokenTypes > 1 ? ("any of \($0.tokenTypes) in the config", "always 0") : nil
      },
      .of(BERT.self, "the classifier") {
        $0.task == .tokenClassification
          ? ("on every token in the config", "with tanh, on the first one,") : nil
      },
    ],
    evidence: [.name("token_types.weight")],
    ownFiles: .gguf)

  private static func layer(_ stored: String, _ path: String) -> [Rule] {
    .rename("blk.{i}." + stored, "encoder.blocks.{i}." + path)
  }
}

extension NativeConfig {
  /// The key-values of BERT. The file does not say the activation, which llama.cpp has but one of.
  fileprivate static let ggufBERT = NativeConfig.gguf(
    GGUFConfig<BERT>(
      architecture: "bert", className: "BertModel", names: ggufEncoderNames,
      facts: { facts in
        var members: [JSONValue.Member] = [.init("hidden_act", "gelu_new")]
        for (name, key) in [
          ("token_types.weight", "type_vocab_size"),
          ("position_embd.weight", "max_position_embeddings"), ("cls.weight", "num_labels"),
        ] {
          if let rows = facts.shape(name)?.first { members.append(.init(key, .number(rows))) }
        }
        if facts.has("cls.weight") {
          members.append(.init("architectures", [.string(BERTHead.tokenClassification.rawValue)]))
        }
        return members
      },
      isMember: { $0.has("token_types.weight") && !["gpt2", "t5"].contains($0.tokenizer) }),
    facts: { model, _ in
      GGUFEncoder(
        vocabulary: model.vocabulary, width: model.width, layers: model.layers, heads: model.heads,
        feedForward: model.feedForwardWidth, positions: model.positions, types: model.tokenTypes,
        epsilon: model.epsilon
      ).values
    })
}
