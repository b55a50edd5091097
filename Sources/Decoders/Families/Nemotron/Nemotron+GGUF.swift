import Kernels
import Models
import TensorCore

extension Dialect {
  /// Nemotron under the tensor names of GGUF (gguf's `tensor_mapping`, architecture `nemotron`; llama.cpp:
  /// conversion/nemotron.py): gains of normalisations as they are, 1 more than what is stored elsewhere.
  ///
  /// Heads beside the language model's have no place there.
  static let ggufNemotron = Dialect(
    name: "gguf",
    architecture: Nemotron.name,
    rules: [
      .ggufDecoder(
        inPairs: false, norms: ["attn_norm": "attention_norm", "ffn_norm": "feed_forward_norm"],
        addend: 1,
        // llama.cpp wants it.
        writesTie: .always)
    ],
    nativeConfig: .ggufNemotron,
    limits: [
      .fact("activation", "\(Activation.relu2.rawValue)"),
      .rotaryScaling(Nemotron.self, known: ["linear", "yarn"]),
      .truncatedYaRN(Nemotron.self), .yarnWeights(Nemotron.self),
      .evenRotaryPart(Nemotron.self),
      .headsAsWideAsStream(Nemotron.self),
      .headOfWords(Nemotron.self),
    ],
    evidence: [.name("blk.0.attn_q.weight")],
    ownFiles: .gguf)
}

extension NativeConfig {
  /// The key-values of Nemotron.
  fileprivate static let ggufNemotron = NativeConfig.gguf(
    GGUFConfig<Nemotron>(
      architecture: "nemotron", className: "NemotronForCausalLM",
      names: [
        "block_count": "num_hidden_layers", "embedding_length": "hidden_size",
        "feed_forward_length": "intermediate_size", "attention.head_count": "num_attention_heads",
        "attention.head_count_kv": "num_key_value_heads", "attention.key_length": "head_dim",
        "attention.layer_norm_epsilon": "norm_eps", "context_length": "max_position_embeddings",
      ],
      facts: { facts throws(CheckpointError) in
        try facts.rotary(fractionKey: "partial_rotary_factor") + [
          .init("attention_bias", .bool(facts.has("blk.0.attn_q.bias"))),
          .init("mlp_bias", .bool(facts.has("blk.0.ffn_up.bias"))),
          .init("tie_word_embeddings", false),
        ]
      },
      // The converter writes the number twice.
      values: { model, _ in
        [.init("attention.layer_norm_rms_epsilon", .double(model.form.norm?.epsilon ?? 1e-5))]
      }))
}
