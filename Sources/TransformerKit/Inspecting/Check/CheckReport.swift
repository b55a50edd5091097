public import Containers
public import TensorCore

/// What is wrong with a checkpoint, in groups.
public struct CheckReport: Sendable {
  /// What a fault is about.
  public enum Group: String, Sendable, CaseIterable {
    case structure
    case config
    case weights
    case values
    case ties
    case duplicates
    case types
    case conventions
    case base
  }

  /// Something that is wrong, or that is worth knowing.
  public struct Finding: Equatable, Sendable {
    /// What it is about.
    public let group: Group
    /// The tensor, or the weight's path, if it is about a single one.
    public let tensor: TensorName?
    /// What is so, as a predicate of the tensor.
    public let text: String
  }

  /// What is wrong.
  public internal(set) var faults: [Finding] = []
  /// What is not wrong, but may surprise.
  public internal(set) var notes: [Finding] = []
  /// The model that the checkpoint was held against: architecture, head and dialect.
  public internal(set) var model: String?
  /// Weights that are decoded, and no tensors of the checkpoint: their type is that of their codec.
  var decoded: Set<TensorName> = []
  /// Files with weights that lie beside the checkpoint, and are no part of it.
  public internal(set) var beside: [Surroundings.Item] = []
  /// How many tensors were read.
  public internal(set) var tensorCount = 0
  /// Whether the files could be read at all.
  public internal(set) var isReadable = true

  /// What an error itself advises, where that says more than its group.
  private var ownAdvice: [Group: String] = [:]

  init() {}

  /// Whether some fault is of a file's bytes.
  private var isDamaged = false

  /// What to do about the faults of a group, if there is something to be said.
  public func advice(on group: Group) -> String? {
    if let own = ownAdvice[group] { return own }
    return group == .structure && !isDamaged ? nil : group.advice
  }

  mutating func take(adviceOf error: CheckpointError, on group: Group) {
    if let advice = error.advice { ownAdvice[group] = advice }
  }

  /// Adds a fault of a file, with all that it consists of.
  mutating func add(
    _ fault: CheckpointError, to group: Group = .structure, of tensor: TensorName? = nil
  ) {
    isDamaged = isDamaged || group == .structure && fault.isDamage
    if fault.details.isEmpty { add(group, tensor, fault.description) }
    for detail in fault.details { add(group, nil, detail) }
  }

  mutating func add(_ group: Group, _ tensor: TensorName?, _ text: String) {
    faults.append(Finding(group: group, tensor: tensor, text: text))
  }

  mutating func note(_ group: Group, _ tensor: TensorName?, _ text: String) {
    notes.append(Finding(group: group, tensor: tensor, text: text))
  }
}

extension CheckpointError {
  /// Whether bytes of a file are not what they must be, so that another copy may be whole.
  fileprivate var isDamage: Bool {
    switch problem {
    case .malformed: offset != nil
    case .truncated, .sizeMismatch, .overflow, .duplicate, .checksum, .changedWhileRead: true
    case .missing, .limitExceeded, .system, .unsupported, .refused: false
    }
  }
}

extension CheckReport.Group {
  /// What the group is about, as a heading.
  public var title: String {
    switch self {
    case .structure: "files that do not hold together"
    case .config: "a config that cannot be"
    case .weights: "tensors that do not fit the model of the config"
    case .values: "values that no trained weight has"
    case .ties: "weights that should be the same, and are not"
    case .duplicates: "weights that are there twice"
    case .types: "types that do not match"
    case .conventions: "what values say otherwise than config and dialect"
    case .base: "what the base has otherwise"
    }
  }

  /// What to do about its faults.
  public var advice: String {
    switch self {
    case .structure: "the file is damaged or was not written completely: fetch or write it again"
    case .config: "mend the config, or pass another one with --config"
    case .weights:
      "if the config is that of another model, pass the right one with --config; otherwise the file"
        + " was saved from another model, or renamed wrongly"
    case .values: "compare with the original (tfinspect diff); training may have diverged"
    case .ties: "set tie_word_embeddings to false if both are meant, else save them as one again"
    case .duplicates:
      "a conversion or a merge may have copied one layer over another: compare with the original"
    case .types:
      "cast the model to one type (tfconvert --dtype), or see which tool wrote the others"
    case .conventions:
      "the weights were converted by other conventions than those of the config's family: compare with the original"
    case .base:
      "convert or save it again from the base; tfinspect diff BASE SRC shows every weight"
    }
  }
}
