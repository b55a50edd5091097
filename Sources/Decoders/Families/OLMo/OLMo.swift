import Kernels
public import Models
import TensorCore

extension Family {
  /// OLMo, its members and their dialects.
  package static let olmo = Family(
    members: [OLMo<OLMo1>.self, OLMo<OLMo2>.self, OLMo<OLMo3>.self],
    dialects: Dialect.huggingFaceOLMo + Dialect.ggufOLMo)
}

/// OLMo: a decoder with rotary positions and gated feed-forward networks, whose members differ in where and how
/// they normalise.
///
/// Groeneveld et al.: "OLMo", arXiv 2402.00838, §2.1; "2 OLMo 2 Furious", arXiv 2501.00656, §2; "Olmo 3",
/// arXiv 2512.13961, §3. Names of heads, defaults and outputs are those of Hugging Face
/// (models/olmo/modeling_olmo.py and its kin, 5.x).
public struct OLMo<Member: OLMoMember>: CausalDecoder {
  public static var name: String { Member.name }
  public static var classes: [(name: String, head: CausalHead)] {
    CausalHead.classes(
      of: Member.className, [.base, .languageModel, .sequenceClassification])
  }

  public let form: DecoderForm
  let sizes: DecoderSizes
  let hasBias: Bool
  /// What the members differ in.
  let variant: OLMoVariant

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    sizes = config.decoderSizes(.init(vocabulary: 50304, feedForward: 11008))
    let activation = config.activation("hidden_act", default: .silu)
    hasBias = config.flag("attention_bias", default: false, on: .weights)
    let isTied = config.flag("tie_word_embeddings", default: false, on: .weights)
    variant = Member.variant(&config, sizes)
    form = DecoderForm(
      vocabulary: sizes.vocabulary, width: sizes.width, rotaries: variant.rotaries,
      blocks: Self.blocks(sizes, variant, activation, hasBias: hasBias), norm: variant.norm,
      head: config.causalHead(
        Self.classes, isTied: isTied, endTokens: [50279], padToken: 1, isStored: isStored))
    config.disregard(["max_position_embeddings"])
    if config.faults.isEmpty, variant.rotaries.contains(where: { $0.turned != sizes.headSize }) {
      config.refuse("a partial_rotary_factor other than 1 is not supported for \(Self.name)")
    }
  }

  private static func blocks(
    _ sizes: DecoderSizes, _ variant: OLMoVariant, _ activation: Activation, hasBias: Bool
  ) -> [BlockForm] {
    variant.layers.map { layer in
      BlockForm(
        attention: SelfAttentionForm(
          shape: AttentionShape(
            heads: sizes.heads, keyHeads: sizes.keyHeads, headSize: sizes.headSize,
            rotary: RotaryPart(.halves, size: variant.rotaries[layer.rotary].turned)),
          rotary: layer.rotary, hasBias: hasBias, hasOutputBias: hasBias,
          norm: variant.hasQueryKeyNorms ? QueryKeyNorm(.whole, variant.norm) : nil,
          bound: variant.clip, window: layer.window),
        feedForward: FeedForwardForm(
          hidden: sizes.feedForward, activation: activation, isGated: true, hasBias: false),
        arrangement: variant.arrangement, norm: variant.norm)
    }
  }
}
