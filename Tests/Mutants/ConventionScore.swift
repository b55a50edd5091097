import Containers
import Models
public import SystemPackage
import TensorCore
public import TransformerKit

/// What weights show of conventions, measured: on models as they are, of which none may be accused, and with mistakes
/// planted that shapes and names do not show.
public struct ConventionScore {
  /// A kind of mistake.
  public struct Row {
    /// The mistake.
    public let mistake: String
    /// In how many models it was planted.
    public var planted = 0
    /// In how many of these it was named.
    public var named = 0
  }

  /// The mistakes.
  public private(set) var rows: [Row] = []
  /// How many sound models there were, how many of them are unlike random ones, and which were accused.
  public private(set) var clean = 0
  public private(set) var trained = 0
  public private(set) var alarms: [String] = []

  /// Begins with no model.
  public init() {}

  /// Looks at a model as it is, and with mistakes.
  public mutating func add(_ folder: FilePath, name: String, options: OpenOptions) throws {
    let graph = try Model(folder, options: options).graph
    let sound = try Conventions(graph)
    clean += 1
    trained += sound.isTrained ? 1 : 0
    for finding in sound.contradictions {
      alarms.append("\(name): \(finding.place) \(finding.text)")
    }
    guard sound.isTrained else { return }
    let isOffset = graph.layers.values.contains { if case .gain(1) = $0 { true } else { false } }
    try plant(isOffset ? "1 added to gains twice" : "1 taken off gains", graph, "gains") {
      slot, own in
      slot.role == .normWeight ? own.mapped { $1 + (isOffset ? 1 : -1) } : nil
    }
    for part in ["query", "key", "value", "output"] {
      try plant("\(part) transposed", graph, "attention.\(part)") { slot, own in
        slot.path.hasSuffix(".attention.\(part).weight") && own.rows == own.columns
          ? own.gathered { ($1, $0) } : nil
      }
    }
  }

  private mutating func plant(
    _ mistake: String, _ graph: WeightGraph, _ place: String,
    _ change: (WeightSlot, Elements) throws -> Tensor?
  ) throws {
    var weights: [String: Tensor] = [:]
    for slot in graph.slots where slot.role != .embedding {
      guard let tensor = graph.tensor(at: slot.path), tensor.dtype.isComputable,
        slot.path.hasSuffix("weight"), slot.path.contains("norm") || slot.path.contains("attention")
      else { continue }
      if let changed = try change(slot, Elements(tensor)) { weights[slot.path] = changed }
    }
    if weights.isEmpty { return }
    let found = try Conventions(graph.replacing(weights)).contradictions
    let index = rows.firstIndex { $0.mistake == mistake } ?? rows.count
    if index == rows.count { rows.append(Row(mistake: mistake)) }
    rows[index].planted += 1
    rows[index].named += found.contains { $0.place.contains(place) } ? 1 : 0
  }
}
