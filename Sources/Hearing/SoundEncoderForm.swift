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
  /// What is read, and what it becomes before the blocks.
  public var source: SoundSource
  /// How it is seen where something is.
  public var positions: FramePositions
  /// The convolution that adds positions, with what is applied behind it; files may have one that is not read.
  public var convolution: PositionConvolution?
  /// The biases for distances between frames that blocks share, if they have some.
  public var distances: FrameDistances?
  /// The blocks in order.
  public var blocks: [SoundBlock]
  /// Whether the last normalisation stands before the blocks.
  public var normsFirst: Bool
  /// That normalisation; `nil` for none.
  public var norm: NormForm?
  /// Whether the normalised vectors of the frames are an output of the base model, too.
  public var givesFeatures: Bool
  /// What stands on it.
  public var head: SoundHeadForm

  /// Describes an encoder.
  public init(
    width: Int, source: SoundSource, positions: FramePositions,
    convolution: PositionConvolution? = nil, distances: FrameDistances? = nil,
    blocks: [SoundBlock], normsFirst: Bool = false, norm: NormForm?, givesFeatures: Bool = false,
    head: SoundHeadForm
  ) {
    self.width = width
    self.source = source
    self.positions = positions
    self.convolution = convolution
    self.distances = distances
    self.blocks = blocks
    self.normsFirst = normsFirst
    self.norm = norm
    self.givesFeatures = givesFeatures
    self.head = head
  }
}

/// What an encoder of sounds reads, and what that becomes before the first block.
public enum SoundSource: Sendable, Equatable {
  /// Samples.
  case samples(SampleForm)
  /// Bands of frequencies, as a picture under convolutions.
  case bands(BandForm)
  /// Frames of so many numbers as they are, which are normalised and made as wide as the stream.
  case frames(width: Int, norm: NormForm)

  /// The input: `[batch, samples]`, or `[batch, frames, numbers]`.
  var input: String {
    if case .samples = self { "input_values" } else { "input_features" }
  }

  /// What it is made of, in words.
  var unit: String {
    if case .samples = self { "samples" } else { "frames" }
  }

  /// How many frames blocks have of so many of these; 0 if they are too few.
  func frames(of count: Int) -> Int {
    switch self {
    case .samples(let form): form.frames(of: count)
    case .bands(let form): form.frames(of: count)
    case .frames: count
    }
  }

  /// The extents of the input.
  var axes: [InputSlot.Axis] {
    switch self {
    case .samples(let form): [.batch, .samples(each: form.stride, first: form.reach)]
    case .bands(let form): [.batch, .frames(each: form.stride), .size(form.bands)]
    case .frames(let width, _): [.batch, .frames(each: 1), .size(width)]
    }
  }
}

/// What bands of frequencies become before the first block: a picture of frames and bands under convolutions that take
/// every other place of both, all but the first of each channel by itself, with one of all channels of a place behind it.
/// Rekesh et al.: "Fast Conformer", arXiv 2305.05084, §2.1.
public struct BandForm: Sendable, Equatable {
  /// How many bands there are.
  public var bands: Int
  /// How many channels the convolutions have.
  public var channels: Int
  /// How many convolutions that take fewer places there are.
  public var layers: Int
  /// How many places they see in both directions: an odd number.
  public var kernel: Int
  /// From one of their places to the next.
  public var step: Int
  /// What vectors are multiplied by before the first block.
  public var factor: Double

  /// Describes what bands become.
  public init(
    bands: Int, channels: Int, layers: Int, kernel: Int, step: Int, factor: Double
  ) {
    (self.bands, self.channels, self.layers) = (bands, channels, layers)
    (self.kernel, self.step) = (kernel, step)
    self.factor = factor
  }

  /// How a convolution goes along frames, or bands.
  var axis: ConvolutionAxis { ConvolutionAxis(stride: step, padding: (kernel - 1) / 2) }

  /// How many places convolutions leave of so many.
  func places(of count: Int, behind layers: Int) -> Int {
    (0..<layers).reduce(count) { count, _ in axis.count(input: count, kernel: kernel) }
  }

  /// How many frames so many become.
  func frames(of count: Int) -> Int { count > 0 ? places(of: count, behind: layers) : 0 }

  /// How many frames there are from one to the next behind the convolutions.
  var stride: Int { (0..<layers).reduce(1) { product, _ in min(1 << 30, product * step) } }
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

  /// Describes what they become.
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
  /// By learned vectors of distances, as far as so many frames before and behind. Shaw et al., arXiv 1803.02155, §3.2.
  case near(before: Int, after: Int)
  /// By turning what queries and keys are made of. Su et al., arXiv 2104.09864.
  case rotary(RotarySettings)
}

/// A convolution over the stream whose result is added to it. Mohamed et al., arXiv 1904.11660, §2.
public struct PositionConvolution: Sendable, Equatable {
  /// How many frames it sees.
  public var kernel: Int
  /// Into how many parts the channels are divided.
  public var groups: Int
  /// What is applied behind it.
  public var activation: Activation

  /// Describes a convolution.
  public init(kernel: Int, groups: Int, activation: Activation) {
    (self.kernel, self.groups) = (kernel, groups)
    self.activation = activation
  }
}

/// Biases for distances between frames, in buckets. Raffel et al., arXiv 1910.10683, §2.1.
public struct FrameDistances: Sendable, Equatable {
  /// How many buckets there are, for both directions.
  public var buckets: Int
  /// From which distance on all are in the last one.
  public var farthest: Int
  /// How many heads have biases.
  public var heads: Int

  /// Describes biases.
  public init(buckets: Int, farthest: Int, heads: Int) {
    (self.buckets, self.farthest, self.heads) = (buckets, farthest, heads)
  }
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
