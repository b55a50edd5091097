import Kernels
public import Models

/// What BART's kin differ in.
public protocol BARTMember: Sendable {
  /// The config's `model_type`.
  static var name: String { get }
  /// The names of its classes.
  static var classes: [(name: String, head: EncoderDecoderHead)] { get }
  /// What a config need not say.
  static var defaults: BARTDefaults { get }
  /// How layers, normalisations and the stream go together.
  static var arrangement: BlockForm.Arrangement { get }
  /// Whether the sum of the embeddings is normalised.
  static var normalisesEmbeddings: Bool { get }
  /// Whether each stack's last state is.
  static var normalisesAtEnd: Bool { get }
  /// The positions that are added.
  static var positioning: BARTPositioning { get }
  /// What the decoder reads where nothing is given for it.
  static var shifting: BARTShifting { get }
  /// Whether each word has a bias.
  static var scoresHaveBias: Bool { get }
  /// Whether the scores of words are part of the bare model.
  static var scoresStates: Bool { get }

  /// Where the vectors of words are.
  static func words(_ config: inout ConfigReader, vocabulary: Int) -> WordTables
}

/// The positions of BART's kin.
public enum BARTPositioning: Sendable, Equatable {
  case learned(offset: Int)
  case table
  case behindPadding
  case tableBehindPadding
}

/// What the decoders of BART's kin read where nothing is given for them.
public enum BARTShifting: Sendable, Equatable {
  case none
  case behindStart
  case behindLast
}

extension BARTMember {
  public static var normalisesEmbeddings: Bool { false }
  public static var normalisesAtEnd: Bool { arrangement == .normBefore }
  public static var shifting: BARTShifting { .none }
  public static var scoresHaveBias: Bool { true }
  public static var scoresStates: Bool { false }

  /// One table, or one for each stack where the config does not tie them, which may be the same nevertheless.
  public static func words(_ config: inout ConfigReader, vocabulary: Int) -> WordTables {
    let count = config.count("vocab_size", default: vocabulary, on: .weights)
    let isTied = config.flag("tie_word_embeddings", default: true, on: .weights)
    return isTied ? .shared(count) : .perhapsOwn(count)
  }

  /// Whether outputs depend on which token is padding.
  static var readsPadToken: Bool {
    switch positioning {
    case .behindPadding, .tableBehindPadding: true
    case .learned, .table: shifting == .behindLast
    }
  }
}

/// What a config of BART's kin need not say.
public struct BARTDefaults: Sendable {
  var vocabulary = 50265
  var width = 1024
  var layers = 12
  var heads = 16
  var feedForward = 4096
  var positions = 1024
  var activation = Activation.gelu
  var isScaled = false
  var labels = 2
  var padToken = 1
  var beginToken: Int? = 0
  var endTokens = [2]
  var startToken: Int? = 2
  var forcedEnd = [2]
}

/// BART itself.
public enum OriginalBART: BARTMember {
  public static let name = "bart"
  public static let classes = EncoderDecoderHead.classes(
    of: "Bart", [.base, .conditionalGeneration, .sequenceClassification, .questionAnswering])
  public static let defaults = BARTDefaults(labels: 3)
  public static let arrangement = BlockForm.Arrangement.normAfter
  public static let normalisesEmbeddings = true
  public static let positioning = BARTPositioning.learned(offset: 2)
  public static let shifting = BARTShifting.behindStart
}

/// mBART, which begins a text with the token of its language. Liu et al., arXiv 2001.08210.
public enum MBART: BARTMember {
  public static let name = "mbart"
  public static let classes = EncoderDecoderHead.classes(
    of: "MBart", [.base, .conditionalGeneration, .sequenceClassification, .questionAnswering])
  public static let defaults = BARTDefaults(startToken: nil)
  public static let arrangement = BlockForm.Arrangement.normBefore
  public static let normalisesEmbeddings = true
  public static let positioning = BARTPositioning.learned(offset: 2)
  public static let shifting = BARTShifting.behindLast
}

