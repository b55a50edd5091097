import Models

extension Dialect {
  /// GPT-2 as Hugging Face transformers stores it (models/gpt2/modeling_gpt2.py, 5.x).
  ///
  /// Its `Conv1D` layers are `[in, out]`, and queries, keys and values are one layer's columns.
  static let huggingFaceGPT2 = Dialect(
    name: "huggingface",
    architecture: "gpt2",
    rules: [
      .rename("transformer.wte", "embeddings.word"),
      .rename("transformer.wpe", "embeddings.position"),
      .rename("transformer.h.{i}.ln_1", "decoder.blocks.{i}.attention_norm"),
      .rename("transformer.h.{i}.ln_2", "decoder.blocks.{i}.feed_forward_norm"),
      .tensor("transformer.h.{i}.attn.c_attn.weight", .transposed(.queryKeyValue(".weight"))),
      .tensor("transformer.h.{i}.attn.c_attn.bias", .queryKeyValue(".bias")),
      gpt2CausalMask,
      .tensor(
        "transformer.h.{i}.attn.masked_bias", .weight(gpt2Attention + "masked_score"),
        .unit(.weight(gpt2Attention + "masked_score"), axis: 0)),
      conv1D("attn.c_proj", "attention.output"),
      conv1D("mlp.c_fc", "feed_forward.up"),
      conv1D("mlp.c_proj", "feed_forward.down"),
      .rename("transformer.ln_f", "decoder.norm"),
      .rename("lm_head", "lm_head"),
      .rename("score", "score"),
      .rename("classifier", "classifier"),
      .rename("qa_outputs", "qa_head"),
      .rename("multiple_choice_head.summary", "choice_head"),
    ],
    prefixes: [OptionalPrefix(text: "transformer.") { $0 != "GPT2Model" }],
    evidence: [
      Evidence(stored: "transformer.h.0.attn.c_attn.weight") { $0.count == 2 && $0[1] == 3 * $0[0] }
    ])

  private static func conv1D(_ stored: String, _ path: String) -> [Rule] {
    .tensor(
      "transformer.h.{i}.\(stored).weight",
      .transposed(.weight("decoder.blocks.{i}.\(path).weight")))
      + .tensor("transformer.h.{i}.\(stored).bias", .weight("decoder.blocks.{i}.\(path).bias"))
  }

  /// What older versions stored of the causal mask.
  static let gpt2CausalMask: [Rule] = .tensor(
    "transformer.h.{i}.attn.bias",
    .unit(.unit(.weight(gpt2Attention + "causal_mask"), axis: 0), axis: 0),
    .weight(gpt2Attention + "causal_mask"))

  private static let gpt2Attention = "decoder.blocks.{i}.attention."
}

extension Layout {
  /// GPT-2's queries, keys and values, one block of features behind the other.
  static func queryKeyValue(_ ending: String) -> Layout {
    .joined(
      ["query", "key", "value"].map { .weight("decoder.blocks.{i}.attention.\($0)\(ending)") },
      axis: 0)
  }
}

extension Dialect {
  /// GPT-2 as transformers 4 stores it of Flax and of TensorFlow.
  static let gpt2OfFrameworks: [Dialect] = [
    huggingFaceGPT2.inFlax(gpt2Modules),
    {
      var modules = gpt2Modules
      modules.writesPrefixes = true
      return huggingFaceGPT2.inTensorFlow(modules)
    }(),
  ]

  private static let gpt2Modules = FrameworkModules(
    embeddings: ["wte", "wpe"], norms: ["ln_1", "ln_2", "ln_f"],
    convolutions: ["c_attn", "c_proj", "c_fc"], missing: ["transformer.h.{i}.attn.bias"])
}
