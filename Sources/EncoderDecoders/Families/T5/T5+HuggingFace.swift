import Models

extension Dialect {
  /// T5 and its kin as Hugging Face transformers stores them (models/t5/modeling_t5.py, mt5, umt5,
  /// longt5, switch_transformers, 5.x).
  ///
  /// Older files hold the embedding also, or only, under the names of the two stacks.
  static func huggingFaceT5<Member: T5Member>(_: Member.Type) -> Dialect {
    Dialect(
      name: "huggingface",
      architecture: Member.name,
      rules: [
        .without(
          "encoder.embeddings.word.weight",
          .tensor(
            "transformer.shared.weight", .weight("embeddings.word.weight"),
            copies: [
              "transformer.encoder.embed_tokens.weight", "transformer.decoder.embed_tokens.weight",
            ])),
        .with(
          "encoder.embeddings.word.weight", .rename("transformer.shared", "embeddings.word"),
          .rename("transformer.encoder.embed_tokens", "encoder.embeddings.word"),
          .rename("transformer.decoder.embed_tokens", "decoder.embeddings.word")),
        hfStack("encoder", feedForward: 1, Member.self),
        hfStack("decoder", feedForward: 2, Member.self),
        hfAttention("decoder", 1, "EncDecAttention", "cross_attention"),
        .rename(
          "transformer.decoder.block.0.layer.1.EncDecAttention.relative_attention_bias",
          "decoder.unused_cross_relative_bias"),
        .rename("lm_head", "lm_head"),
        .rename("classification_head.dense", "classification_head.dense"),
        .rename("classification_head.out_proj", "classification_head.output"),
        .rename("classifier", "classifier"),
        .rename("qa_outputs", "qa_head"),
      ],
      prefixes: [
        OptionalPrefix(text: "transformer.") {
          [T5Head.sequenceClassification, .tokenClassification]
            .map { $0.className(Member.className) }.contains($0)
        }
      ],
      evidence: ["SelfAttention", "LocalSelfAttention", "TransientGlobalSelfAttention"].map {
        .name("transformer.encoder.block.0.layer.0.\($0).q.weight")
      })
  }

  private static func hfStack<Member: T5Member>(
    _ stack: String, feedForward layer: Int, _: Member.Type
  ) -> [Rule] {
    let hasBiasInEachLayer = Member.hasBiasInEachLayer
    let stored = "transformer.\(stack).block.{i}.layer.\(layer)."
    let path = "\(stack).blocks.{i}."
    func dense(_ name: String, _ part: String) -> [Rule] {
      .rename("\(stored)\(Member.network).\(name)", "\(path)feed_forward.\(part)")
    }
    func expert(_ name: String, _ part: String) -> [Rule] {
      .rename(
        "\(stored)\(Member.network).experts.expert_{e}.\(name)",
        "\(path)feed_forward.experts.{e}.\(part)")
    }
    let gate = "\(stack).blocks.0.feed_forward.gate.weight"
    let biasLayer = hasBiasInEachLayer ? "{i}" : "0"
    func attention(_ module: String) -> [Rule] {
      hfAttention(stack, 0, module, "attention")
        + .rename(
          "transformer.\(stack).block.\(biasLayer).layer.0.\(module).relative_attention_bias",
          hasBiasInEachLayer ? path + "relative_bias" : "\(stack).relative_bias")
    }
    let usual = attention("SelfAttention")
    return (stack == "encoder" ? hfEncoderAttention(usual, attention) : usual)
      + .without(gate, dense("wi", "up"))
      + .with(gate, dense("wi_0", "gate"), dense("wi_1", "up"))
      + dense("wo", "down") + dense("router.classifier", "router")
      + expert("wi", "up") + expert("wo", "down")
      + .rename("\(stored)layer_norm", "\(path)feed_forward_norm")
      + .rename("transformer.\(stack).final_layer_norm", "\(stack).norm")
  }

  /// The encoder's attention, whose modules are called otherwise where it sees not all.
  private static func hfEncoderAttention(
    _ usual: [Rule], _ attention: (String) -> [Rule]
  ) -> [Rule] {
    let global = "TransientGlobalSelfAttention"
    let layer = "transformer.encoder.block.{i}.layer.0.\(global).global_input_layer_norm"
    let first = "transformer.encoder.block.0.layer.0.\(global).global_relative_attention_bias"
    return .lacking("local_block", usual)
      + .having(
        "local_block",
        .without("encoder.global_relative_bias.weight", attention("LocalSelfAttention")),
        .with("encoder.global_relative_bias.weight", attention(global)))
      + .rename(layer, "encoder.blocks.{i}.attention.global_norm")
      + .rename(first, "encoder.global_relative_bias")
  }

  private static func hfAttention(
    _ stack: String, _ layer: Int, _ module: String, _ path: String
  ) -> [Rule] {
    let stored = "transformer.\(stack).block.{i}.layer.\(layer)."
    let path = "\(stack).blocks.{i}.\(path)"
    return .rename("\(stored)\(module).q", "\(path).query")
      + .rename("\(stored)\(module).k", "\(path).key")
      + .rename("\(stored)\(module).v", "\(path).value")
      + .rename("\(stored)\(module).o", "\(path).output")
      + .rename("\(stored)layer_norm", "\(path)_norm")
  }
}

extension Dialect {
  /// T5 as transformers 4 stores it of Flax and of TensorFlow, where each stack has the embedding again.
  static let t5OfFrameworks: [Dialect] = [
    huggingFaceT5(OriginalT5.self).inFlax(t5Modules),
    {
      var modules = t5Modules
      modules.renamed = [
        (from: "transformer/shared/", to: "transformer/shared/shared/"),
        (from: "embed_tokens/", to: "shared/shared/"),
      ]
      return huggingFaceT5(OriginalT5.self).inTensorFlow(modules)
    }(),
  ]

  private static let t5Modules = FrameworkModules(
    embeddings: ["shared", "embed_tokens", "relative_attention_bias"],
    norms: ["layer_norm", "final_layer_norm"], hasOwnNorms: true, writesPrefixes: false)
}
