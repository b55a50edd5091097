public import Kernels
import TensorCore

/// A step from the hidden states of a text to the one vector that stands for it, as sentence-transformers makes it
/// (modules/, 6.2).
public enum SentenceModule: Sendable, Equatable {
  /// One vector of those of all positions.
  case pooling(PoolingForm)
  /// A linear layer and an activation.
  case dense(DenseForm)
  /// A layer normalisation (torch's epsilon, 1e-5).
  case layerNorm(width: Int)
  /// The vector divided by its length.
  case normalize
  /// Nothing, but in training.
  case dropout
}

/// How the vectors of positions become one.
public struct PoolingForm: Sendable, Equatable {
  /// A vector of a text.
  public enum Mode: String, Sendable, CaseIterable {
    /// That of its first position.
    case first = "cls"
    /// For each number the largest.
    case largest = "max"
    /// The mean.
    case mean
    /// The sum, divided by the root of how many there are.
    case meanByRoot = "mean_sqrt_len_tokens"
    /// The mean in which the n-th position counts n times.
    case weightedMean = "weightedmean"
    /// That of its last position.
    case last = "lasttoken"

    /// The key of configs from before sentence-transformers 5.5 that says whether there is this one.
    fileprivate var flag: String {
      switch self {
      case .first: "pooling_mode_cls_token"
      case .largest: "pooling_mode_max_tokens"
      case .mean: "pooling_mode_mean_tokens"
      case .meanByRoot: "pooling_mode_mean_sqrt_len_tokens"
      case .weightedMean: "pooling_mode_weightedmean_tokens"
      case .last: "pooling_mode_lasttoken"
      }
    }
  }

  /// The width of the hidden states.
  public let width: Int
  /// The vectors that are put one behind the other.
  public let modes: [Mode]
  /// Whether the positions of a prompt count.
  public let includesPrompt: Bool

  init(_ reader: inout ConfigReader) {
    if !reader.has("embedding_dimension"), !reader.has("word_embedding_dimension") {
      reader.reject("embedding_dimension is missing")
    }
    width = reader.count("embedding_dimension", or: "word_embedding_dimension", default: 1)
    modes = reader.poolingModes()
    includesPrompt = reader.flag("include_prompt", default: true)
  }
}

extension ConfigReader {
  fileprivate mutating func poolingModes() -> [PoolingForm.Mode] {
    let all = PoolingForm.Mode.allCases
    guard has("pooling_mode") else {
      let chosen = all.filter { flag($0.flag, default: false) }
      return chosen.isEmpty ? [.mean] : chosen
    }
    let known = all.map(\.rawValue).joined(separator: ", ")
    return fact(
      "pooling_mode", .other, on: .outputs, default: [.mean],
      json: { .array($0.map { .string($0.rawValue) }) }
    ) { value in
      let names = value.string.map { [$0] } ?? value.elements?.compactMap(\.string) ?? []
      guard !names.isEmpty, names.count <= 16, names.count == value.elements?.count ?? 1 else {
        return .fault("must be a name or a list of names, is \(value.text())")
      }
      let modes = names.compactMap { PoolingForm.Mode(rawValue: $0) }
      guard modes.count == names.count else {
        return .unsupported("pooling_mode \(value.text()) is not known; known are \(known)")
      }
      return .value(modes)
    }
  }
}

/// A linear layer and what is applied to it.
public struct DenseForm: Sendable, Equatable {
  /// The width of what it reads.
  public let inputs: Int
  /// The width of what it gives.
  public let outputs: Int
  /// Whether it has a bias.
  public let hasBias: Bool
  /// What is applied.
  public let activation: Activation
  /// Whether what it reads is added to what it gives; where widths differ, as a linear layer makes it.
  public let addsInput: Bool

  init(_ reader: inout ConfigReader) {
    for key in ["in_features", "out_features"] where !reader.has(key) {
      reader.reject("\(key) is missing")
    }
    inputs = reader.count("in_features", default: 1)
    outputs = reader.count("out_features", default: 1)
    hasBias = reader.flag("bias", default: true)
    activation = reader.torchActivation("activation_function")
    addsInput = reader.flag("use_residual", default: false)
    reader.requireSentence()
  }

  /// The classes of torch.nn without settings, and what they compute.
  fileprivate static let activations: [String: Activation] = [
    "Tanh": .tanh, "Identity": .linear, "ReLU": .relu, "GELU": .gelu, "SiLU": .silu,
    "Sigmoid": .sigmoid, "LeakyReLU": .leakyReLU, "Mish": .mish, "ReLU6": .relu6,
    "Hardswish": .hardSwish,
  ]
}

extension ConfigReader {
  /// The class of torch.nn that is applied; tanh if none is named.
  fileprivate mutating func torchActivation(_ key: String) -> Activation {
    fact(key, .other, on: .outputs, default: .tanh, json: { .string($0.rawValue) }) { value in
      guard let name = value.string else { return .fault("must be a string, is \(value.text())") }
      let last = name.split(separator: ".").last.map(String.init) ?? ""
      guard name.hasPrefix("torch.nn."), let activation = DenseForm.activations[last] else {
        return .unsupported("\(key) \"\(name)\" is not known")
      }
      return .value(activation)
    }
  }

  /// That a module reads the text's vector, and sets it.
  mutating func requireSentence() {
    require("module_input_name", "sentence_embedding")
    require("module_output_name", "sentence_embedding")
  }
}

extension SentenceModule {
  /// The module in words: `mean of 384`, `dense 384 → 128 tanh`.
  public var text: String {
    switch self {
    case .pooling(let form):
      "pooling \(form.modes.map(\.rawValue).joined(separator: " and ")) of \(form.width)"
        + (form.includesPrompt ? "" : ", without the prompt")
    case .dense(let form):
      "dense \(form.inputs) → \(form.outputs), \(form.activation.rawValue)"
        + (form.hasBias ? "" : ", without bias") + (form.addsInput ? ", added to its input" : "")
    case .layerNorm(let width): "layer normalisation of \(width)"
    case .normalize: "normalised to length 1"
    case .dropout: "dropout, without effect"
    }
  }

  /// What outputs depend on and shapes do not show, for the model's id; `nil` if there is nothing.
  var mathematics: String? {
    switch self {
    case .pooling(let form):
      "pooling " + form.modes.map(\.rawValue).joined(separator: ",")
        + (form.includesPrompt ? "" : " without prompt")
    case .dense(let form): "dense \(form.activation.rawValue)" + (form.addsInput ? " residual" : "")
    case .layerNorm: "layer_norm 1e-05"
    case .normalize: "normalize"
    case .dropout: nil
    }
  }

  /// The width of what it reads, if that is fixed.
  var inputs: Int? {
    switch self {
    case .pooling(let form): form.width
    case .dense(let form): form.inputs
    case .layerNorm(let width): width
    case .normalize, .dropout: nil
    }
  }

  /// The width of what it gives, if it is not that of what it reads.
  var outputs: Int? {
    switch self {
    case .pooling(let form): form.width.multipliedReportingOverflow(by: form.modes.count).0
    case .dense(let form): form.outputs
    case .layerNorm, .normalize, .dropout: nil
    }
  }
}
