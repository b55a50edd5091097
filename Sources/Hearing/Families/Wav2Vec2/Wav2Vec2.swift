import Kernels
public import Models
import TensorCore

extension Family {
  /// wav2vec 2.0, its members and their dialects.
  package static let wav2Vec2 = Family(
    members: [
      Wav2Vec2<PlainWav2Vec2>.self, Wav2Vec2<HuBERT>.self, Wav2Vec2<Wav2Vec2Conformer>.self,
      Wav2Vec2<WavLM>.self, Wav2Vec2BERT.self,
    ],
    soundProcessors: [.samples, .stackedLogMel],
    dialects: [
      .huggingFace(PlainWav2Vec2.self), .huggingFace(HuBERT.self),
      .huggingFace(Wav2Vec2Conformer.self), .huggingFace(WavLM.self), .huggingFaceWav2Vec2BERT,
    ])
}

/// What the members of the family differ in.
public protocol Wav2Vec2Member: Sendable {
  /// The config's `model_type`.
  static var name: String { get }
  /// What its classes' names begin with.
  static var prefix: String { get }
  /// What the base model is called in others: the beginning of tensors' names.
  static var base: String { get }
  /// Whether its blocks have convolutions.
  static var isConformer: Bool { get }
  /// Whether a config may leave out the normalisation of frames.
  static var mayLackFrameNorm: Bool { get }
  /// Whether the frames are an output.
  static var givesFeatures: Bool { get }
  /// Whether its blocks share biases for distances, of which each head of each makes more or less.
  static var hasDistances: Bool { get }
}

extension Wav2Vec2Member {
  public static var hasDistances: Bool { false }
}

/// wav2vec 2.0 itself. Baevski et al., arXiv 2006.11477.
public enum PlainWav2Vec2: Wav2Vec2Member {
  public static let name = "wav2vec2"
  public static let prefix = "Wav2Vec2"
  public static let base = "wav2vec2"
  public static let isConformer = false
  public static let mayLackFrameNorm = false
  public static let givesFeatures = true
}

/// HuBERT. Hsu et al., arXiv 2106.07447.
public enum HuBERT: Wav2Vec2Member {
  public static let name = "hubert"
  public static let prefix = "Hubert"
  public static let base = "hubert"
  public static let isConformer = false
  public static let mayLackFrameNorm = true
  public static let givesFeatures = false
}

/// wav2vec 2.0 of Conformer's blocks. Wang et al., arXiv 2010.05171 (fairseq S2T).
public enum Wav2Vec2Conformer: Wav2Vec2Member {
  public static let name = "wav2vec2-conformer"
  public static let prefix = "Wav2Vec2Conformer"
  public static let base = "wav2vec2_conformer"
  public static let isConformer = true
  public static let mayLackFrameNorm = false
  public static let givesFeatures = true
}

/// WavLM. Chen et al., arXiv 2110.13900.
public enum WavLM: Wav2Vec2Member {
  public static let name = "wavlm"
  public static let prefix = "WavLM"
  public static let base = "wavlm"
  public static let isConformer = false
  public static let mayLackFrameNorm = false
  public static let givesFeatures = true
  public static let hasDistances = true
}

/// A member of the family: convolutions over samples, and a Transformer or Conformer over the frames.
///
/// Names of heads, defaults and outputs are those of Hugging Face (models/wav2vec2/modeling_wav2vec2.py,
/// models/hubert/modeling_hubert.py, models/wav2vec2_conformer/modeling_wav2vec2_conformer.py,
/// models/wavlm/modeling_wavlm.py, 5.x).
public struct Wav2Vec2<Member: Wav2Vec2Member>: SoundEncoder {
  public static var name: String { Member.name }
  public static var classes: [(name: String, head: SoundHead)] {
    SoundHead.classes(of: Member.prefix)
  }

