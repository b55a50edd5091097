import Models

extension Dialect {
  /// ESM as Hugging Face transformers stores it (models/esm/modeling_esm.py, 5.x), and as its predecessors did:
  /// rotary frequencies in each layer (5.x also writes `layer.*`, as it is), and a table of positions that nothing reads.
  static let huggingFaceESM = Dialect(
    name: "huggingface",
    architecture: ESM.name,
    rules: [
      .huggingFaceEncoder(
        "esm.", embeddingNorm: "layer_norm",
        norms: ["attention.LayerNorm": "attention_norm", "LayerNorm": "feed_forward_norm"]),
      .rename("esm.encoder.emb_layer_norm_after", "encoder.norm"),
      .tensor(
        "esm.rotary_embeddings.inv_freq", .weight("encoder.rotary.frequencies"),
        copies: ["*", "0"].map {
          "esm.encoder.layer.\($0).attention.self.rotary_embeddings.inv_freq"
        }),
      .tensor(
        "esm.encoder.layer.{i}.attention.self.rotary_embeddings.inv_freq",
        .weight("encoder.blocks.{i}.attention.frequencies")),
      .rename("esm.contact_head.regression", "contact_head"),
      .rename("lm_head.dense", "mlm_head.transform"),
      .rename("lm_head.layer_norm", "mlm_head.norm"),
      .rename("lm_head.decoder.weight", "mlm_head.decoder.weight"),
      .tensor("lm_head.bias", .weight("mlm_head.decoder.bias")),
      .huggingFaceClassifier(),
    ],
    prefixes: [OptionalPrefix(text: "esm.") { $0 != "EsmModel" }],
    otherEndings: formerNormNames,
    evidence: [
      .name("esm.encoder.emb_layer_norm_after.weight"),
      .wholeName("esm.embeddings.word_embeddings.weight"),
    ])
}
