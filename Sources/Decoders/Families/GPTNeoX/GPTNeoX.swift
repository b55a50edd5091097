import Kernels
public import Models
import TensorCore

extension Family {
  /// GPT-NeoX and its dialects.
  package static let gptNeoX = Family(
    members: [GPTNeoX.self],
    dialects: [.huggingFaceGPTNeoX, .ggufGPTNeoX, .mlxGPTNeoX] + Dialect.litGPTGPTNeoX)
}

/// GPT-NeoX: a causal Transformer decoder with pre-normalisation, rotary positions of a part of each head,
/// and attention and feed-forward network side by side.
///
/// Black et al.: "GPT-NeoX-20B", arXiv 2204.06745, §2.1: rotary positions after Su et al., arXiv 2104.09864,
/// eq. 34, on the first numbers of a head. Names of heads, defaults and outputs are those of Hugging Face
/// (models/gpt_neox/modeling_gpt_neox.py, 5.x).
public struct GPTNeoX: CausalDecoder {
  public static let name = "gpt_neox"
  public static let classes = CausalHead.classes(of: "GPTNeoX")

  public let form: DecoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let vocabulary = config.count("vocab_size", default: 50432, on: .weights)
    let width = config.count("hidden_size", default: 6144, on: .weights)
    let layers = config.count(
      "num_hidden_layers", default: 44, limit: ConfigReader.mostLayers, minimum: 0, on: .weights)
    let heads = config.count("num_attention_heads", default: 64, on: .outputs(as: "heads"))
    let headSize = max(1, width / heads)
    let hidden = config.count("intermediate_size", default: 24576, on: .weights)
    let activation = config.activation("hidden_act", default: .gelu)
    let norm = NormForm.layer(epsilon: config.epsilon("layer_norm_eps", default: 1e-5))
    // How many the causal masks of old files have; no text is limited by it. Scaled frequencies depend on
    // it, and say so.
    let positions = config.count("max_position_embeddings", default: 2048, on: .nothing)
    let rotary = config.rotary(
      RotaryDefaults(
        fraction: 0.25, headSize: headSize, positions: 2048, thetaKey: "rotary_emb_base",
        fractionKey: "rotary_pct"))
    let hasBias = config.flag("attention_bias", default: true, on: .weights)
    let isParallel = config.flag("use_parallel_residual", default: true)
    let isTied = config.flag("tie_word_embeddings", default: false, on: .weights)
    let block = BlockForm(
      attention: SelfAttentionForm(
        shape: AttentionShape(
          heads: heads, headSize: headSize, rotary: RotaryPart(.halves, size: rotary.turned)),
        hasBias: hasBias, hasOutputBias: hasBias,
        buffers: AttentionBuffers(
          causalMask: positions, maskedScore: -1e9,
          // They were stored before they could be scaled.
          frequencies: RotarySettings(size: rotary.size, base: rotary.base))),
      feedForward: FeedForwardForm(hidden: hidden, activation: activation),
      arrangement: isParallel ? .parallel(sharesNorm: false) : .normBefore, norm: norm)
    form = DecoderForm(
      vocabulary: vocabulary, width: width, rotaries: [rotary],
      blocks: Array(repeating: block, count: layers), norm: norm,
      head: config.causalHead(
        Self.classes, isTied: isTied, endTokens: [2], isStored: isStored))
    config.disregard(Self.withoutEffect)
    if config.faults.isEmpty, !width.isMultiple(of: heads) {
      config.reject("hidden_size \(width) is not a multiple of num_attention_heads \(heads)")
    }
  }

  /// The base and the part under the names that other models have for them, which transformers 4 wrote
  /// beside its own and nothing reads; and whether it is a decoder, which it always is.
  private static let withoutEffect = [
    RotaryDefaults.theta, RotaryDefaults.fraction, "is_decoder",
  ]
}
