import Kernels
public import Models
import TensorCore

extension Family {
  /// BART, its members and their dialects.
  package static let bart = Family(
    members: [
      BART<OriginalBART>.self, BART<MBART>.self, BART<Marian>.self, BART<Pegasus>.self,
      BART<M2M100>.self, BART<FSMT>.self,
    ],
    tokenizers: [.bart, .marian, .mbart, .pegasus],
    dialects: [
      .huggingFaceBART(OriginalBART.self), .fairseqBART, .huggingFaceBART(MBART.self),
      .huggingFaceBART(Marian.self), .marianNMT, .huggingFaceBART(Pegasus.self),
      .huggingFaceBART(M2M100.self), .huggingFaceFSMT,
      .ctranslate2BART(OriginalBART.self), .ctranslate2BART(MBART.self),
      .ctranslate2BART(Marian.self), .ctranslate2BART(Pegasus.self),
      .ctranslate2BART(M2M100.self),
    ])
}

/// BART and its kin: the encoder and decoder of the original Transformer, with normalisations before or after the
/// layers, and learned or computed positions.
///
/// Lewis et al.: "BART", arXiv 1910.13461, §2.1. Names of heads, defaults and outputs are those of Hugging Face
/// (models/bart/modeling_bart.py, 5.x).
public struct BART<Member: BARTMember>: EncoderDecoder {
  public static var name: String { Member.name }
  public static var classes: [(name: String, head: EncoderDecoderHead)] { Member.classes }

  public let form: EncoderDecoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let usual = Member.defaults
    let width = config.count("d_model", or: "hidden_size", default: usual.width, on: .weights)
    let words = Member.words(&config, vocabulary: usual.vocabulary)
    let isScaled = config.flag("scale_embedding", default: usual.isScaled)
    let activation = config.activation("activation_function", default: usual.activation)
    let norm = NormForm.layer(epsilon: 1e-5)
    let head = config.bartHead(Member.self, isStored: isStored)
    let positions = config.bartPositions(Member.self, padToken: head.padToken, isStored: isStored)
    func stack(_ stack: Stack) -> StackForm {
      let block = config.block(of: stack, usual, Member.arrangement, norm, activation)
      return StackForm(
        factor: isScaled ? Double(width).squareRoot() : 1, positions: positions,
        embeddingNorm: Member.normalisesEmbeddings ? norm : nil,
        blocks: Array(repeating: block.form(width), count: block.layers),
        norm: Member.normalisesAtEnd ? norm : nil)
    }
    form = EncoderDecoderForm(
      words: words, width: width, encoder: stack(.encoder), decoder: stack(.decoder), head: head)
    config.disregard(Self.withoutEffect)
    checkConsistency(&config)
  }

  private func checkConsistency(_ config: inout ConfigReader) {
    guard config.faults.isEmpty else { return }
    for stack in [Stack.encoder, .decoder] {
      let heads = form.form(of: stack).blocks.first?.attention.shape.heads ?? 1
      config.rejectUndivided(
        form.width, "d_model", by: heads, "\(stack.rawValue)_attention_heads")
    }
    if let token = form.encoder.positions.paddingToken, form.width < 4 || token < 0 {
      config.reject(
        "d_model \(form.width) and pad_token_id \(token) have no positions; a width of 4 and a token"
          + " have")
    }
    if form.head.task == .sequenceClassification, form.head.endTokens.count != 1 {
      config.reject("sequence classification needs one eos_token_id")
    }
  }

  /// Settings of training, and what configs of before transformers 4 say besides: the class decides it.
  private static var withoutEffect: [String] {
    [
      "activation_dropout", "add_bias_logits", "add_final_layer_norm", "classif_dropout",
      "decoder", "decoder_layerdrop", "dropout", "encoder_layerdrop", "extra_pos_embeddings",
      "force_bos_token_to_be_generated", "init_std", "is_decoder", "langs", "normalize_before",
      "normalize_embedding", "static_position_embeddings",
    ]
  }
}

/// What a config says of the blocks of a stack.
private struct StackBlocks {
  let layers: Int
  let heads: Int
  let hidden: Int
  let stack: Stack
  let arrangement: BlockForm.Arrangement
  let norm: NormForm
  let activation: Activation

