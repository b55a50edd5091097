import Models

extension Dialect {
  /// Pairs as Hugging Face transformers stores them (models/encoder_decoder/modeling_encoder_decoder.py, 5.x): the
  /// encoder as its bare model, the decoder as its language model.
  static func huggingFacePairs<Parts: FamilyList>(of _: Parts.Type) -> Dialect {
    Dialect(
      name: "huggingface",
      architecture: EncoderDecoderPair<Parts>.name,
      rules: [.rename("enc_to_dec_proj", "projection")],
      parts: { config in
        [(Stack.encoder, ModelPart.states), (.decoder, .words)].compactMap { stack, part in
          DialectPart(
            stack.rawValue, as: part, in: config, dialect: "huggingface", among: Parts.families)
        }
      },
      evidence: [.name("enc_to_dec_proj.weight")])
  }
}
