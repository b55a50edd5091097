public import Kernels
public import Models

/// A causal Transformer decoder, described: what it is made of, and in which order. `CausalDecoder` makes
/// the forward pass of it.
///
/// A family reads its config into one of these. What families have in common is written once, here; a piece
/// that is missing is added here, as a general form and not under a family's name.
public struct DecoderForm: Sendable, Equatable {
  /// The number of words.
  public var vocabulary: Int
  /// The width of the stream.
  public var width: Int
  /// What words become.
  public var embedding = EmbeddingForm()
  /// The rotary positions that there are; a layer that has some names one of them.
  public var rotaries: [RotarySettings] = []
  /// What layers that say so add to their scores; `nil` if none does.
  public var alibi: ALiBi?
  /// The length, padding included, beyond which a text that grows is computed anew once, because its keys were
  /// turned in other ways; `nil` if they stay.
  public var renewedBeyond: Int?
  /// The blocks in order.
  public var blocks: [BlockForm]
  /// What files may hold behind them to predict further tokens, one more each; no output depends on it.
  public var furtherBlocks: [BlockForm] = []
  /// The normalisation after the last block; `nil` for none.
  public var norm: NormForm?
  /// The width of what the head reads, if a linear layer without bias makes that of the stream.
  public var outputWidth: Int?
  /// How many positions a text may have, where there is no table of them that says it.
  public var longest: Int?
  /// What stands on it.
  public var head: HeadForm

  /// Describes a decoder.
  public init(
    vocabulary: Int, width: Int, embedding: EmbeddingForm = EmbeddingForm(),
    rotaries: [RotarySettings] = [], alibi: ALiBi? = nil, blocks: [BlockForm],
    furtherBlocks: [BlockForm] = [], norm: NormForm?, outputWidth: Int? = nil,
    longest: Int? = nil, head: HeadForm
  ) {
    (self.vocabulary, self.width) = (vocabulary, width)
    self.embedding = embedding
    self.rotaries = rotaries
    self.alibi = alibi
    self.blocks = blocks
    self.furtherBlocks = furtherBlocks
    self.norm = norm
    (self.outputWidth, self.longest) = (outputWidth, longest)
    self.head = head
  }
}

/// What the words of a text become before the first block.
public struct EmbeddingForm: Sendable, Equatable {
  /// What the words' vectors are multiplied by.
  public var factor = 1.0
  /// The width of the words' vectors, if a linear layer without bias makes that of the stream.
  public var width: Int?
  /// The learned positions that are added; `nil` if there are none.
  public var positions: LearnedPositions?
  /// The computed positions that are added; `nil` if there are none.
  public var sinusoids: SinusoidalPositions?
  /// Whether token types are added, which are words: they have no table of their own.
  public var addsTypes = false
  /// The normalisation of the sum; `nil` for none.
  public var norm: NormForm?
  /// Whether files may hold the rotary frequencies once for all layers, before they are scaled; or, for
  /// llama3's scaling, what it divides each of them by.
  public var mayHoldRotary = false

  /// Words' vectors as they are, unless told otherwise.
  public init(
    factor: Double = 1, width: Int? = nil, positions: LearnedPositions? = nil,
    sinusoids: SinusoidalPositions? = nil, addsTypes: Bool = false, norm: NormForm? = nil,
    mayHoldRotary: Bool = false
  ) {
    self.factor = factor
    self.width = width
    self.positions = positions
    self.sinusoids = sinusoids
    self.addsTypes = addsTypes
    self.norm = norm
    self.mayHoldRotary = mayHoldRotary
  }
}

/// A table of vectors for positions.
public struct LearnedPositions: Sendable, Equatable {
  /// How many positions a text may have.
  public var count: Int
  /// How many rows of the table stand before that of position 0.
  public var offset: Int
  /// Whether positions that are not given are counted among all ids; if not, among those that are no padding,
  /// which itself has position −1.
  public var countsPadding: Bool

  /// Describes a table.
  ///
  /// - Precondition: there is a row for position −1, if there is that position.
  public init(_ count: Int, offset: Int = 0, countsPadding: Bool = true) {
    precondition(countsPadding || offset > 0, "padding has no row")
    self.count = count
    self.offset = offset
    self.countsPadding = countsPadding
  }
}

/// Vectors of positions that are computed. See `Sinusoids`.
public struct SinusoidalPositions: Sendable, Equatable {
  /// The vector of position 0 is that of the place `offset`.
  public var offset: Int
  /// The place whose vector is zero, if there is one.
  public var zero: Int?
  /// For how many places files may hold the vectors.
  public var stored: Int

  /// Describes vectors for positions that are counted among all ids.
  public init(offset: Int = 0, zero: Int? = nil, stored: Int) {
    (self.offset, self.zero, self.stored) = (offset, zero, stored)
  }

  /// The vectors.
  func sinusoids(width: Int) -> Sinusoids { Sinusoids(width: width, zero: zero) }
}
