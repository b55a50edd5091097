public import Kernels
public import Models

/// A Transformer encoder of sounds, described: what it is made of, and in which order. `SoundEncoder` makes the forward
/// pass of it.
///
/// A family reads its config into one of these. A piece that is missing is added here or there, as a general form and not
/// under a family's name.
public struct SoundEncoderForm: Sendable, Equatable {
  /// The width of the stream.
  public var width: Int
  /// What samples become.
  public var samples: SampleForm
  /// How it is seen where something is.
  public var positions: FramePositions
  /// The convolution that adds positions, with what is applied behind it; files may have one that is not read.
  public var convolution: PositionConvolution
  /// The blocks in order.
  public var blocks: [SoundBlock]
  /// Whether the last normalisation stands before the blocks.
  public var normsFirst: Bool
  /// That normalisation.
  public var norm: NormForm
  /// Whether the normalised vectors of the frames are an output of the base model, too.
  public var givesFeatures: Bool
  /// What stands on it.
  public var head: SoundHeadForm

  /// Describes an encoder.
  public init(
    width: Int, samples: SampleForm, positions: FramePositions, convolution: PositionConvolution,
    blocks: [SoundBlock], normsFirst: Bool, norm: NormForm, givesFeatures: Bool,
    head: SoundHeadForm
  ) {
    self.width = width
    self.samples = samples
    self.positions = positions
    self.convolution = convolution
    self.blocks = blocks
    self.normsFirst = normsFirst
    self.norm = norm
    self.givesFeatures = givesFeatures
    self.head = head
  }
}

/// What samples become before the first block: vectors of frames, by convolutions one behind the other. Baevski et al.:
/// "wav2vec 2.0", arXiv 2006.11477, §2.
public struct SampleForm: Sendable, Equatable {
  /// A convolution over samples or frames, without padding.
  public struct Layer: Sendable, Equatable {
    /// How many channels it makes.
    public var width: Int
    public var kernel: Int
    public var stride: Int

    /// Describes a convolution.
    public init(width: Int, kernel: Int, stride: Int) {
      (self.width, self.kernel, self.stride) = (width, kernel, stride)
    }
  }

  /// What is normalised behind convolutions.
  public enum Normalization: String, Sendable, CaseIterable {
    /// Behind the first one each channel over all frames. Wu & He, arXiv 1803.08494, with as many groups as channels.
    case group
    /// Behind each one the channels of each frame.
    case layer
  }

  /// The convolutions in order.
  public var layers: [Layer]
  /// What is normalised.
  public var normalization: Normalization
  /// Whether the convolutions have biases.
  public var hasBias: Bool
  /// What is applied behind each.
  public var activation: Activation
  /// The normalisation of frames before they are made as wide as the stream; `nil` for none.
  public var norm: NormForm?

  /// Describes what samples become.
  public init(
    layers: [Layer], normalization: Normalization, hasBias: Bool, activation: Activation,
    norm: NormForm?
  ) {
    self.layers = layers
    self.normalization = normalization
    self.hasBias = hasBias
    self.activation = activation
    self.norm = norm
  }

  /// How wide the frames are.
  var width: Int { layers.last?.width ?? 1 }

  /// How many frames so many samples become; 0 if they are too few.
  func frames(of samples: Int) -> Int {
    layers.reduce(samples) { count, layer in
      count < layer.kernel ? 0 : (count - layer.kernel) / layer.stride + 1
    }
  }

  /// How many samples there are from one frame to the next.
  var stride: Int { layers.reduce(1) { min(1 << 30, $0 * $1.stride) } }

  /// How many samples a frame is made of.
  var reach: Int {
    layers.reversed().reduce(1) { min(1 << 30, ($0 - 1) * $1.stride + $1.kernel) }
  }
}

/// How the blocks of an encoder of sounds see where something is.
public enum FramePositions: Sendable, Equatable {
  /// By what a convolution has added to the stream before them.
  case convolution
  /// Not at all.
  case none
  /// By vectors of distances. Dai et al., arXiv 1901.02860, §3.3.
  case relative
  /// By turning what queries and keys are made of. Su et al., arXiv 2104.09864.
  case rotary(RotarySettings)
}

/// A convolution over the stream whose result is added to it. Mohamed et al., arXiv 1904.11660, §2.
public struct PositionConvolution: Sendable, Equatable {
  /// How many frames it sees.
  public var kernel: Int
  /// Into how many parts the channels are divided.
  public var groups: Int

  /// Describes a convolution.
  public init(kernel: Int, groups: Int) { (self.kernel, self.groups) = (kernel, groups) }
}

/// A block of an encoder of sounds.
public enum SoundBlock: Sendable, Equatable {
  /// Attention and a feed-forward network.
  case transformer(BlockForm)
  /// Both with a convolution between two halves of the network.
  case conformer(ConformerForm)

  /// The heads of its attention.
  var shape: AttentionShape {
    switch self {
    case .transformer(let block): block.attention.shape
    case .conformer(let block): block.shape
    }
  }
}

/// What stands on an encoder of sounds.
public enum SoundHead: Sendable, CaseIterable {
  case base
  case characters
  case classification

  /// The classes of an architecture as Hugging Face names them.
  public static func classes(of prefix: String) -> [(name: String, head: SoundHead)] {
    [
      (prefix + "Model", .base), (prefix + "ForCTC", .characters),
      (prefix + "ForSequenceClassification", .classification),
    ]
  }
}

/// A head, described.
public struct SoundHeadForm: Sendable, Equatable {
  /// What it is.
  public var task: SoundHead
  /// How many characters, or labels, are scored.
  public var labels: Int
  /// The character that stands for none.
  public var blank: Int
  /// What is classified.
  public var classification: SoundClassification

  /// Describes a head.
  public init(task: SoundHead, labels: Int, blank: Int, classification: SoundClassification) {
    self.task = task
    self.labels = labels
    self.blank = blank
    self.classification = classification
  }
}
