import Models

extension Dialect {
  /// The members as Hugging Face transformers stores them (models/roberta/modeling_roberta.py and its kin,
  /// 5.x), and as its predecessors did: norms called gamma and beta, stored position ids, and any or no
  /// `roberta.`.
  static let huggingFaceRoBERTa: [Dialect] = [
    huggingFaceRoBERTa(PlainRoBERTa.self),
    huggingFaceRoBERTa(CamemBERT.self),
    huggingFaceRoBERTa(Data2VecText.self, "data2vec_text."),
    huggingFaceRoBERTa(
      RoBERTaPreLayerNorm.self, "roberta_prelayernorm.", lastNorm: "LayerNorm",
      norms: [
        "attention.LayerNorm": "attention_norm", "intermediate.LayerNorm": "feed_forward_norm",
      ]),
    huggingFaceRoBERTa(XLMRoBERTa.self),
    huggingFaceRoBERTa(
      XLMRoBERTaXL.self, lastNorm: "encoder.LayerNorm",
      norms: [
        "attention.self_attn_layer_norm": "attention_norm", "LayerNorm": "feed_forward_norm",
      ]),
  ]

  private static func huggingFaceRoBERTa(
    _ member: any RoBERTaMember.Type, _ model: String = "roberta.", lastNorm: String = "",
    norms: ModuleNames = [
      "attention.output.LayerNorm": "attention_norm", "output.LayerNorm": "feed_forward_norm",
    ]
  ) -> Dialect {
    Dialect(
      name: "huggingface",
      architecture: member.name,
      rules: [
        .huggingFaceEncoder(model, norms: norms),
        lastNorm.isEmpty ? [] : .rename(model + lastNorm, "encoder.norm"),
        .huggingFaceWordScores("lm_head.", transform: "dense", norm: "layer_norm"),
        .huggingFaceClassifier(),
        .rename("qa_outputs", "qa_head"),
      ],
      prefixes: [OptionalPrefix(text: model) { $0 != member.className + "Model" }],
      otherEndings: formerNormNames,
      evidence: [.wholeName(model + "embeddings.word_embeddings.weight")])
  }
}
