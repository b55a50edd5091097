import Kernels
import Models
import TensorCore

extension Dialect {
  /// NomicBERT under the tensor names of GGUF (gguf's `tensor_mapping`, architecture `nomic-bert`; llama.cpp:
  /// conversion/bert.py): queries, keys and values are one matrix. Heads have no place there.
  static let ggufNomicBERT = Dialect(
    name: "gguf",
    architecture: NomicBERT.name,
    rules: [
      .rename("token_embd", "embeddings.word"),
      .rename("token_types", "embeddings.token_type"),
      .rename("token_embd_norm", "embeddings.norm"),
      .tensor("blk.{i}.attn_qkv.weight", .encoderQueryKeyValue(".weight")),
      .encoderBlocks(
        "blk.{i}.",
        [
          "attn_output": "attention.output", "attn_output_norm": "attention_norm",
          "ffn_gate": "feed_forward.gate", "ffn_up": "feed_forward.up",
          "ffn_down": "feed_forward.down", "layer_output_norm": "feed_forward_norm",
        ]),
    ],
    nativeConfig: .ggufNomicBERT,
    // src/models/bert.cpp and nomic-bert.cpp.
    limits: [
      .fact("activation", "\(Activation.silu.rawValue)"), .firstTokenType(NomicBERT.self),
      .of(NomicBERT.self, "head_dim") { model in
        guard let shape = model.form.blocks.first?.attention.shape,
          shape.queryWidth != model.form.width
        else { return nil }
        return ("\(shape.headSize) in the config", "hidden_size / num_attention_heads")
      },
      .rotaryScaling(ofEncoder: NomicBERT.self, known: ["linear", "yarn"]),
      .of(NomicBERT.self, "mscale") {
        $0.form.rotaries.yarnWeights.map { ("\($0) in the config", "not known") }
      },
    ],
    evidence: [.name("blk.0.layer_output_norm.weight")],
    ownFiles: .gguf)
}

extension NativeConfig {
  /// The key-values of NomicBERT.
  fileprivate static let ggufNomicBERT = NativeConfig.gguf(
    GGUFConfig<NomicBERT>(
      architecture: "nomic-bert", className: "NomicBertModel", names: ggufEncoderNames,
      facts: { facts throws(CheckpointError) in
        var members = try facts.rotary()
        if let rows = facts.shape("token_types.weight")?.first {
          members.append(.init("type_vocab_size", .number(rows)))
        }
        return members
      }))
}
