import Models

extension Dialect {
  /// GPT-2 as OpenAI's TensorFlow code names its variables (openai/gpt-2: src/model.py), in an npz.
  ///
  /// Its one-dimensional convolutions are `[1, in, out]`. There is no head: the logits come from
  /// `model/wte`.
  static let openAIGPT2 = Dialect(
    name: "openai-gpt2",
    architecture: "gpt2",
    rules: [
      .rename("model/wte", "embeddings.word.weight"),
      .rename("model/wpe", "embeddings.position.weight"),
      norm("model/h{i}/ln_1", "decoder.blocks.{i}.attention_norm"),
      norm("model/h{i}/ln_2", "decoder.blocks.{i}.feed_forward_norm"),
      .tensor("model/h{i}/attn/c_attn/w", .unit(.transposed(.queryKeyValue(".weight")), axis: 0)),
      .tensor("model/h{i}/attn/c_attn/b", .queryKeyValue(".bias")),
      convolution("attn/c_proj", "attention.output"),
      convolution("mlp/c_fc", "feed_forward.up"),
      convolution("mlp/c_proj", "feed_forward.down"),
      norm("model/ln_f", "decoder.norm"),
    ],
    nativeConfig: .renamed(
      "hparams.json",
      [
        (native: "n_vocab", usual: "vocab_size"), (native: "n_ctx", usual: "n_positions"),
        (native: "n_embd", usual: "n_embd"), (native: "n_head", usual: "n_head"),
        (native: "n_layer", usual: "n_layer"),
      ]),
    limits: gpt2Limits(activation: "gelu_new") + [.fact("epsilon", "\(1e-5)"), gpt2InnerWidth],
    evidence: [.name("model/wte"), .name("model/h0/attn/c_attn/w")],
    ownFiles: .tensorFlow("openai/gpt-2"))

  /// What code that knows GPT-2 only as OpenAI trained it computes.
  static func gpt2Limits(activation: String) -> [Limit] {
    [
      .fact("activation", activation), .fact("scale_attn_by_inverse_layer_idx", "false"),
      .fact("scale_attn_weights", "true"),
    ]
  }

  /// The width of the feed-forward network, where the code knows it only as four times the model's.
  static let gpt2InnerWidth = Limit.of(GPT2.self, "n_inner") { model in
    let usual = 4 * model.form.width
    let other = model.form.blocks.map(\.feedForward.hidden).first { $0 != usual }
    return other.map { ("\($0) in the config", "4 × n_embd, \(usual),") }
  }

  private static func convolution(_ stored: String, _ path: String) -> [Rule] {
    .tensor(
      "model/h{i}/\(stored)/w",
      .unit(.transposed(.weight("decoder.blocks.{i}.\(path).weight")), axis: 0))
      + .tensor("model/h{i}/\(stored)/b", .weight("decoder.blocks.{i}.\(path).bias"))
  }

  private static func norm(_ stored: String, _ path: String) -> [Rule] {
    .tensor(stored + "/g", .weight(path + ".weight"))
      + .tensor(stored + "/b", .weight(path + ".bias"))
  }
}
