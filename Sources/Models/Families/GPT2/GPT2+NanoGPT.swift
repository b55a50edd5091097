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
      program: "nanoGPT", files: "its own PyTorch checkpoints", container: "nanogpt")
  )
}
