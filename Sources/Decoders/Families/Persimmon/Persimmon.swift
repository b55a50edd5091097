import Kernels
public import Models
import TensorCore

extension Family {
  /// Persimmon and its dialect.
  package static let persimmon = Family(
    members: [Persimmon.self], dialects: [.huggingFacePersimmon])
}

/// Persimmon: a causal Transformer decoder with pre-normalisation, queries and keys normalised head by head,
/// rotary positions of a part of each head, and squared ReLU without a gate.
///
/// Elsen et al.: "Releasing Persimmon-8B" (adept.ai, 2023); squared ReLU: So et al., arXiv 2109.08668, §4;
/// norms of queries and keys: Henry et al., arXiv 2010.04245, as Dehghani et al., arXiv 2302.05442, §2 have
/// them. Names of heads, defaults and outputs are those of Hugging Face
/// (models/persimmon/modeling_persimmon.py, 5.x).
public struct Persimmon: CausalDecoder {
  public static let name = "persimmon"
  public static let classes = CausalHead.classes(
    of: "Persimmon", [.base, .languageModel, .sequenceClassification, .tokenClassification])

  public let form: DecoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let vocabulary = config.count("vocab_size", default: 262144, on: .weights)
    let width = config.count("hidden_size", default: 4096, on: .weights)
    let layers = config.count(
      "num_hidden_layers", default: 36, limit: ConfigReader.mostLayers, minimum: 0, on: .weights)
    let heads = config.count("num_attention_heads", default: 64, on: .outputs(as: "heads"))
    let headSize = max(1, width / heads)
    let hidden = config.count("intermediate_size", default: 16384, on: .weights)
    let activation = config.activation("hidden_act", default: .relu2)
    let norm = NormForm.layer(epsilon: config.epsilon("layer_norm_eps", default: 1e-5))
    let rotary = config.rotary(RotaryDefaults(fraction: 0.5, headSize: headSize, positions: 16384))
    let hasHeadNorms = config.flag("qk_layernorm", default: true, on: .weights)
    let isTied = config.flag("tie_word_embeddings", default: false, on: .weights)
    let block = BlockForm(
      attention: SelfAttentionForm(
        shape: AttentionShape(
          heads: heads, headSize: headSize, rotary: RotaryPart(.halves, size: rotary.turned)),
        norm: hasHeadNorms ? QueryKeyNorm(.heads, norm) : nil),
      feedForward: FeedForwardForm(hidden: hidden, activation: activation), norm: norm)
    form = DecoderForm(
      vocabulary: vocabulary, width: width, rotaries: [rotary],
      blocks: Array(repeating: block, count: layers), norm: norm,
      head: config.causalHead(Self.classes, isTied: isTied, endTokens: [2], isStored: isStored))
    config.disregard(["hidden_dropout", "max_position_embeddings"])
    guard config.faults.isEmpty else { return }
    if !width.isMultiple(of: heads) {
      config.reject("hidden_size \(width) is not a multiple of num_attention_heads \(heads)")
    } else if !rotary.size.isMultiple(of: 2) {
      config.reject(
        "partial_rotary_factor turns \(rotary.size) numbers of a head, which is no even count")
    }
  }
}