  /// One of them.
  func form(_ width: Int) -> BlockForm {
    let headSize = max(1, width / heads)
    var attention = SelfAttentionForm(
      shape: AttentionShape(heads: heads, headSize: headSize), seesAhead: stack == .encoder)
    attention.mask = stack.mask
    var block = BlockForm(
      attention: attention, feedForward: FeedForwardForm(hidden: hidden, activation: activation),
      arrangement: arrangement, norm: norm)
    if stack == .decoder {
      block.cross = CrossAttentionForm(
        heads: heads, headSize: headSize, source: Stack.encoder.state, mask: Stack.encoder.mask)
    }
    return block
  }
}

extension ConfigReader {
  fileprivate mutating func block(
    of stack: Stack, _ usual: BARTDefaults, _ arrangement: BlockForm.Arrangement,
    _ norm: NormForm, _ activation: Activation
  ) -> StackBlocks {
    let name = stack.rawValue
    let isEncoder = stack == .encoder
    return StackBlocks(
      layers: count(
        "\(name)_layers", or: isEncoder ? "num_hidden_layers" : nil, default: usual.layers,
        limit: Self.mostLayers, on: .weights),
      heads: count(
        "\(name)_attention_heads", or: isEncoder ? "num_attention_heads" : nil,
        default: usual.heads, on: .outputs(as: "\(name)_heads")),
      hidden: count("\(name)_ffn_dim", default: usual.feedForward, on: .weights),
      stack: stack, arrangement: arrangement, norm: norm, activation: activation)
  }

  /// The class, its labels, special tokens, and what generated texts must have.
  fileprivate mutating func bartHead<Member: BARTMember>(
    _: Member.Type, isStored: (String) -> Bool
  ) -> EncoderDecoderHeadForm {
    let usual = Member.defaults
    let isTied = Member.scoresStates || flag("tie_word_embeddings", default: true, on: .weights)
    let labels = labelCount(default: usual.labels)
    let task = head(Member.classes) { EncoderDecoderHead(isTied: isTied, isStored: isStored) }
    let endTokens = tokens(
      "eos_token_id", default: usual.endTokens,
      on: task == .sequenceClassification ? .outputs : .nothing)
    let padToken = token(
      "pad_token_id", default: usual.padToken, on: Member.readsPadToken ? .outputs : .nothing)
    let start = token(
      "decoder_start_token_id", default: usual.startToken,
      on: Member.shifting == .behindStart ? .outputs : .nothing)
    // Where no token begins texts, that which begins sentences does.
    let begin = token("bos_token_id", default: usual.beginToken, on: .nothing)
    let shift: Shift? =
      switch Member.shifting {
      case .none: nil
      case .behindStart: .behind(start)
      case .behindLast: .behindLast(padding: padToken)
      }
    return EncoderDecoderHeadForm(
      task: task, isTied: isTied, hasBias: Member.scoresHaveBias, labels: labels,
      endTokens: endTokens, padToken: padToken, startToken: start ?? begin, shift: shift,
      limits: tokenLimits(last: usual.forcedEnd, endTokens: endTokens),
      scoresStates: Member.scoresStates, masksPadding: Member.scoresStates)
  }

  fileprivate mutating func bartPositions<Member: BARTMember>(
    _: Member.Type, padToken: Int?, isStored: (String) -> Bool
  ) -> StackPositions {
    let key = "max_position_embeddings"
    let usual = Member.defaults.positions
    switch Member.positioning {
    case .learned(let offset):
      return .learned(count(key, default: usual, on: .weights), offset: offset)
    case .table:
      let isThere = isStored("encoder.embeddings.position.weight")
      return .table(count(key, default: usual, on: isThere ? .weights : .nothing))
    case .behindPadding:
      // How many vectors old files may hold; no text is limited by it.
      let stored = count(key, default: usual, limit: Self.mostStored, on: .nothing) + 2
      if padToken == nil { reject("pad_token_id is null, and positions count from behind it") }
      return .behindPadding(padToken ?? 0, stored: stored)
    case .tableBehindPadding:
      let isThere = isStored("encoder.embeddings.position.weight")
      let rows = count(key, default: usual, on: isThere ? .weights : .nothing)
      if padToken == nil { reject("pad_token_id is null, and positions count from behind it") }
      let token = max(0, padToken ?? 0)
      return .tableBehindPadding(padToken ?? 0, count: rows + token + 1)
    }
  }

  /// More positions than any model has, few enough to add to.
  private static let mostStored = 1 << 40
}
