import Kernels
public import Models
import TensorCore

extension Family {
  /// XGLM and its dialect.
  package static let xglm = Family(members: [XGLM.self], dialects: [.huggingFaceXGLM])
}

/// XGLM: a causal Transformer decoder with pre-normalisation, whose words are multiplied by √width, and whose
/// positions are computed.
///
/// Lin et al.: "Few-shot Learning with Multilingual Generative Language Models", arXiv 2112.10668, §2.2. Names
/// of heads, defaults and outputs are those of Hugging Face (models/xglm/modeling_xglm.py, 5.x).
public struct XGLM: CausalDecoder {
  public static let name = "xglm"
  public static let classes = CausalHead.classes(of: "XGLM", [.base, .languageModel])

  public let form: DecoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let vocabulary = config.count("vocab_size", default: 256008, on: .weights)
    let width = config.count("d_model", default: 1024, on: .weights)
    let layers = config.count(
      "num_layers", default: 24, limit: ConfigReader.mostLayers, minimum: 0, on: .weights)
    let heads = config.count("attention_heads", default: 16, on: .outputs(as: "heads"))
    let hidden = config.count("ffn_dim", default: 4096, on: .weights)
    let activation = config.activation("activation_function", default: .gelu)
    let isScaled = config.flag("scale_embedding", default: true)
    // How many vectors old files may hold; no text is limited by it.
    let positions = config.count("max_position_embeddings", default: 2048, on: .nothing)
    let isTied = config.flag("tie_word_embeddings", default: true, on: .weights)
    config.require("add_cross_attention", false)
    let norm = NormForm.layer(epsilon: 1e-5)
    let block = BlockForm(
      attention: SelfAttentionForm(
        shape: AttentionShape(heads: heads, headSize: max(1, width / heads))),
      feedForward: FeedForwardForm(hidden: hidden, activation: activation), norm: norm)
    let head = config.causalHead(
      Self.classes, isTied: isTied, endTokens: [2], padToken: 1, isStored: isStored)
    form = DecoderForm(
      vocabulary: vocabulary, width: width,
      embedding: EmbeddingForm(
        factor: isScaled ? Double(width).squareRoot() : 1,
        sinusoids: SinusoidalPositions(
          offset: Self.offset, zero: config.zeroPlace(head.padToken, Self.offset),
          stored: positions + Self.offset)),
      blocks: Array(repeating: block, count: layers), norm: norm, head: head)
    config.disregard(Self.withoutEffect)
    if let pad = head.padToken, pad < 0 {
      config.refuse("pad_token_id \(pad) is not supported; it empties the last of the positions")
    }
    guard config.faults.isEmpty else { return }
    if !width.isMultiple(of: heads) {
      config.reject("d_model \(width) is not a multiple of attention_heads \(heads)")
    } else if width < 4 {
      config.reject("d_model \(width) has no frequencies of positions; 4 has")
    }
  }

  /// Position 0 has the vector of that place.
  private static let offset = 2

  /// Settings of training and of generation.
  private static let withoutEffect = [
    "activation_dropout", "decoder_start_token_id", "dropout", "init_std", "layerdrop",
  ]
}

extension ConfigReader {
  /// The place whose vector is zero: it has the number of the padding token. A position has it only if that is not
  /// below the first one's.
  fileprivate mutating func zeroPlace(_ padToken: Int?, _ first: Int) -> Int? {
    guard let padToken, padToken >= first else { return padToken }
    return token("pad_token_id", default: nil, on: .outputs)
  }
}
