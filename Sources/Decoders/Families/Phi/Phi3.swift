import Kernels
public import Models
import TensorCore

/// Phi-3 and Phi-4: a causal Transformer decoder with root-mean-square pre-normalisation, rotary positions
/// with factors for long texts, grouped keys and gated feed-forward networks.
///
/// Abdin et al.: "Phi-3 Technical Report", arXiv 2404.14219, §2; "Phi-4 Technical Report", arXiv
/// 2412.08905, §3. Names of heads, defaults and outputs are those of Hugging Face
/// (models/phi3/modeling_phi3.py, 5.x).
public struct Phi3: CausalDecoder {
  public static let name = "phi3"
  public static let classes = CausalHead.classes(
    of: "Phi3", [.base, .languageModel, .sequenceClassification, .tokenClassification])

  public let form: DecoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let sizes = config.decoderSizes(
      .init(vocabulary: 32064, width: 3072, feedForward: 8192))
    let activation = config.activation("hidden_act", default: .silu)
    let norm = NormForm.rootMeanSquare(epsilon: config.epsilon("rms_norm_eps", default: 1e-5))
    config.disregard(Self.withoutEffect)
    let rotary = config.rotary(
      RotaryDefaults(
        headSize: sizes.headSize, positions: 4096, trained: 4096,
        formerNames: ["su": "longrope", "yarn": "longrope"]))
    let window = config.window(nil, on: .outputs)
    let isTied = config.flag("tie_word_embeddings", default: false, on: .weights)
    let block = BlockForm(
      attention: SelfAttentionForm(
        shape: AttentionShape(
          heads: sizes.heads, keyHeads: sizes.keyHeads, headSize: sizes.headSize,
          rotary: RotaryPart(.halves, size: rotary.turned)),
        hasBias: false, hasOutputBias: false, window: window),
      feedForward: FeedForwardForm(
        hidden: sizes.feedForward, activation: activation, isGated: true, hasBias: false),
      norm: norm)
    var form = DecoderForm(
      vocabulary: sizes.vocabulary, width: sizes.width,
      embedding: EmbeddingForm(mayHoldRotary: true), rotaries: [rotary],
      blocks: Array(repeating: block, count: sizes.layers), norm: norm,
      head: config.causalHead(
        Self.classes, isTied: isTied, endTokens: [32000], padToken: 32000, isStored: isStored))
    switch rotary.scaling {
    case .none: break
    // A text that grows beyond the length of the training has its keys turned anew.
    case .longRoPE(let factors): form.renewedBeyond = factors.trained
    case let other:
      config.refuse("rope_type \"\(other.name)\" is not known for phi3; known is longrope")
    }
    self.form = form
  }

  /// Settings of training; lengths, unless frequencies are scaled; and keys of the authors' own code, of which
  /// Hugging Face's reads none.
  private static let withoutEffect = [
    "attention_bias", "embd_pdrop", "full_attn_mod", "interpolate_factor", "lm_head_bias",
    "max_position_embeddings", "mlp_bias", "original_max_position_embeddings", "resid_pdrop",
  ]
}
