import Kernels
public import Models
import TensorCore

extension Family {
  /// Swin, its second version, and their dialects.
  package static let swin = Family(
    members: [Swin<FirstSwin>.self, Swin<SecondSwin>.self],
    configNames: ["config.json"],
    dialects: [
      .huggingFace(FirstSwin.self), .timm(FirstSwin.self), .authors(FirstSwin.self),
      .huggingFace(SecondSwin.self), .timm(SecondSwin.self), .authors(SecondSwin.self),
    ])
}

/// What members of the family differ in.
public protocol SwinMember: Sendable {
  /// The config's `model_type`, and what names of tensors begin with.
  static var name: String { get }
  /// What classes begin with.
  static var prefix: String { get }
  /// Whether layers' results are normalised, and not what they read, and places are a network's.
  static var isSecond: Bool { get }
}

/// Liu et al.: "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows", arXiv 2103.14030.
public enum FirstSwin: SwinMember {
  public static let name = "swin"
  public static let prefix = "Swin"
  public static let isSecond = false
}

/// Liu et al.: "Swin Transformer V2: Scaling Up Capacity and Resolution", arXiv 2111.09883.
public enum SecondSwin: SwinMember {
  public static let name = "swinv2"
  public static let prefix = "Swinv2"
  public static let isSecond = true
}

/// Swin: patches of a picture see each other within windows, every other time within shifted ones, and after each stage
/// four neighbours become one.
///
/// Names of heads, defaults and outputs are those of Hugging Face (models/swin, models/swinv2, 5.x); its
/// `reshaped_hidden_states` are its hidden states in another order, and are not given.
public struct Swin<Member: SwinMember>: Architecture {
  public static var name: String { Member.name }
  static var classes: [(name: String, head: ImageHead)] {
    ImageHead.classes(of: Member.prefix, [.base, .classification, .maskedImage])
  }

  let form: SwinForm

  public var head: String {
    Self.classes.first { $0.head == form.head.task }?.name ?? Self.name
  }

  public var hiddenWidth: Int? { form.levels.last?.width }

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    config.disregard([
      "attention_probs_dropout_prob", "hidden_dropout_prob", "drop_path_rate", "hidden_size",
      "num_layers", "out_features", "out_indices", "stage_names", "path_norm",
    ])
    let channels = config.count("num_channels", default: 3, limit: 1 << 20, on: .weights)
    let image = config.extents("image_size", default: 224, on: .outputs(as: "image"))
    let patch = config.extents("patch_size", default: 4, on: .weights)
    let width = config.count("embed_dim", default: 96, on: .weights)
    let depths = config.counts("depths", default: [2, 2, 6, 2], limit: 1 << 10, on: .weights)
    let heads = config.counts(
      "num_heads", default: [3, 6, 12, 24], limit: 1 << 16, on: .outputs(as: "heads"))
    let window = config.count(
      "window_size", default: 7, limit: 1 << 9, on: Member.isSecond ? .outputs : .weights)
    let ratio = config.positive("mlp_ratio", default: 4, on: .weights)
    let hasBias = config.flag("qkv_bias", default: true, on: .weights)
    let activation = config.activation("hidden_act", default: .gelu)
    let epsilon = config.epsilon("layer_norm_eps", default: 1e-5)
    let hasPositions = config.flag("use_absolute_embeddings", default: false, on: .weights)
    let trained =
      Member.isSecond
      ? config.counts(
        "pretrained_window_sizes", default: [0, 0, 0, 0], limit: 1 << 16, minimum: 0, on: .outputs)
      : []
    var head = config.imageHead(Self.classes, isStored: isStored)
    let isMasked = head.task == .maskedImage
    head.stride = config.count(
      "encoder_stride", default: 32, limit: 1 << 16, on: isMasked ? .weights : .nothing)
    form = SwinForm(
      channels: channels, image: image, patch: patch, hasPositions: hasPositions,
      epsilon: epsilon, isSecond: Member.isSecond, head: head,
      levels: Self.levels(
        &config, width: width, depths: depths, heads: heads, trained: trained, window: window,
        ratio: ratio, hasBias: hasBias, activation: activation,
        image: image, patch: patch))
    guard config.faults.isEmpty else { return }
    let whole = zip(image, patch).allSatisfy { $0.isMultiple(of: $1) }
    if hasPositions, Member.isSecond || !whole {
      config.refuse(
        "use_absolute_embeddings, which fit the patches only of the first version, and of pictures of"
          + " whole patches")
    }
    if isMasked, let last = form.levels.last, last.rows != last.columns {
      config.refuse("masked pictures that are not as high as wide are not supported")
    }
    if isMasked, !whole {
      config.refuse("masked pictures that are not of whole patches are not supported")
    }
  }

  /// The stages in order, if the config says such.
  private static func levels(
    _ config: inout ConfigReader, width: Int, depths: [Int], heads: [Int], trained: [Int],
    window: Int, ratio: Double, hasBias: Bool, activation: Activation, image: [Int], patch: [Int]
  ) -> [SwinLevel] {
    guard config.faults.isEmpty else { return [] }
    guard heads.count >= depths.count, !Member.isSecond || trained.count >= depths.count else {
      config.reject("num_heads and pretrained_window_sizes must have a number for each of depths")
      return []
    }
    var levels: [SwinLevel] = []
    var (rows, columns) = (
      (image[0] + patch[0] - 1) / patch[0], (image[1] + patch[1] - 1) / patch[1]
    )
    for (index, depth) in depths.enumerated() {
      let (own, overflow) = width.multipliedReportingOverflow(by: 1 << min(index, 40))
      let hidden = Double(own) * ratio
      guard index < 32, !overflow, own <= 1 << 24, hidden >= 1, hidden <= Double(1 << 40) else {
        config.reject("depths, embed_dim and mlp_ratio give layers that are too large, or empty")
        return []
      }
      guard own.isMultiple(of: heads[index]) else {
        config.reject(
          "the width \(own) of stage \(index) is not divisible by its \(heads[index]) heads")
        return []
      }
      var stage = SwinLevel(
        width: own, depth: depth, heads: heads[index], rows: rows, columns: columns,
        window: window, hidden: Int(hidden), hasBias: hasBias, activation: activation,
        trained: trained.isEmpty ? 0 : trained[index])
      if Member.isSecond {
        // Rows that are halved without what is left over decide it.
        let height = (image[0] / patch[0]) >> index
        stage.window = max(1, min(window, height))
        stage.isShifted = height > stage.window
        if stage.trained == 1 { config.reject("pretrained_window_sizes must be 0, or at least 2") }
        if height == 0 { config.refuse("stage \(index) has no patches") }
      } else {
        stage.isShifted = min(rows, columns) > window
        if min(rows, columns) < window {
          config.refuse(
            "window_size \(window) is larger than the \(rows) × \(columns) patches of stage \(index)"
          )
        }
      }
      levels.append(stage)
      (rows, columns) = ((rows + 1) / 2, (columns + 1) / 2)
    }
    return levels
  }
}
