import Kernels
public import Models
import TensorCore

extension Family {
  /// Phi, Phi-3 and their dialects. Phi-4 is a Phi-3.
  package static let phi = Family(
    members: [Phi.self, Phi3.self],
    dialects: [.huggingFacePhi, .huggingFacePhi3, .ggufPhi, .ggufPhi3])
}

/// Phi: a causal Transformer decoder in which attention and feed-forward network stand side by side behind
/// one normalisation, with rotary positions of a part of each head.
///
/// Gunasekar et al.: "Textbooks Are All You Need", arXiv 2306.11644, §2.3; Phi-2 is the same. Names of
/// heads, defaults and outputs are those of Hugging Face (models/phi/modeling_phi.py, 5.x).
public struct Phi: CausalDecoder {
  public static let name = "phi"
  public static let classes = CausalHead.classes(
    of: "Phi", [.base, .languageModel, .sequenceClassification, .tokenClassification])

  public let form: DecoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let sizes = config.decoderSizes(
      .init(vocabulary: 51200, width: 2048, layers: 24, feedForward: 8192))
    let activation = config.activation("hidden_act", default: .geluTanh)
    let norm = NormForm.layer(epsilon: config.epsilon("layer_norm_eps", default: 1e-5))
    let rotary = config.rotary(
      RotaryDefaults(fraction: 0.5, headSize: sizes.headSize, positions: 2048))
    let hasHeadNorms = config.flag("qk_layernorm", default: false, on: .weights)
    let isTied = config.flag("tie_word_embeddings", default: false, on: .weights)
    let block = BlockForm(
      attention: SelfAttentionForm(
        shape: AttentionShape(
          heads: sizes.heads, keyHeads: sizes.keyHeads, headSize: sizes.headSize,
          rotary: RotaryPart(.halves, size: rotary.turned)),
        norm: hasHeadNorms ? QueryKeyNorm(.heads, norm) : nil),
      feedForward: FeedForwardForm(hidden: sizes.feedForward, activation: activation),
      arrangement: .parallel(sharesNorm: true), norm: norm)
    var head = config.causalHead(Self.classes, isTied: isTied, endTokens: [2], isStored: isStored)
    head.hasBias = true
    form = DecoderForm(
      vocabulary: sizes.vocabulary, width: sizes.width, rotaries: [rotary],
      blocks: Array(repeating: block, count: sizes.layers), norm: norm, head: head)
    config.disregard(["embd_pdrop", "max_position_embeddings", "resid_pdrop"])
    guard config.faults.isEmpty else { return }
    if !rotary.size.isMultiple(of: 2) {
      config.reject(
        "partial_rotary_factor turns \(rotary.size) numbers of a head, which is no even count")
    }
    // transformers makes the norms for what heads share of the width.
    if hasHeadNorms, sizes.headSize != sizes.width / sizes.heads {
      config.reject(
        "qk_layernorm needs a head_dim of hidden_size / num_attention_heads, not \(sizes.headSize)")
    }
  }
}
