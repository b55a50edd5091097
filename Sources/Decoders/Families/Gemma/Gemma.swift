import Kernels
public import Models
import TensorCore

extension Family {
  /// Gemma, its members and their dialects.
  package static let gemma = Family(
    members: [Gemma<Gemma1>.self, Gemma<Gemma2>.self, Gemma<Gemma3>.self],
    dialects: Dialect.huggingFaceGemma + Dialect.ggufGemma)
}

/// Gemma: a decoder with gated feed-forward networks, normalisations whose weights are the distance of their
/// gain from 1, and words multiplied by the root of the width.
///
/// Gemma Team: "Gemma", arXiv 2403.08295, §2; "Gemma 2", arXiv 2408.00118, §2; "Gemma 3", arXiv 2503.19786,
/// §2. Names of heads, defaults and outputs are those of Hugging Face (models/gemma/modeling_gemma.py and
/// its kin, 5.x), which rounds the root to the type it computes in; here it is rounded to nothing else.
public struct Gemma<Member: GemmaMember>: CausalDecoder {
  public static var name: String { Member.name }
  public static var classes: [(name: String, head: CausalHead)] { Member.classes }

  public let form: DecoderForm
  let sizes: DecoderSizes
  let activation: Activation
  /// What the members differ in.
  let variant: GemmaVariant

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    sizes = config.decoderSizes(Member.sizes)
    activation = Member.activation(&config)
    let norm = NormForm.rootMeanSquare(
      epsilon: config.epsilon("rms_norm_eps", default: 1e-6), gainOffset: 1)
    let hasBias = config.flag("attention_bias", default: false, on: .weights)
    let isTied = config.flag("tie_word_embeddings", default: true, on: .weights)
    variant = Member.variant(&config, sizes)
    var head = config.causalHead(
      Self.classes, isTied: isTied, endTokens: [1], padToken: 0, isStored: isStored)
    head.softcap = variant.softcap
    form = DecoderForm(
      vocabulary: sizes.vocabulary, width: sizes.width,
      embedding: EmbeddingForm(factor: Double(sizes.width).squareRoot()),
      rotaries: variant.rotaries,
      blocks: Self.blocks(sizes, variant, activation, norm, hasBias: hasBias),
      norm: norm, head: head)
    config.disregard(Self.withoutEffect)
    if config.faults.isEmpty, variant.rotaries.contains(where: { $0.turned != sizes.headSize }) {
      config.refuse("a partial_rotary_factor other than 1 is not supported for \(Self.name)")
    }
  }

  private static func blocks(
    _ sizes: DecoderSizes, _ variant: GemmaVariant, _ activation: Activation, _ norm: NormForm,
    hasBias: Bool
  ) -> [BlockForm] {
    variant.layers.map { layer in
      var attention = layer
      attention.hasBias = hasBias
      attention.hasOutputBias = hasBias
      attention.norm = variant.hasHeadNorms ? QueryKeyNorm(.heads, norm) : nil
      return BlockForm(
        attention: attention,
        feedForward: FeedForwardForm(
          hidden: sizes.feedForward, activation: activation, isGated: true, hasBias: false),
        arrangement: variant.arrangement, norm: norm)
    }
  }

  /// Which of two keys names the activation depends on the member. How long texts should be, and how a cache
  /// is made, changes no output.
  private static var withoutEffect: [String] {
    [
      "_sliding_window_pattern", "cache_implementation", "hidden_act", "hidden_activation",
      "max_position_embeddings", "sliding_window_size",
    ]
  }
}
