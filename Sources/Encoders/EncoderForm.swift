public import Kernels
public import Models

/// A bidirectional Transformer encoder of texts, described: what it is made of, and in which order.
/// `TextEncoder` makes the forward pass of it.
///
/// A family reads its config into one of these. Blocks are those that decoders have, too; their attention
/// says whether it sees ahead. A piece that is missing is added here or there, as a general form and not under a
/// family's name.
public struct EncoderForm: Sendable, Equatable {
  /// The number of words.
  public var vocabulary: Int
  /// The width of the stream.
  public var width: Int
  /// What words become.
  public var embedding: TextEmbeddingForm
  /// The rotary positions that there are; a layer that has some names one of them.
  public var rotaries: [RotarySettings] = []
  /// How many positions the table of rotary sines and cosines has that files store; `nil` if they are computed.
  public var rotaryRows: Int?
  /// Whether files store the frequencies of the first rotary positions, which are used as they are there.
  public var holdsFrequencies: Bool
  /// What layers that say so add to their scores for each distance; `nil` if none does.
  public var distances: DistanceForm?
  /// The vectors of distances that layers compare queries and keys with; `nil` if none does.
  public var distanceVectors: DistanceVectors?
  /// The blocks in order.
  public var blocks: [BlockForm]
  /// For each block the one whose weights it has; `nil` if each has its own.
  public var weightsOf: [SharedBlock]?
  /// The convolution beside the first block; `nil` for none.
  public var convolution: TextConvolution?
  /// The normalisation after the last block; `nil` for none.
  public var norm: NormForm?
  /// What the model makes of the first position's state beside its head, if it does.
  public var pooler: PoolerUse = .none
  /// What the model makes of one state of a text, and gives beside those of all positions; `nil` for nothing.
  public var summary: TextSummary?
  /// Whether the last hidden state is that before the last normalisation.
  public var showsStateBeforeNorm = false
  /// Layers that files have and no output depends on.
  public var passengers: [PassengerLayer]
  /// What stands on it.
  public var head: EncoderHeadForm

  /// Describes an encoder.
  public init(
    vocabulary: Int, width: Int, embedding: TextEmbeddingForm, rotaries: [RotarySettings] = [],
    rotaryRows: Int? = nil, holdsFrequencies: Bool = false, distances: DistanceForm? = nil,
    distanceVectors: DistanceVectors? = nil, blocks: [BlockForm], weightsOf: [SharedBlock]? = nil,
    convolution: TextConvolution? = nil, norm: NormForm? = nil,
    pooler: PoolerUse = .none, passengers: [PassengerLayer] = [], head: EncoderHeadForm
  ) {
    (self.vocabulary, self.width) = (vocabulary, width)
    self.embedding = embedding
    self.rotaries = rotaries
    self.rotaryRows = rotaryRows
    self.holdsFrequencies = holdsFrequencies
    self.distances = distances
    self.distanceVectors = distanceVectors
    self.blocks = blocks
    self.weightsOf = weightsOf
    self.convolution = convolution
    self.norm = norm
    self.pooler = pooler
    self.passengers = passengers
    self.head = head
  }

  /// Whether no position sees what comes after it.
  var isCausal: Bool { blocks.contains { !$0.attention.seesAhead } }
}

/// A block whose weights several blocks of the pass have: one of a group that is run as a whole. Lan et al., arXiv
/// 1909.11942, §3.1.
public struct SharedBlock: Sendable, Equatable {
  /// The number of the group.
  public var group: Int
  /// The block's number in it.
  public var index: Int

  /// Names a block.
  public init(group: Int, index: Int) {
    (self.group, self.index) = (group, index)
  }
}

/// What a model does with a linear layer on the state of the first position, its pooler.
public enum PoolerUse: Sendable, Equatable {
  /// It has none.
  case none
  /// It is an output.
  case output
  /// The head reads it.
  case summary
  /// Nothing reads it: files may have kept it.
  case passenger
}

/// One state of a text that stands for it.
public struct TextSummary: Sendable, Equatable {
  /// Which one.
  public var pooling: EncoderHeadForm.Pooling
  /// The width of what a linear layer makes of it; `nil` if it stays as it is.
  public var width: Int?

