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
      gpt2CausalMask, gpt2MaskedScore("attn", "attention"),
      .rename("transformer.h.{i}.ln_cross_attn", "decoder.blocks.{i}.cross_attention_norm"),
      conv1D("crossattention.q_attn", "cross_attention.query"),
      .tensor(
        "transformer.h.{i}.crossattention.c_attn.weight",
        .transposed(.gpt2Parts("cross_attention", ["key", "value"], ".weight"))),
      .tensor(
        "transformer.h.{i}.crossattention.c_attn.bias",
        .gpt2Parts("cross_attention", ["key", "value"], ".bias")),
      conv1D("crossattention.c_proj", "cross_attention.output"),
      gpt2CausalMask("crossattention", "cross_attention"),
      gpt2MaskedScore("crossattention", "cross_attention"),
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
  static let gpt2CausalMask = gpt2CausalMask("attn", "attention")

  private static func gpt2CausalMask(_ stored: String, _ path: String) -> [Rule] {
    let mask = Layout.weight("decoder.blocks.{i}.\(path).causal_mask")
    return .tensor(
      "transformer.h.{i}.\(stored).bias", .unit(.unit(mask, axis: 0), axis: 0), mask)
  }

  private static func gpt2MaskedScore(_ stored: String, _ path: String) -> [Rule] {
    let score = Layout.weight("decoder.blocks.{i}.\(path).masked_score")
    return .tensor("transformer.h.{i}.\(stored).masked_bias", score, .unit(score, axis: 0))
  }
}

extension Layout {
  /// GPT-2's queries, keys and values, one block of features behind the other.
  static func queryKeyValue(_ ending: String) -> Layout {
    .gpt2Parts("attention", ["query", "key", "value"], ending)
  }

  /// Some of an attention layer's matrices, one block of features behind the other.
  fileprivate static func gpt2Parts(_ layer: String, _ parts: [String], _ ending: String) -> Layout
  {
    .joined(parts.map { .weight("decoder.blocks.{i}.\(layer).\($0)\(ending)") }, axis: 0)
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
    embeddings: ["wte", "wpe"], norms: ["ln_1", "ln_2", "ln_f", "ln_cross_attn"],
    convolutions: ["c_attn", "c_proj", "c_fc", "q_attn"], missing: ["transformer.h.{i}.attn.bias"])
}
