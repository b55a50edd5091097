public import Kernels
public import Models

/// A Transformer encoder of pictures, described: what it is made of, and in which order. `ImageEncoder` makes
/// the forward pass of it.
///
/// A family reads its config into one of these. Blocks are those that encoders of texts have, too. A piece that is
/// missing is added here or there, as a general form and not under a family's name.
public struct ImageEncoderForm: Sendable, Equatable {
  /// The width of the stream.
  public var width: Int
  /// What a picture becomes.
  public var embedding: ImageEmbeddingForm
  /// The blocks in order.
  public var blocks: [BlockForm]
  /// What is added to scores for the place of a key beside a query; `nil` for nothing.
  public var placeBias: PlaceBias?
  /// The normalisation after the last block.
  public var norm: NormForm
  /// Whether it is that of what the pooler reads alone or has, and the states stay as they are.
  public var normsPooled = false
  /// What else the base model makes of the first token; `nil` for nothing.
  public var pooler: ImagePooler?
  /// What makes pixels of all patches, if the head does.
  public var decoder: PatchDecoderForm?
  /// What stands on it.
  public var head: ImageHeadForm

  /// Describes an encoder.
  public init(
    width: Int, embedding: ImageEmbeddingForm, blocks: [BlockForm], norm: NormForm,
    pooler: ImagePooler? = nil, head: ImageHeadForm
  ) {
    self.width = width
    self.embedding = embedding
    self.blocks = blocks
    self.norm = norm
    self.pooler = pooler
    self.head = head
  }
}

/// What a picture becomes before the first block: patches, each through one linear layer, behind tokens that stand
/// for the whole. Dosovitskiy et al., arXiv 2010.11929, §3.1, eq. 1.
public struct ImageEmbeddingForm: Sendable, Equatable {
  /// How many numbers a pixel has.
  public var channels: Int
  /// The picture's height and width in pixels.
  public var image: [Int]
  /// A patch's height and width in pixels.
  public var patch: [Int]
  /// How many tokens stand before the patches and have positions: one for the class, or a second one for what
  /// distillation teaches. Touvron et al., arXiv 2012.12877, §4.
  public var classTokens = 1
  /// How many tokens without positions stand behind those; `nil` if files have no tensor for them, which may be empty.
  /// Darcet et al., arXiv 2309.16588, §2.2.
  public var registers: Int?
  /// Whether the linear layer of the patches has a bias.
  public var hasBias = true
  /// The normalisation of all tokens before the first block; `nil` for none.
  public var norm: NormForm?
  /// Whether files may hold the numbers of the positions.
  public var mayHoldPlaces = false
  /// Whether learned vectors are added to class tokens and patches.
  public var hasPositions = true
  /// What turns the queries and keys of patches; those of the tokens before them are not turned.
  public var rotary: PlaneRotary?
  /// What becomes of patches that an input masks.
  public var masking: PatchMasking
  /// What becomes of positions where a picture has another size than `image`.
  public var otherSizes = OtherSizes.none
  /// Whether pictures are read as lists of patches, each of its numbers row by row and pixel by pixel, with the rows and
  /// columns that each picture has of them: positions become a grid of these, by lines between neighbours, smoothed; what is
  /// listed behind them has the first position. Tschannen et al., arXiv 2502.14786, §2.4.
  public var isOfLists = false

  /// Describes embeddings.
  public init(
    channels: Int, image: [Int], patch: [Int], classTokens: Int = 1, registers: Int? = nil,
    hasPositions: Bool = true, rotary: PlaneRotary? = nil, masking: PatchMasking = .none
  ) {
    self.channels = channels
    (self.image, self.patch) = (image, patch)
    self.classTokens = classTokens
    self.registers = registers
    self.hasPositions = hasPositions
    self.rotary = rotary
    self.masking = masking
  }

  /// How many patches stand above each other, and side by side.
  public var grid: [Int] { zip(image, patch).map { $0 / $1 } }
  /// How many patches a picture has.
  public var patches: Int { grid.reduce(1, *) }
  /// The grid of pictures `[batch, channels, height, width]`.
  public func grid(of pictures: [Int]) -> [Int] {
    isOfLists
      ? [1, pictures.dropFirst().first ?? 0] : zip(pictures.suffix(2), patch).map { $0 / $1 }
  }
  /// The grid of the pictures that are read, if there are such.
  func grid(of inputs: ModelInputs) -> [Int] {
    inputs.numbers["pixel_values"].map { grid(of: $0.shape) } ?? grid
  }
  /// How many tokens stand before them.
  public var leading: Int { classTokens + (registers ?? 0) }
  /// How many tokens there are.
  public var tokens: Int { leading + patches }
}

