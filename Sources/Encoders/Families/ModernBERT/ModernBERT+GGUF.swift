import Kernels
import Models
import TensorCore

extension Dialect {
  /// ModernBERT under the tensor names of GGUF (gguf's `tensor_mapping`, architecture `modern-bert`; llama.cpp:
  /// conversion/bert.py): queries, keys and values are one matrix, the gate and what it multiplies another. Biases
  /// and heads have no place there.
  static let ggufModernBERT = Dialect(
    name: "gguf",
    architecture: ModernBERT.name,
    rules: [
      .rename("token_embd.weight", "embeddings.word.weight"),
      .rename("token_embd_norm.weight", "embeddings.norm.weight"),
      .tensor("blk.{i}.attn_qkv.weight", .encoderQueryKeyValue(".weight")),
      .tensor("blk.{i}.ffn_up.weight", .encoderGateUp(".weight")),
      .encoderBlocks(
        "blk.{i}.",
        [
          "attn_norm.weight": "attention_norm.weight",
          "attn_output.weight": "attention.output.weight",
          "ffn_norm.weight": "feed_forward_norm.weight",
          "ffn_down.weight": "feed_forward.down.weight",
        ]),
      .rename("output_norm.weight", "encoder.norm.weight"),
    ],
    nativeConfig: .ggufModernBERT,
    // src/models/modern-bert.cpp. Its `gelu` computes the exact form, as llama.cpp of October 2026 was seen to.
    limits: [
      .activation("gelu", "silu", making: ["gelu_new": "gelu"]),
      .rotaryScaling(ofEncoder: ModernBERT.self, known: []),
    ],
    evidence: [.name("blk.0.attn_qkv.weight", without: "blk.0.attn_norm.weight")],
    ownFiles: .gguf)
}

extension NativeConfig {
  /// The key-values of ModernBERT: which layers see everything is one in so many, from the first one on, or a list.
  fileprivate static let ggufModernBERT = NativeConfig.gguf(
    GGUFConfig<ModernBERT>(
      architecture: "modern-bert", className: "ModernBertModel",
      names: [
        "block_count": "num_hidden_layers", "embedding_length": "hidden_size",
        "feed_forward_length": "intermediate_size", "attention.head_count": "num_attention_heads",
        "attention.layer_norm_epsilon": "norm_eps", "context_length": "max_position_embeddings",
        "rope.freq_base": "global_rope_theta", "hidden_activation": "hidden_activation",
      ],
      facts: { facts throws(CheckpointError) in
        let layers = try facts.count("block_count")
        let window = facts["attention.sliding_window"]?.int ?? 0
        var members: [JSONValue.Member] = [
          .init("local_rope_theta", facts["rope.freq_base_swa"] ?? .double(10_000)),
          .init("layer_types", facts.alternatingTypes(layers: layers, hasWindow: window > 0)),
        ]
        // The converter writes what Hugging Face's code reads under the other norm's name.
        if let epsilon = facts["attention.layer_norm_rms_epsilon"] {
          members.append(.init("norm_eps", epsilon))
        }
        if window > 0 { members.append(.init("local_attention", .number(window))) }
        return members
      },
      values: { model, config in model.ggufValues(config) }))
}

extension GGUFFacts {
  /// What each layer sees.
  fileprivate func alternatingTypes(layers: Int, hasWindow: Bool) -> JSONValue {
    let pattern = self["attention.sliding_window_pattern"]
    let every = max(1, pattern?.int ?? 3)
    return .array(
      (0..<min(layers, ConfigReader.mostLayers)).map { layer in
        let listed = pattern?.elements.map { layer < $0.count && $0[layer].bool == true }
        let isNear = hasWindow && (listed ?? !layer.isMultiple(of: every))
        return .string(isNear ? "sliding_attention" : "full_attention")
      })
  }
}

extension ModernBERT {
  /// What key-values say beside what they say of any encoder.
  fileprivate func ggufValues(_ config: JSONValue) -> [JSONValue.Member] {
    let windows = form.blocks.map(\.attention.shape.window)
    var members: [JSONValue.Member] = [.init("rope.scaling.type", "none")]
    if case .network(let network)? = form.blocks.first?.feedForward {
      let name = network.activation.rawValue
      members.append(.init("hidden_activation", .string(name)))
    }
    if let norm = form.norm {
      members.append(.init("attention.layer_norm_rms_epsilon", .double(norm.epsilon)))
    }
    if form.rotaries.count > 1 {
      members.append(.init("rope.freq_base_swa", .double(form.rotaries[1].base)))
    }
    guard let near = windows.lazy.compactMap(\.self).first else { return members }
    members.append(.init("attention.sliding_window", .number(2 * (near - 1))))
    let every = windows.dropFirst().firstIndex { $0 == nil } ?? max(1, windows.count)
    let isRegular = windows.indices.allSatisfy {
      (windows[$0] == nil) == $0.isMultiple(of: every)
    }
    members.append(
      .init(
        "attention.sliding_window_pattern",
        isRegular ? .number(every) : .array(windows.map { .bool($0 != nil) })))
    return members
  }
}
