import Models
import TensorCore

extension Dialect {
  /// GPT-2 as nanoGPT stores it (karpathy/nanoGPT: model.py): Hugging Face's names, but ordinary
  /// linear layers `[out, in]`.
  ///
  /// The head is stored although it is tied, biases may be left out of the whole model, and a
  /// compiled module's names begin with `_orig_mod.`.
  static let nanoGPT = Dialect(
    name: "nanogpt",
    architecture: "gpt2",
    rules: [
      .rename("transformer.wte", "embeddings.word", mayBePadded: true),
      .rename("transformer.wpe", "embeddings.position"),
      .rename("transformer.h.{i}.ln_1", "decoder.blocks.{i}.attention_norm"),
      .rename("transformer.h.{i}.ln_2", "decoder.blocks.{i}.feed_forward_norm"),
      .tensor("transformer.h.{i}.attn.c_attn.weight", .queryKeyValue(".weight")),
      .tensor("transformer.h.{i}.attn.c_attn.bias", .queryKeyValue(".bias")),
      gpt2CausalMask,
      .rename("transformer.h.{i}.attn.c_proj", "decoder.blocks.{i}.attention.output"),
      .rename("transformer.h.{i}.mlp.c_fc", "decoder.blocks.{i}.feed_forward.up"),
      .rename("transformer.h.{i}.mlp.c_proj", "decoder.blocks.{i}.feed_forward.down"),
      .rename("transformer.ln_f", "decoder.norm"),
      .rename("lm_head", "lm_head", writesTie: .always, mayBePadded: true),
    ],
    prefixes: [OptionalPrefix(text: "_orig_mod.", isWritten: { _ in false }, isInRules: false)],
    omissible: .biases,
    nativeConfig: .nanoGPT,
    limits: gpt2Limits(activation: "gelu") + [
      .fact("epsilon", "\(1e-5)"), gpt2InnerWidth,
      Limit("the head") { graph in
        guard graph.slots.contains(where: { $0.path == "lm_head.weight" }) else {
          return ("no part of the model", "always there and wanted in the file")
        }
        return graph.ties["lm_head.weight"] == nil
          ? ("a matrix of its own in the model", "always the word embedding") : nil
      },
    ],
    evidence: [
      Evidence(stored: "transformer.h.0.attn.c_attn.weight") { $0.count == 2 && $0[0] == 3 * $0[1] }
    ],
    ownFiles: Dialect.OwnFiles(
      program: "nanoGPT", files: "its own PyTorch checkpoints", container: "torch",
      isExclusive: false)
  )
}

extension NativeConfig {
  /// `model_args`, which train.py saves beside the weights and `GPTConfig` is made of. The rest stands in
  /// nanoGPT's code.
  fileprivate static let nanoGPT = NativeConfig(
    inside: "torch",
    recognizes: { config, _ in
      config["model_type"] == nil && config["block_size"] != nil && config["n_embd"] != nil
    },
    usual: { arguments, _ in
      .object(
        [
          .init("model_type", "gpt2"), .init("architectures", ["GPT2LMHeadModel"]),
          .init("activation_function", "gelu"), .init("layer_norm_epsilon", .double(1e-5)),
          .init("tie_word_embeddings", true),
        ] + sizes.compactMap { size in arguments[size.native].map { .init(size.usual, $0) } })
    },
    native: { config in
      .object(
        sizes.map { .init($0.native, config[$0.usual] ?? config[$0.other] ?? .number($0.size)) }
          // All biases are written, and nothing is dropped where nothing is trained.
          + [.init("bias", true), .init("dropout", .double(0))])
    },
    tensors: { _ in [] })

  /// The sizes, with what Hugging Face calls them, too, and those of GPT-2.
  private static let sizes: [(native: String, usual: String, other: String, size: Int)] = [
    ("n_layer", "n_layer", "num_hidden_layers", 12),
    ("n_head", "n_head", "num_attention_heads", 12), ("n_embd", "n_embd", "hidden_size", 768),
    ("block_size", "n_positions", "max_position_embeddings", 1024),
    ("vocab_size", "vocab_size", "vocab_size", 50257),
  ]
}