/// What becomes of positions where a picture has another size than the config says.
public enum OtherSizes: Sendable, Equatable {
  /// There is no such picture.
  case none
  /// They are computed from the picture's own size.
  case computed
  /// The table becomes one of as many rows and columns as the picture has patches, by cubic convolution.
  ///
  /// - Parameter isSmoothed: whether of a table that becomes smaller more is read. See `resized`.
  case resized(isSmoothed: Bool)
}

/// What becomes of patches that an input masks.
public enum PatchMasking: Sendable, Equatable {
  /// No patch can be masked.
  case none
  /// A learned token stands for them.
  case token
  /// No patch can be masked, but files have the token.
  case unread
  /// Of each picture's patches, sorted by an input, the last ones are left out, this share of them; none without the input.
  /// He et al., arXiv 2111.06377, §3.
  case leavingOut(Double)
}

/// What a base model makes of a picture beside the states of all tokens, of the first one unless it says otherwise.
public enum ImagePooler: Sendable, Equatable {
  /// Its state as it is.
  case state
  /// A linear layer to that width, and an activation.
  case dense(width: Int, Activation)
  /// What a learned vector sees in the states of all, and a feed-forward network behind it. Zhai et al., arXiv
  /// 2106.04560, §3.3.
  case attention(AttentionShape, FeedForwardForm)
  /// The mean of the patches' states, normalised.
  case meanOfPatches
}

/// What stands on an encoder of pictures.
public enum ImageHead: Sendable, CaseIterable {
  case base
  case classification
  case classificationWithTeacher
  case maskedImage
  case maskedWords
  case pretraining
  case projection

  /// The classes of an architecture as Hugging Face usually names them: `…Model`, `…ForImageClassification`, …
  public static func classes(
    of prefix: String, _ heads: [ImageHead]
  ) -> [(name: String, head: ImageHead)] {
    heads.map { (prefix + $0.ending, $0) }
  }

  private var ending: String {
    switch self {
    case .base: "Model"
    case .classification: "ForImageClassification"
    case .classificationWithTeacher: "ForImageClassificationWithTeacher"
    case .maskedImage, .maskedWords: "ForMaskedImageModeling"
    case .pretraining: "ForPreTraining"
    case .projection: "ModelWithProjection"
    }
  }

  /// What the stored weights show.
  public init(isStored: (String) -> Bool) {
    if isStored("teacher_classifier.weight") {
      self = .classificationWithTeacher
    } else if isStored("classifier.weight") {
      self = .classification
    } else if isStored("picture_head.weight") {
      self = .maskedImage
    } else if isStored("lm_head.weight") {
      self = .maskedWords
    } else if isStored("decoder.prediction.weight") {
      self = .pretraining
    } else if isStored("visual_projection.weight") {
      self = .projection
    } else {
      self = .base
    }
  }
}

/// A head on an encoder of pictures, described.
public struct ImageHeadForm: Sendable, Equatable {
  /// What it is.
  public var task: ImageHead
  /// The number of labels.
  public var labels: Int
  /// What a picture is classified by.
  public var summary = Summary.first
  /// How many pixels high and wide what a head makes of each patch is.
  public var stride = 1
  /// How many words there are, one of which stands for each patch.
  public var words = 1
  /// The width of what a linear layer makes of a picture's summary.
  public var projection = 1

  /// Describes a head.
  public init(task: ImageHead, labels: Int, stride: Int = 1) {
    self.task = task
    self.labels = labels
    self.stride = stride
  }

  /// Whether the states of all tokens are outputs of the model.
  var givesStates: Bool { [.base, .projection].contains(task) }

  /// What a picture is classified by.
  public enum Summary: Sendable, Equatable {
    /// The first token.
    case first
    /// The first token, and behind it the mean of the patches.
    case firstAndPatches
    /// The mean of the patches.
    case patches
    /// What the pooler makes.
    case pooled
  }
}
