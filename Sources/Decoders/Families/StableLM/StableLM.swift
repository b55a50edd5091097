import Kernels
public import Models
import TensorCore

extension Family {
  /// StableLM and its dialects.
  package static let stableLM = Family(
    members: [StableLM.self],
    dialects: [.huggingFaceStableLM, .ggufStableLM])
}

/// StableLM: a causal Transformer decoder with layer normalisation, rotary positions of a part of each head
/// and gated feed-forward networks.
///
/// Bellagente et al.: "Stable LM 2 1.6B Technical Report", arXiv 2402.17834, §2.2. Names of heads, defaults
/// and outputs are those of Hugging Face (models/stablelm/modeling_stablelm.py, 5.x).
public struct StableLM: CausalDecoder {
  public static let name = "stablelm"
  public static let classes = CausalHead.classes(
    of: "StableLm", [.base, .languageModel, .sequenceClassification, .tokenClassification])

  public let form: DecoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let sizes = config.decoderSizes(
      .init(vocabulary: 50304, width: 2560, keyHeads: 32, feedForward: 6912))
    let activation = config.activation("hidden_act", default: .silu)
    let norm = NormForm.layer(epsilon: config.epsilon("layer_norm_eps", default: 1e-5))
    let rotary = config.rotary(
      RotaryDefaults(fraction: 0.25, headSize: sizes.headSize, positions: 4096))
    let hasBias = config.flag("use_qkv_bias", default: false, on: .weights)
    let hasHeadNorms = config.flag("qk_layernorm", default: false, on: .weights)
    let isParallel = config.flag("use_parallel_residual", default: false, on: .weights)
    let isTied = config.flag("tie_word_embeddings", default: false, on: .weights)
    let headNorm = QueryKeyNorm(.ownHeads, .layer(epsilon: norm.epsilon, hasBias: false))
    let block = BlockForm(
      attention: SelfAttentionForm(
        shape: AttentionShape(
          heads: sizes.heads, keyHeads: sizes.keyHeads, headSize: sizes.headSize,
          rotary: RotaryPart(.halves, size: rotary.turned)),
        hasBias: hasBias, hasOutputBias: false, norm: hasHeadNorms ? headNorm : nil),
      feedForward: FeedForwardForm(
        hidden: sizes.feedForward, activation: activation, isGated: true, hasBias: false),
      arrangement: isParallel ? .parallel(sharesNorm: true) : .normBefore, norm: norm)
    form = DecoderForm(
      vocabulary: sizes.vocabulary, width: sizes.width, rotaries: [rotary],
      blocks: Array(repeating: block, count: sizes.layers), norm: norm,
      head: config.causalHead(Self.classes, isTied: isTied, endTokens: [0], isStored: isStored))
    config.disregard(["max_position_embeddings"])
    if config.faults.isEmpty { checkConsistency(&config, sizes, rotary, hasHeadNorms) }
  }

  private func checkConsistency(
    _ config: inout ConfigReader, _ sizes: DecoderSizes, _ rotary: RotarySettings,
    _ hasHeadNorms: Bool
  ) {
    if sizes.headSize * sizes.heads != sizes.width {
      config.reject(
        "hidden_size \(sizes.width) is not num_attention_heads \(sizes.heads) times the size of a head"
      )
    }
    if !rotary.size.isMultiple(of: 2) {
      config.reject(
        "partial_rotary_factor turns \(rotary.size) numbers of a head, which is no even count")
    }
    // Each head has a module of its own.
    if hasHeadNorms, sizes.heads > ConfigReader.mostLayers {
      config.reject("num_attention_heads \(sizes.heads) is not believed with qk_layernorm")
    }
  }
}
