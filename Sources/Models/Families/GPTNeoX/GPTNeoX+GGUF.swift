import Kernels

extension Dialect {
  /// GPT-NeoX under the tensor names of GGUF (gguf's `tensor_mapping`, architecture `gptneox`; llama.cpp:
  /// conversion/gptneox.py): queries, keys and values in one, block behind block.
  ///
  /// Heads beside the language model's have no place there.
  static let ggufGPTNeoX = Dialect(
    name: "gguf",
    architecture: GPTNeoX.name,
    rules: [
      .rename("token_embd", "embeddings.word"),
      layer("attn_norm", "attention_norm"),
      .tensor("blk.{i}.attn_qkv.weight", .partByPart(".weight")),
      .tensor("blk.{i}.attn_qkv.bias", .partByPart(".bias")),
      layer("attn_output", "attention.output"),
      layer("ffn_norm", "feed_forward_norm"),
      layer("ffn_up", "feed_forward.up"),
      layer("ffn_down", "feed_forward.down"),
      .rename("output_norm", "decoder.norm"),
      // llama.cpp wants it.
      .rename("output", "lm_head", writesTie: .always),
    ],
    limits: .llamaCppGPTNeoX,
    evidence: [.name("blk.0.attn_qkv.weight")],
    ownFiles: .gguf)

  private static func layer(_ stored: String, _ path: String) -> [Rule] {
    .rename("blk.{i}." + stored, "decoder.blocks.{i}." + path)
  }
}

extension [Limit] {
  /// What llama.cpp computes: src/models/gptneox.cpp, whose `gelu` is the tanh form, and what
  /// src/llama-context.cpp makes of scaled frequencies. The metadata of a GGUF file say the rest.
  fileprivate static let llamaCppGPTNeoX: [Limit] = [
    .fact("activation", "gelu_new"),
    .rotaryScaling(GPTNeoX.self, known: ["linear", "yarn"]),
    .truncatedYaRN(GPTNeoX.self),
    .evenRotaryPart(GPTNeoX.self),
    .of(GPTNeoX.self, "attention_bias") { model in
      model.form.blocks.allSatisfy(\.attention.hasBias) ? nil : ("false in the config", "true")
    },
    .headOfWords(GPTNeoX.self),
  ]
}
