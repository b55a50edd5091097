import Kernels
public import Models
import TensorCore

extension Family {
  /// GLM, its member and their dialects.
  package static let glm = Family(
    members: [GLM<GLM4Chat>.self, GLM<GLM40414>.self],
    dialects: Dialect.huggingFaceGLM + Dialect.ggufGLM)
}

/// GLM: a causal decoder with root-mean-square normalisation, rotary positions of the neighbouring numbers in a
/// part of each head, and gated feed-forward networks.
///
/// Team GLM: "ChatGLM", arXiv 2406.12793, §2. Names of heads, defaults and outputs are those of Hugging Face
/// (models/glm/modeling_glm.py, models/glm4/modeling_glm4.py, 5.x).
public struct GLM<Member: GLMMember>: CausalDecoder {
  public static var name: String { Member.name }
  public static var classes: [(name: String, head: CausalHead)] {
    CausalHead.classes(
      of: Member.className,
      [.base, .languageModel, .sequenceClassification, .tokenClassification])
  }

  public let form: DecoderForm
  let sizes: DecoderSizes
  let rotary: RotarySettings

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    sizes = config.decoderSizes(
      .init(vocabulary: 151_552, layers: 40, keyHeads: 2, headSize: 128, feedForward: 13696))
    let activation = config.activation("hidden_act", default: .silu)
    let norm = NormForm.rootMeanSquare(
      epsilon: config.epsilon("rms_norm_eps", default: 0.000_000_156_25))
    rotary = config.rotary(
      RotaryDefaults(fraction: 0.5, headSize: sizes.headSize, positions: 131_072))
    let hasBias = config.flag("attention_bias", default: true, on: .weights)
    let isTied = config.flag("tie_word_embeddings", default: false, on: .weights)
    let block = BlockForm(
      attention: SelfAttentionForm(
        shape: AttentionShape(
          heads: sizes.heads, keyHeads: sizes.keyHeads, headSize: sizes.headSize,
          rotary: RotaryPart(.pairs, size: rotary.turned)),
        hasBias: hasBias, hasOutputBias: false),
      feedForward: FeedForwardForm(
        hidden: sizes.feedForward, activation: activation, isGated: true, hasBias: false),
      arrangement: Member.arrangement, norm: norm)
    form = DecoderForm(
      vocabulary: sizes.vocabulary, width: sizes.width, rotaries: [rotary],
      blocks: Array(repeating: block, count: sizes.layers), norm: norm,
      head: config.causalHead(
        Self.classes, isTied: isTied, endTokens: [151_329, 151_336, 151_338],
        padToken: 151_329, isStored: isStored))
    config.disregard(["max_position_embeddings"])
  }
}

/// What tells a member of the family from the other.
public protocol GLMMember: Sendable {
  /// The name in `model_type`.
  static var name: String { get }
  /// What its classes' names begin with.
  static var className: String { get }
  /// How a block is put together.
  static var arrangement: BlockForm.Arrangement { get }
}

/// GLM-4-9B and GLM-Edge.
public enum GLM4Chat: GLMMember {
  public static let name = "glm"
  public static let className = "Glm"
  public static let arrangement = BlockForm.Arrangement.normBefore
}

/// GLM-4-0414 and GLM-Z1: what layers give is normalised, too.
public enum GLM40414: GLMMember {
  public static let name = "glm4"
  public static let className = "Glm4"
  public static let arrangement = BlockForm.Arrangement.normAround
}