  public let form: SoundEncoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let width = config.count("hidden_size", default: 768, on: .weights)
    let layers = config.count(
      "num_hidden_layers", default: 12, limit: ConfigReader.mostLayers, on: .weights)
    let heads = config.count("num_attention_heads", default: 12, on: .outputs(as: "heads"))
    let feedForward = FeedForwardForm(
      hidden: config.count("intermediate_size", default: 3072, on: .weights),
      activation: config.activation("hidden_act", default: .gelu))
    let norm = NormForm.layer(epsilon: config.epsilon("layer_norm_eps", default: 1e-5))
    let samples = config.samples(norm: norm, mayLackNorm: Member.mayLackFrameNorm)
    let convolution = config.positionConvolution(width: width, samples.activation)
    let shape = AttentionShape(heads: heads, headSize: max(1, width / max(1, heads)))
    let positions: FramePositions =
      Member.isConformer
      ? config.conformerPositions([.relative, .rotary], default: .relative, shape) : .convolution
    let distances = Member.hasDistances ? config.frameDistances(heads: heads) : nil
    let isStable =
      Member.isConformer ? false : config.flag("do_stable_layer_norm", default: false)
    var block: SoundBlock
    if Member.isConformer {
      block = .conformer(
        ConformerForm(
          shape: shape, feedForward: feedForward,
          convolution: .init(
            kernel: config.depthwiseKernel("conv_depthwise_kernel_size", default: 31),
            activation: feedForward.activation),
          norm: .layer(epsilon: 1e-5)))
    } else {
      var form = BlockForm(
        attention: SelfAttentionForm(
          shape: shape, hasDistanceBias: Member.hasDistances, seesAhead: true),
        feedForward: feedForward, arrangement: isStable ? .normBefore : .normAfter, norm: norm)
      form.attention.mask = SoundEncoderForm.frames
      form.attention.gatesDistanceBias = Member.hasDistances
      block = .transformer(form)
    }
    form = SoundEncoderForm(
      width: width, source: .samples(samples), positions: positions, convolution: convolution,
      distances: distances, blocks: Array(repeating: block, count: layers),
      normsFirst: !Member.isConformer && !isStable, norm: norm,
      givesFeatures: Member.givesFeatures,
      head: config.soundHead(Self.classes, projection: 256, isStored: isStored))
    config.rejectUndivided(width, "hidden_size", by: heads, "num_attention_heads")
    config.refuseFurtherParts()
    config.disregard(ConfigReader.ofTraining)
  }
}

extension ConfigReader {
  /// The convolutions over samples.
  fileprivate mutating func samples(norm: NormForm, mayLackNorm: Bool) -> SampleForm {
    let widths = counts(
      "conv_dim", default: [512, 512, 512, 512, 512, 512, 512], limit: 1 << 20, on: .weights)
    let strides = counts(
      "conv_stride", default: [5, 2, 2, 2, 2, 2, 2], limit: 1 << 10, on: .outputs)
    let kernels = counts(
      "conv_kernel", default: [10, 3, 3, 3, 3, 2, 2], limit: 1 << 10, on: .weights)
    if widths.count != strides.count || widths.count != kernels.count {
      reject("conv_dim, conv_stride and conv_kernel must be lists of the same length")
    }
    let layers = zip(widths, zip(kernels, strides)).map { width, rest in
      SampleForm.Layer(width: width, kernel: rest.0, stride: rest.1)
    }
    let normalization = choice("feat_extract_norm", default: SampleForm.Normalization.group)
    let hasNorm = mayLackNorm ? flag("feat_proj_layer_norm", default: true, on: .weights) : true
    return SampleForm(
      layers: layers, normalization: normalization,
      hasBias: flag("conv_bias", default: false, on: .weights),
      activation: activation("feat_extract_activation", default: .gelu, on: .outputs),
      norm: hasNorm ? norm : nil)
  }

  /// The convolution that adds positions.
  fileprivate mutating func positionConvolution(
    width: Int, _ activation: Activation
  ) -> PositionConvolution {
    let kernel = count("num_conv_pos_embeddings", default: 128, limit: 1 << 16, on: .weights)
    let groups = count("num_conv_pos_embedding_groups", default: 16, on: .weights)
    rejectUndivided(width, "hidden_size", by: groups, "num_conv_pos_embedding_groups")
    return PositionConvolution(kernel: kernel, groups: max(1, groups), activation: activation)
  }

  /// The biases for distances that blocks share.
  fileprivate mutating func frameDistances(heads: Int) -> FrameDistances {
    let buckets = count("num_buckets", default: 320, limit: 1 << 20, on: .weights)
    let farthest = count("max_bucket_distance", default: 800, limit: 1 << 30)
    if buckets < 4 || farthest <= buckets / 4 {
      reject("max_bucket_distance \(farthest) must be above a quarter of num_buckets \(buckets)")
    }
    return FrameDistances(buckets: buckets, farthest: farthest, heads: heads)
  }

