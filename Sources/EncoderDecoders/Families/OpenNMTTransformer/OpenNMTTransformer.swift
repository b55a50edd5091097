import Kernels
public import Models
import TensorCore

extension Family {
  /// OpenNMT-py's Transformer and its dialect.
  package static let openNMTTransformer = Family(
    members: [OpenNMTTransformer.self], dialects: [.openNMT])
}

/// The Transformer of OpenNMT-py: normalised before its layers and behind both stacks, with perhaps gated networks, heads
/// that share keys, and rotary positions (onmt/encoders/transformer.py, decoders/transformer.py, 3.5.1).
///
/// Vaswani et al., arXiv 1706.03762, §3. The config has the program's options under their names but for
/// `layer_norm`, which is `norm_type`, and what of the model only its tensors and its vocabulary say.
public struct OpenNMTTransformer: EncoderDecoder {
  public static let name = "opennmt_transformer"
  public static let classes: [(name: String, head: EncoderDecoderHead)] = [
    ("NMTModel", .conditionalGeneration)
  ]

  public let form: EncoderDecoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let width = config.count("hidden_size", default: 500, on: .weights)
    let layer = TransformerLayer(&config, width: width)
    let hasTable = config.flag("position_encoding", default: false, on: .weights)
    let rotary = hasTable ? nil : config.turning(headSize: layer.headSize)
    let positions: StackPositions =
      hasTable
      // It is stored, as single precision has it.
      ? .learned(config.count("max_position_embeddings", default: 5000, on: .weights), offset: 0)
      : .rotary(rotary?.settings ?? RotarySettings(size: 0))
    func stack(_ stack: Stack, _ key: String) -> StackForm {
      let layers = config.count(key, default: 2, limit: ConfigReader.mostLayers, on: .weights)
      return StackForm(
        factor: hasTable ? Double(width).squareRoot() : 1, positions: positions,
        blocks: Array(repeating: layer.form(of: stack, rotary?.part), count: layers),
        norm: layer.norm)
    }
    form = EncoderDecoderForm(
      words: config.words(), width: width, encoder: stack(.encoder, "enc_layers"),
      decoder: stack(.decoder, "dec_layers"), head: config.scores())
    config.rejectUndivided(width, "hidden_size", by: layer.heads, "heads")
    config.rejectUndivided(layer.heads, "heads", by: layer.keyHeads, "num_kv")
  }
}

/// What is applied in the networks between attention; two of the names say that there are gates.
private enum NetworkActivation: String, CaseIterable {
  case relu
  case gelu
  case silu
  case gatedGELU = "gated-gelu"

  var activation: Activation {
    switch self {
    case .relu: .relu
    case .gelu, .gatedGELU: .gelu
    case .silu: .silu
    }
  }

  var isGated: Bool { self == .silu || self == .gatedGELU }
}

private enum NormName: String, CaseIterable {
  case standard
  case rms
}

/// What a config says of all layers.
private struct TransformerLayer {
  let heads: Int
  let keyHeads: Int
  let headSize: Int
  let hasBias: Bool
  let network: FeedForwardForm
  let norm: NormForm

  init(_ config: inout ConfigReader, width: Int) {
    heads = config.count("heads", default: 8, on: .outputs(as: "heads"))
    headSize = max(1, width / heads)
    // 0 is as many as there are heads.
    let shared = config.count("num_kv", default: 0, minimum: 0, on: .weights)
    keyHeads = shared == 0 ? heads : shared
    hasBias = config.flag("add_qkvbias", default: false, on: .weights)
    let activation = config.choice(
      "pos_ffn_activation_fn", default: NetworkActivation.relu, on: .outputs(as: "activation"))
    network = FeedForwardForm(
      hidden: config.count("transformer_ff", default: 2048, on: .weights),
      activation: activation.activation, isGated: activation.isGated,
      hasBias: config.flag("add_ffnbias", default: false, on: .weights))
    let epsilon = config.epsilon("norm_eps", default: 1e-6)
    let name = config.choice("norm_type", default: NormName.standard, on: .weights)
    norm = name == .rms ? .rootMeanSquare(epsilon: epsilon) : .layer(epsilon: epsilon)
  }

  /// A block of a stack.
  func form(of stack: Stack, _ rotary: RotaryPart?) -> BlockForm {
    var attention = SelfAttentionForm(
      shape: AttentionShape(
        heads: heads, keyHeads: keyHeads, headSize: headSize, rotary: rotary),
      hasBias: hasBias, hasOutputBias: hasBias, seesAhead: stack == .encoder)
    attention.mask = stack.mask
    var block = BlockForm(
      attention: attention, feedForward: network, arrangement: .normBefore, norm: norm)
    if stack == .decoder {
      var cross = CrossAttentionForm(
        heads: heads, headSize: headSize, source: Stack.encoder.state, mask: Stack.encoder.mask)
      cross.shape.keyHeads = keyHeads
      cross.hasBias = hasBias
      block.cross = cross
    }
    return block
  }
}

extension ConfigReader {
  /// How queries and keys of each stack are turned.
  fileprivate mutating func turning(
    headSize: Int
  ) -> (settings: RotarySettings, part: RotaryPart) {
    let said = count("rotary_dim", default: 0, minimum: 0, on: .outputs)
    let size = said == 0 ? headSize : said
    let isInPairs = flag("rotary_interleave", default: false)
    let base = positive("rotary_theta", default: 10_000, usual: [1e4, 5e5, 1e6])
    if base == 0 { reject("rotary_theta must not be 0") }
    if size > headSize || !size.isMultiple(of: 2) || isInPairs && size != headSize {
      reject(
        "rotary_dim \(said) is not possible with heads of \(headSize), of which"
          + (isInPairs ? " all numbers are turned, in pairs" : " an even part can be turned"))
    }
    return (
      RotarySettings(size: size, base: base), RotaryPart(isInPairs ? .pairs : .halves, size: size)
    )
  }

  /// The tables of words.
  fileprivate mutating func words() -> WordTables {
    let source = count("src_vocab_size", default: 32_768, on: .weights)
    let target = count("tgt_vocab_size", default: 32_768, on: .weights)
    guard flag("share_embeddings", default: false, on: .weights) else {
      return .separate(source: source, target: target)
    }
    if source != target {
      reject(
        "src_vocab_size \(source) is not tgt_vocab_size \(target), and share_embeddings is true")
    }
    return .shared(target)
  }

  /// What scores words, and the marks of texts, which are the first words of a vocabulary.
  fileprivate mutating func scores() -> EncoderDecoderHeadForm {
    let task = head(OpenNMTTransformer.classes) { .conditionalGeneration }
    let endTokens = tokens("eos_token_id", default: [3], on: .nothing)
    let padToken = token("pad_token_id", default: 1, on: .outputs)
    return EncoderDecoderHeadForm(
      task: task, isTied: flag("share_decoder_embeddings", default: false, on: .weights),
      hasBias: true, labels: labelCount(), endTokens: endTokens, padToken: padToken,
      startToken: token("decoder_start_token_id", default: 2, on: .nothing), shift: nil,
      limits: tokenLimits(last: [], endTokens: endTokens), masksPadding: true)
  }
}
