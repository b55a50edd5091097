import Models

extension Dialect {
  /// Both towers as Hugging Face transformers stores them (models/siglip/modeling_siglip.py,
  /// models/siglip2/modeling_siglip2.py, 4.x and 5.x).
  static func huggingFaceSigLIP<Member: SigLIPMember>(_: Member.Type) -> Dialect {
    Dialect(
      name: "huggingface",
      architecture: SigLIP<Member>.name,
      rules: [
        .huggingFaceTextTower("text_model.", "text."),
        .huggingFaceVisionTower("vision_model.", "vision."),
        .rename("text_model.head", "text.pooler"),
        .attentionPooler("vision_model.", "vision."),
        .tensor("logit_scale", .weight("similarity.scale")),
        .tensor("logit_bias", .weight("similarity.bias")),
        .rename("classifier", "vision.classifier"),
      ],
      evidence: Member.readsLists
        ? [
          Evidence(
            stored: "vision_model.embeddings.patch_embedding.weight", shape: { $0.count == 2 },
            isWhole: true)
        ] : [.name("logit_bias")])
  }

  /// The encoder of texts.
  static func huggingFaceSigLIPText<Member: SigLIPMember>(_: Member.Type) -> Dialect {
    Dialect(
      name: "huggingface",
      architecture: SigLIPText<Member>.name,
      rules: [.huggingFaceTextTower(), .rename("text_model.head", "pooler")],
      prefixes: [OptionalPrefix(text: "text_model.") { _ in false }],
      evidence: Member.readsLists
        ? [] : [.wholeName("text_model.head.weight", without: "logit_scale")])
  }

  /// The encoder of pictures.
  static func huggingFaceSigLIPVision<Member: SigLIPMember>(_: Member.Type) -> Dialect {
    Dialect(
      name: "huggingface",
      architecture: SigLIPVision<Member>.name,
      rules: [.huggingFaceVisionTower(), .attentionPooler("vision_model.")],
      prefixes: [OptionalPrefix(text: "vision_model.") { _ in false }],
      evidence: Member.readsLists
        ? [] : [.name("vision_model.head.probe", without: "logit_scale", "classifier.weight")])
  }
}

extension [Rule] {
  /// The pooler of pictures, whose attention is one of torch's modules.
  fileprivate static func attentionPooler(_ stored: String, _ path: String = "") -> [Rule] {
    let (head, pooler) = ("\(stored)head.", "\(path)pooler.")
    func joined(_ ending: String) -> Layout {
      .joined(
        ["query", "key", "value"].map { .weight("\(pooler)attention.\($0).\(ending)") }, axis: 0)
    }
    return tensor("\(head)probe", .unit(.weight("\(pooler)probe.weight"), axis: 0))
      + tensor("\(head)attention.in_proj_weight", joined("weight"))
      + tensor("\(head)attention.in_proj_bias", joined("bias"))
      + rename("\(head)attention.out_proj", "\(pooler)attention.output")
      + rename("\(head)layernorm", "\(pooler)norm")
      + rename("\(head)mlp.fc1", "\(pooler)feed_forward.up")
      + rename("\(head)mlp.fc2", "\(pooler)feed_forward.down")
  }
}