  /// How many frames a block's convolution sees.
  mutating func depthwiseKernel(_ key: String, default standard: Int) -> Int {
    let kernel = count(key, default: standard, limit: 1 << 16, on: .weights)
    if kernel.isMultiple(of: 2) { reject("\(key) must be odd") }
    return kernel
  }

  /// How blocks with convolutions see where something is.
  enum PositionKind: String, CaseIterable {
    case relative
    case rotary
    case near = "relative_key"
  }

  /// How such blocks see it, and what they must be told for it.
  ///
  /// - Parameter kinds: those that the architecture has.
  mutating func conformerPositions(
    _ kinds: [PositionKind], default standard: PositionKind, _ shape: AttentionShape
  ) -> FramePositions {
    disregard(["max_source_positions"])
    let kind =
      isNull("position_embeddings_type")
      ? nil : choice("position_embeddings_type", default: standard)
    if let kind, !kinds.contains(kind) {
      refuse("position_embeddings_type \"\(kind.rawValue)\" is not supported")
    }
    if kind != .rotary { disregard(["rotary_embedding_base"]) }
    if kind != .near, kinds.contains(.near) {
      disregard(["left_max_position_embeddings", "right_max_position_embeddings"])
    }
    switch kind {
    case nil: return .none
    case .relative: return .relative
    case .near:
      return .near(
        before: count("left_max_position_embeddings", default: 64, limit: 1 << 20, minimum: 0),
        after: count("right_max_position_embeddings", default: 8, limit: 1 << 20, minimum: 0))
    case .rotary:
      let base = positive("rotary_embedding_base", default: 10_000)
      if !shape.headSize.isMultiple(of: 2) {
        reject("a head of \(shape.headSize) numbers cannot be turned in halves")
      }
      return .rotary(RotarySettings(size: shape.headSize, base: base))
    }
  }

  /// The class, its labels or characters.
  ///
  /// - Parameter projection: the usual width of what is classified.
  mutating func soundHead(
    _ classes: [(name: String, head: SoundHead)], projection: Int, isStored: (String) -> Bool
  ) -> SoundHeadForm {
    let task = head(classes) {
      isStored("lm_head.weight")
        ? .characters : isStored("classifier.weight") ? .classification : .base
    }
    let characters =
      optionalCount(
        "vocab_size", default: 32, on: task == .characters ? .weights : .nothing) ?? 32
    let labels = labelCount()
    let bearing: ConfigFact.Bearing = task == .classification ? .weights : .nothing
    let classification = SoundClassification(
      projection: count("classifier_proj_size", default: projection, on: bearing),
      sumsStates: flag("use_weighted_layer_sum", default: false, on: bearing))
    return SoundHeadForm(
      task: task, labels: task == .characters ? characters : labels,
      blank: token("pad_token_id", default: 0, on: .nothing) ?? 0, classification: classification)
  }

  /// Refuses layers that are not there.
  mutating func refuseFurtherParts() {
    if flag("add_adapter", default: false) {
      refuse("add_adapter is true: convolutions behind the encoder are not supported")
    }
    if flag("conv_pos_batch_norm", default: false) {
      refuse("conv_pos_batch_norm is true: it is not supported")
    }
    if !isNull("adapter_attn_dim"), present("adapter_attn_dim") != nil {
      refuse("adapter_attn_dim is given: adapters of languages are not supported")
    }
  }

  /// Settings of training and of heads that are not supported.
  static let ofTraining = [
    "activation_dropout", "adapter_attn_dim", "adapter_kernel_size", "adapter_stride",
    "apply_spec_augment", "codevector_dim", "conformer_conv_dropout",
    "contrastive_logits_temperature", "ctc_loss_reduction", "ctc_zero_infinity",
    "diversity_loss_weight", "feat_extract_dropout", "feat_proj_dropout",
    "feat_quantizer_dropout", "final_dropout", "layerdrop", "mask_channel_length",
    "mask_channel_min_space", "mask_channel_other", "mask_channel_prob",
    "mask_channel_selection", "mask_feature_length", "mask_feature_min_masks",
    "mask_feature_prob", "mask_time_length", "mask_time_min_masks", "mask_time_min_space",
    "mask_time_other", "mask_time_prob", "mask_time_selection", "num_adapter_layers",
    "num_codevector_groups", "num_codevectors_per_group", "num_ctc_classes",
    "num_feat_extract_layers",
    "num_negatives", "output_hidden_size", "proj_codevector_dim", "tdnn_dilation", "tdnn_dim",
    "tdnn_kernel", "xvector_output_dim",
  ]
}