/// The Transformer of Vaswani et al., arXiv 1706.03762, as Marian trains it (arXiv 1804.00344).
public enum Marian: BARTMember {
  public static let name = "marian"
  public static let classes: [(name: String, head: EncoderDecoderHead)] = [
    ("MarianModel", .base), ("MarianMTModel", .conditionalGeneration),
  ]
  public static let defaults = BARTDefaults(
    vocabulary: 58101, padToken: 58100, beginToken: nil, endTokens: [0], startToken: 58100,
    forcedEnd: [0])
  public static let arrangement = BlockForm.Arrangement.normAfter
  public static let positioning = BARTPositioning.table

  public static func words(_ config: inout ConfigReader, vocabulary: Int) -> WordTables {
    let source = config.count("vocab_size", default: vocabulary, on: .weights)
    let isShared = config.flag("share_encoder_decoder_embeddings", default: true, on: .weights)
    let target =
      config.optionalCount(
        "decoder_vocab_size", default: source, on: isShared ? .nothing : .weights) ?? source
    let isTied = config.flag("tie_word_embeddings", default: true, on: .weights)
    guard isShared else { return .separate(source: source, target: target) }
    return isTied ? .shared(source) : .perhapsOwn(source)
  }
}

/// Pegasus. Zhang et al., arXiv 1912.08777.
public enum Pegasus: BARTMember {
  public static let name = "pegasus"
  public static let classes = EncoderDecoderHead.classes(
    of: "Pegasus", [.base, .conditionalGeneration])
  public static let defaults = BARTDefaults(
    padToken: 0, beginToken: nil, endTokens: [1], startToken: 0, forcedEnd: [1])
  public static let arrangement = BlockForm.Arrangement.normBefore
  public static let positioning = BARTPositioning.table
}

/// M2M100, and NLLB without experts. Fan et al., arXiv 2010.11125; arXiv 2207.04672.
public enum M2M100: BARTMember {
  public static let name = "m2m_100"
  public static let classes = EncoderDecoderHead.classes(
    of: "M2M100", [.base, .conditionalGeneration])
  public static let defaults = BARTDefaults(
    vocabulary: 128_112, activation: .relu, isScaled: true, forcedEnd: [])
  public static let arrangement = BlockForm.Arrangement.normBefore
  public static let positioning = BARTPositioning.behindPadding
  public static let scoresHaveBias = false
}

/// FSMT: fairseq's translation models, whose vocabularies are two. Ng et al., arXiv 1907.06616.
///
/// Two tables of words, and a third one that scores them, unless the config ties all three
/// (transformers: models/fsmt/modeling_fsmt.py, 5.x). Files of transformers 4 hold the third one once, with the second.
public enum FSMT: BARTMember {
  public static let name = "fsmt"
  public static let classes = EncoderDecoderHead.classes(
    of: "FSMT", [.base, .conditionalGeneration])
  public static let defaults = BARTDefaults(
    vocabulary: 42024, activation: .relu, isScaled: true, startToken: 2)
  public static let arrangement = BlockForm.Arrangement.normAfter
  public static let positioning = BARTPositioning.tableBehindPadding
  public static let shifting = BARTShifting.behindLast
  public static let scoresHaveBias = false
  public static let scoresStates = true

  public static func words(_ config: inout ConfigReader, vocabulary: Int) -> WordTables {
    let source = config.count("src_vocab_size", default: vocabulary, on: .weights)
    let target = config.count(
      "tgt_vocab_size", or: "vocab_size", default: vocabulary, on: .weights)
    guard config.flag("tie_word_embeddings", default: false, on: .weights) else {
      return .separate(source: source, target: target)
    }
    if source != target {
      config.reject(
        "src_vocab_size \(source) is not tgt_vocab_size \(target), and tie_word_embeddings is true")
    }
    return .shared(target)
  }
}