  /// Describes a summary.
  public init(_ pooling: EncoderHeadForm.Pooling, width: Int? = nil) {
    (self.pooling, self.width) = (pooling, width)
  }
}

/// A convolution of a text as it was before the first block, which is added to what the block makes of it; what is
/// padding is zero before and after. transformers calls it `ConvLayer`.
public struct TextConvolution: Sendable, Equatable {
  /// How many positions it sees at once.
  public var kernel: Int
  /// Into how many parts channels are divided.
  public var groups: Int
  /// What is applied to it.
  public var activation: Activation
  /// The normalisation of the sum.
  public var norm: NormForm

  /// Describes a convolution.
  public init(kernel: Int, groups: Int, activation: Activation, norm: NormForm) {
    (self.kernel, self.groups) = (kernel, groups)
    self.activation = activation
    self.norm = norm
  }
}

/// A linear layer, or a layer normalisation, that no output depends on, and that files may lack.
public struct PassengerLayer: Sendable, Equatable {
  /// The canonical name.
  public var name: String
  /// The width of what it reads.
  public var inputs: Int
  /// The width of what it makes; `nil` if it is a normalisation.
  public var outputs: Int?

  /// Describes a linear layer.
  public init(_ name: String, inputs: Int, outputs: Int) {
    self.name = name
    (self.inputs, self.outputs) = (inputs, outputs)
  }

  /// Describes a normalisation.
  public init(_ name: String, width: Int) {
    self.name = name
    (inputs, outputs) = (width, nil)
  }
}

/// What the words of a text become before an encoder's first block.
public struct TextEmbeddingForm: Sendable, Equatable {
  /// The width of the tables' vectors. If it is not that of the stream, or `projects`, a linear layer makes that.
  public var width: Int
  /// Whether a linear layer stands between them and the stream.
  public var projects = false
  /// Whether what is normalised is what that layer gives, which has no bias then, and not what it reads.
  public var normalisesProjection = false
  /// The learned positions that are added; `nil` if there are none.
  public var positions: PositionTable?
  /// How many rows a table of positions has that files may hold although nothing reads it; `nil` if there is
  /// none.
  public var unreadPositions: Int?
  /// What becomes of the words where some are masks; `nil` if masks are words like others.
  public var dropout: TokenDropout?
  /// Whether what is padding becomes zero.
  public var zeroesPadding = false
  /// How many types of tokens have a vector that is added; `nil` if there are none.
  public var tokenTypes: Int?
  /// The normalisation of the sum; `nil` for none.
  public var norm: NormForm?

  /// Describes embeddings.
  public init(
    width: Int, projects: Bool = false, positions: PositionTable? = nil, tokenTypes: Int? = nil,
    norm: NormForm? = nil
  ) {
    self.width = width
    self.projects = projects
    self.positions = positions
    self.tokenTypes = tokenTypes
    self.norm = norm
  }
}

/// Masks that are dropped: their vectors are zero, and those of the other words of a text are scaled as if as many
/// were masks as in training. transformers calls it `token_dropout`.
public struct TokenDropout: Sendable, Equatable {
  /// The mask.
  public var token: Int
  /// What part of a text were masks in training.
  public var ratio: Double

  /// Describes masks.
  public init(token: Int, ratio: Double) {
    (self.token, self.ratio) = (token, ratio)
  }
}

/// A table of vectors for positions, which are its rows.
public struct PositionTable: Sendable, Equatable {
  /// How many rows it has.
  public var rows: Int
  /// The padding token whose number is the row of all padding, while the other ids of a text have the rows
  /// behind it in order; `nil` where ids are counted from 0 on, whatever they are.
  public var padToken: Int?

  /// Describes a table.
  public init(rows: Int, padToken: Int? = nil) {
    (self.rows, self.padToken) = (rows, padToken)
  }
}

/// Learned numbers for each head and each bucket of distances. See `RelativeBias`.
public struct DistanceForm: Sendable, Equatable {
  /// How many buckets there are.
  public var buckets: Int
  /// From here on all distances share the last one.
  public var longest: Int

  /// Describes a table.
  public init(buckets: Int, longest: Int) {
    (self.buckets, self.longest) = (buckets, longest)
  }
}
