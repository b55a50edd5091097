extension Dialect {
  /// StableLM under the tensor names of GGUF (gguf's `tensor_mapping`, architecture `stablelm`; llama.cpp:
  /// conversion/stablelm.py): the normalisations of all heads are one tensor.
  ///
  /// Heads beside the language model's have no place there.
  static let ggufStableLM = Dialect(
    name: "gguf",
    architecture: StableLM.name,
    rules: [
      .rename("token_embd", "embeddings.word"),
      layer("attn_norm", "attention_norm"),
      layer("attn_q", "attention.query"),
      layer("attn_k", "attention.key"),
      layer("attn_v", "attention.value"),
      headNorms("attn_q_norm", "query_norm"),
      headNorms("attn_k_norm", "key_norm"),
      layer("attn_output", "attention.output"),
      layer("ffn_norm", "feed_forward_norm"),
      layer("ffn_gate", "feed_forward.gate"),
      layer("ffn_up", "feed_forward.up"),
      layer("ffn_down", "feed_forward.down"),
      .rename("output_norm", "decoder.norm"),
      // llama.cpp wants it.
      .rename("output", "lm_head", writesTie: .always),
    ],
    limits: [
      .fact("activation", "silu"),
      .rotaryScaling(StableLM.self, known: ["linear", "yarn"]),
      .truncatedYaRN(StableLM.self),
      .headOfWords(StableLM.self),
    ],
    evidence: [.name("blk.0.attn_q.weight")],
    ownFiles: .gguf)

  private static func headNorms(_ stored: String, _ path: String) -> [Rule] {
    .tensor(
      "blk.{i}.\(stored).weight",
      .stacked(.weight("decoder.blocks.{i}.attention.\(path).{e}.weight"), over: "e", axis: 0))
  }

  private static func layer(_ stored: String, _ path: String) -> [Rule] {
    .rename("blk.{i}." + stored, "decoder.blocks.{i}." + path)
  }
}
