public import Kernels
public import Models

/// A Transformer of an encoder and a decoder that looks at what the encoder made of a text, or of a
/// sound, described: what it is
/// made of, and in which order. `EncoderDecoder` makes the forward pass of it.
///
/// Vaswani et al., arXiv 1706.03762, §3. A family reads its config into one of these. Blocks are those of decoders
/// and encoders; those of this decoder have attention to another text. A piece that is missing is added here or
/// there, as a general form and not under a family's name.
public struct EncoderDecoderForm: Sendable, Equatable {
  /// Where the vectors of words are.
  public var words: WordTables
  /// The width of both streams.
  public var width: Int
  /// What reads the text that there is.
  public var encoder: StackForm
  /// What writes the text that becomes.
  public var decoder: StackForm
  /// What stands on them.
  public var head: EncoderDecoderHeadForm
  /// What the encoder reads in place of words; `nil` if it reads words.
  public var sound: SoundForm?

  /// Describes an encoder with a decoder.
  public init(
    words: WordTables, width: Int, encoder: StackForm, decoder: StackForm,
    head: EncoderDecoderHeadForm, sound: SoundForm? = nil
  ) {
    self.words = words
    self.width = width
    self.encoder = encoder
    self.decoder = decoder
    self.head = head
    self.sound = sound
  }

  /// The description of one of the stacks.
  func form(of stack: Stack) -> StackForm { stack == .encoder ? encoder : decoder }
}

/// One of the two stacks of blocks. Its name is that of its module and of its state.
enum Stack: String {
  case encoder
  case decoder

  var state: String { rawValue }
  var ids: String { self == .encoder ? "input_ids" : "decoder_input_ids" }
  var mask: String { self == .encoder ? "attention_mask" : "decoder_attention_mask" }

  /// What its stages work with: those that look at the encoder's states have keys and values of them.
  func work(seesEncoder: Bool = false) -> @Sendable (ModelInputs) -> StageWork {
    { [ids] in .positions(of: ids, seeing: seesEncoder ? [Stack.encoder.ids] : [], in: $0) }
  }
}

/// Where the vectors of words are.
public enum WordTables: Sendable, Equatable {
  /// In one table for both stacks.
  case shared(Int)
  /// In one table for both stacks, unless one of them stores a table of its own.
  case perhapsOwn(Int)
  /// In two tables, of as many words each as said.
  case separate(source: Int, target: Int)

  /// How many words a stack reads.
  func count(of stack: Stack) -> Int {
    switch self {
    case .shared(let count), .perhapsOwn(let count): count
    case .separate(let source, let target): stack == .encoder ? source : target
    }
  }
}

/// A stack of blocks, described.
public struct StackForm: Sendable, Equatable {
  /// What the words' vectors are multiplied by.
  public var factor = 1.0
  /// The positions that are added.
  public var positions: StackPositions
  /// The normalisation of the sum; `nil` for none.
  public var embeddingNorm: NormForm?
  /// The blocks in order.
  public var blocks: [BlockForm]
  /// The normalisation after the last block; `nil` for none.
  public var norm: NormForm?

  /// Describes a stack.
  public init(
    factor: Double = 1, positions: StackPositions, embeddingNorm: NormForm? = nil,
    blocks: [BlockForm], norm: NormForm? = nil
  ) {
    self.factor = factor
    self.positions = positions
    self.embeddingNorm = embeddingNorm
    self.blocks = blocks
    self.norm = norm
  }
}

/// The vectors of positions that a stack adds to those of words, or what it has in their place.
public enum StackPositions: Sendable, Equatable {
  /// Learned ones, of which so many rows stand before that of position 0.
  case learned(Int, offset: Int)
  /// Computed ones of a table that files may store.
  case table(Int)
  /// Computed ones, however many there are: padding has none, and the other ids of a text count from behind the
  /// number of the padding token on. Files may hold so many.
  case behindPadding(Int, stored: Int)
  /// The same of a table of so many rows that files may store, whose numbers are used for texts that end in it. A token
  /// that is padding has none only in the first step of a text that grows: later it counts as what was before it.
  case tableBehindPadding(Int, count: Int)
  /// None: queries and keys of each block are turned. Su et al., arXiv 2104.09864.
  case rotary(RotarySettings)

  /// How many positions a text may have, if that has a limit.
  var longest: Int? {
    switch self {
    case .learned(let count, _), .table(let count): count
    case .behindPadding, .tableBehindPadding, .rotary: nil
    }
  }

  /// The padding token that positions leave out, if they do.
  package var paddingToken: Int? {
    switch self {
    case .learned, .table, .rotary: nil
    case .behindPadding(let token, _), .tableBehindPadding(let token, _): token
    }
  }
}
