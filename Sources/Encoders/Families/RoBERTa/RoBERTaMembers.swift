import Kernels
public import Models

/// What tells a member of the family from the others.
public protocol RoBERTaMember: Sendable {
  /// The name in `model_type`.
  static var name: String { get }
  /// What its classes' names begin with.
  static var className: String { get }
  /// What its config need not say.
  static var defaults: EncoderSizes.Defaults { get }
  /// How many types of tokens there are where the config does not say it.
  static var tokenTypes: Int { get }
  /// How blocks are put together. Where they are normalised before, there is a normalisation at the end.
  static var arrangement: BlockForm.Arrangement { get }
  /// Whether the embeddings are normalised.
  static var normalisesEmbeddings: Bool { get }
}

extension RoBERTaMember {
  public static var defaults: EncoderSizes.Defaults { EncoderSizes.Defaults() }
  public static var tokenTypes: Int { 2 }
  public static var arrangement: BlockForm.Arrangement { .normAfter }
  public static var normalisesEmbeddings: Bool { true }
}

/// RoBERTa itself, and what was trained anew under its name.
public enum PlainRoBERTa: RoBERTaMember {
  public static let name = "roberta"
  public static let className = "Roberta"
  public static let defaults = EncoderSizes.Defaults(vocabulary: 50265)
}

/// Martin et al.: "CamemBERT", arXiv 1911.03894.
public enum CamemBERT: RoBERTaMember {
  public static let name = "camembert"
  public static let className = "Camembert"
}

/// The model of texts of Baevski et al.: "data2vec", arXiv 2202.03555, §4.3.
public enum Data2VecText: RoBERTaMember {
  public static let name = "data2vec-text"
  public static let className = "Data2VecText"
}

/// Normalised before each layer. Ott et al., fairseq, arXiv 1904.01038 (`encoder_normalize_before`); Wettig et al.,
/// arXiv 2202.08005.
public enum RoBERTaPreLayerNorm: RoBERTaMember {
  public static let name = "roberta-prelayernorm"
  public static let className = "RobertaPreLayerNorm"
  public static let defaults = EncoderSizes.Defaults(vocabulary: 50265)
  public static let arrangement = BlockForm.Arrangement.normBefore
}

/// Conneau et al.: "Unsupervised Cross-lingual Representation Learning at Scale", arXiv 1911.02116.
public enum XLMRoBERTa: RoBERTaMember {
  public static let name = "xlm-roberta"
  public static let className = "XLMRoberta"
}

/// Goyal et al.: "Larger-Scale Transformers for Multilingual Masked Language Modeling", arXiv 2105.00572.
/// Normalised before each layer, and embeddings not at all.
public enum XLMRoBERTaXL: RoBERTaMember {
  public static let name = "xlm-roberta-xl"
  public static let className = "XLMRobertaXL"
  public static let defaults = EncoderSizes.Defaults(
    vocabulary: 250880, width: 2560, layers: 36, heads: 32, feedForward: 10240, positions: 514,
    epsilon: 1e-5)
  public static let tokenTypes = 1
  public static let arrangement = BlockForm.Arrangement.normBefore
  public static let normalisesEmbeddings = false
}
