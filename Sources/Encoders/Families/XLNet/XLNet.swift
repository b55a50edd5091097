import Kernels
public import Models
import TensorCore

extension Family {
  /// XLNet and its dialects.
  package static let xlnet = Family(
    members: [XLNet.self], configNames: ["xlnet_config.json"], tokenizers: [.xlnet],
    dialects: [.huggingFaceXLNet, .zihangdaiXLNet])
}

/// XLNet: a Transformer with post-normalisation and relative positions, of two streams: one of what is at each
/// position, and one that is to predict it and does not see it. Memories of earlier texts stand before a text.
///
/// Yang et al.: "XLNet", arXiv 1906.08237, §2. Names of heads, defaults, inputs and outputs are those of Hugging Face
/// (models/xlnet/modeling_xlnet.py, 5.x).
public struct XLNet: Architecture {
  public static let name = "xlnet"

  /// Which keys a query may see.
  enum Direction: String, CaseIterable {
    /// All.
    case both = "bi"
    /// Those before it.
    case forwards = "uni"
  }

  let vocabulary: Int
  let width: Int
  let layers: Int
  let heads: Int
  let feedForwardWidth: Int
  let activation: Activation
  let norm: NormForm
  let direction: Direction
  /// Whether all queries of a text that sees only what is before it see as many keys.
  let hasSameLength: Bool
  /// Whether the second half of a batch is read backwards.
  let hasBackwardHalf: Bool
  /// The largest distance; `nil` for any.
  let longest: Int?
  let memory: MemoryForm?
  let isTied: Bool
  let endTokens: [Int]
  let padToken: Int?
  let labels: Int
  let task: XLNetHead
  let summary: XLNetSummary

  public var head: String { task.rawValue }

  public var dimensions: [String: Int] { ["head_size": headSize] }

  public var hiddenWidth: Int? { width }

  var headSize: Int { max(1, width / heads) }

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    vocabulary = config.count("vocab_size", or: "n_token", default: 32000, on: .weights)
    width = config.count("d_model", or: "hidden_size", default: 1024, on: .weights)
    layers = config.count(
      "n_layer", or: "num_hidden_layers", default: 24, limit: ConfigReader.mostLayers, minimum: 0,
      on: .weights)
    heads = config.count(
      "n_head", or: "num_attention_heads", default: 16, on: .outputs(as: "heads"))
    feedForwardWidth = config.count("d_inner", default: 4096, on: .weights)
    activation = config.activation("ff_activation", default: .gelu)
    norm = .layer(epsilon: config.epsilon("layer_norm_eps", default: 1e-12))
    direction = config.choice("attn_type", default: .both)
    hasSameLength = config.flag(
      "same_length", default: false, on: direction == .forwards ? .outputs : .nothing)
    hasBackwardHalf = config.flag("bi_data", default: false)
    let longest = config.count("clamp_len", default: -1, minimum: -1)
    self.longest = longest > 0 ? longest : nil
    memory = config.memoryForm()
    isTied = config.flag("tie_word_embeddings", default: true, on: .weights)
    endTokens = config.tokens("eos_token_id", default: [2], on: .nothing)
    padToken = config.token("pad_token_id", default: 5, on: .nothing)
    labels = config.labelCount()
    task = config.head { XLNetHead(isStored: isStored) }
    summary = config.textSummary(isRead: task.isOfTexts)
    config.disregard(Self.withoutEffect)
    checkConsistency(&config)
  }

  private func checkConsistency(_ config: inout ConfigReader) {
    let size = config.optionalCount("d_head", default: headSize, on: .nothing)
    config.rejectUndivided(width, "d_model", by: heads, "n_head")
    // Defaults that stand in for faulty values would only bring more faults.
    guard config.faults.isEmpty else { return }
    if let size, size != headSize {
      config.reject("d_head \(size) is not d_model / n_head, \(headSize)")
    }
    if !width.isMultiple(of: 2) {
      config.reject("d_model \(width) is odd; half of a position's vector are sines")
    }
    if task == .questionAnsweringSimple && labels != 2 {
      config.reject("question answering has 2 labels, the config has \(labels)")
    }
  }

  /// Settings of training, of a search for answers, and of files of the original code.
  private static let withoutEffect = [
    "dropout", "end_n_top", "init", "init_range", "init_std", "max_position_embeddings",
    "start_n_top", "summary_first_dropout", "summary_last_dropout", "untie_r", "use_mems_train",
  ]
}

/// What is remembered of a text for the next one.
struct MemoryForm: Sendable, Equatable {
  /// How many positions are, memories included; `nil` for all.
  let length: Int?
  /// How many positions of a text are; `nil` for all.
  let reused: Int?
}

extension ConfigReader {
  /// What is remembered of a text, which is given with the hidden states.
  fileprivate mutating func memoryForm() -> MemoryForm? {
    let length = optionalCount("mem_len", default: 512, minimum: 0) ?? 0
    let reused = optionalCount("reuse_len", minimum: 0) ?? 0
    guard flag("use_mems_eval", default: true) else { return nil }
    return MemoryForm(length: length > 0 ? length : nil, reused: reused > 0 ? reused : nil)
  }

  /// What a text is classified by.
  fileprivate mutating func textSummary(isRead: Bool) -> XLNetSummary {
    func bearing(_ name: String) -> ConfigFact.Bearing { isRead ? .outputs(as: name) : .nothing }
    require(
      "summary_proj_to_labels", false,
      otherwise: "a summary as wide as there are labels (summary_proj_to_labels) is not supported")
    return XLNetSummary(
      place: choice("summary_type", default: .last, on: bearing("summary")),
      hasLayer: flag("summary_use_proj", default: true, on: .weights),
      activation: activation(
        "summary_activation", default: isNull("summary_activation") ? .linear : .tanh,
        meaning: ["": .linear], on: bearing("head activation"), mayBeNull: true))
  }
}
