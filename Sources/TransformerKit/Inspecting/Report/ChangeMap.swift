import Kernels
import TensorCore

/// Where the changes between two checkpoints are: layer by layer, with what is the same in both.
public struct ChangeMap: Sendable {
  /// A layer that is in one of the checkpoints at least.
  public struct Layer: Sendable, Equatable {
    /// What comes before the layer's number: `encoder.blocks.`.
    public let stack: String
    /// The number.
    public let number: Int
    /// How many tensors it has.
    public internal(set) var count = 0
    /// How many of them are not the same in both.
    public internal(set) var changed = 0
    /// The elements of what changed, as far as they can be compared.
    fileprivate var difference: ElementDifference?

    /// ‖b − a‖ by ‖a‖, over what changed; `nil` if it is not known of any.
    public var relative: Double? { difference?.relativeNorm }
  }

  /// The tensors' roles; a member's index is its place in the list of entries.
  public let roles: [TensorRole]
  /// The layers, stack by stack.
  public let layers: [Layer]
  /// The layer's number of each change that is in one.
  public let layerOfChange: [Int: Int]
  private let total: Int
  private let changed: Int

  /// Puts the changes where they belong.
  public init(_ diff: CheckpointDiff) {
    roles = TensorRole.all(of: diff.entries.map(\.name))
    total = diff.entries.count
    changed = diff.changes.count
    var (order, layers): ([TensorName], [TensorName: Layer]) = ([], [:])
    var places: [Int: Int] = [:]
    for role in roles {
      for member in role.members {
        guard let number = member.layer else { continue }
        let key = TensorName("\(role.stack)\(number)")
        if layers[key] == nil { order.append(key) }
        var layer = layers[key] ?? Layer(stack: role.stack, number: number)
        layer.count += 1
        if let index = diff.entries[member.index].change {
          places[index] = number
          layer.add(diff.changes[index])
        }
        layers[key] = layer
      }
    }
    layerOfChange = places
    var stacks: [TensorName: Int] = [:]
    for key in order {
      let stack = TensorName(layers[key]?.stack ?? "")
      stacks[stack] = stacks[stack] ?? stacks.count
    }
    self.layers = order.compactMap { layers[$0] }.sorted { x, y in
      let (first, second) = (stacks[TensorName(x.stack)] ?? 0, stacks[TensorName(y.stack)] ?? 0)
      return first == second ? x.number < y.number : first < second
    }
  }

  // MARK: In a sentence

  /// Where most changes are: `most in layers 3 to 5`. `nil` if there is nothing to be said.
  public var place: String? {
    guard changed > 0, !layers.isEmpty else { return nil }
    let inLayers = layers.reduce(0) { $0 + $1.changed }
    if inLayers == 0 { return "none of them in a layer" }
    if Set(layers.map(\.changed)).count == 1 || layers.allSatisfy({ $0.changed == $0.count }) {
      return layers.count == 1 ? nil : "in all \(layers.count) layers"
    }
    let stacks = Dictionary(grouping: layers) { TensorName($0.stack) }
    let fullest = stacks.values.max { x, y in
      let (first, second) = (sum(x), sum(y))
      return first == second ? x[0].stack > y[0].stack : first < second
    }
    guard let fullest, let window = window(of: fullest) else {
      return "in \(layers.count { $0.changed > 0 }) of \(layers.count) layers"
    }
    let share = fullest[window].reduce(0) { $0 + $1.changed } == changed ? "all" : "most"
    let (first, last) = (fullest[window.lowerBound].number, fullest[window.upperBound].number)
    let of = stacks.count > 1 ? " of \(fullest[0].stack.dropLast())" : ""
    return first == last
      ? "\(share) in layer \(first)\(of)" : "\(share) in layers \(first) to \(last)\(of)"
  }

  private func sum(_ layers: [Layer]) -> Int { layers.reduce(0) { $0 + $1.changed } }

  /// The shortest run of layers that has four fifths of all changes, with its neighbours that changed too,
  /// if it is not more than half of the layers.
  private func window(of layers: [Layer]) -> ClosedRange<Int>? {
    let goal = (4 * changed + 4) / 5
    var (first, inside, best) = (0, 0, ClosedRange<Int>?.none)
    for last in layers.indices {
      inside += layers[last].changed
      while inside - layers[first].changed >= goal {
        inside -= layers[first].changed
        first += 1
      }
      if inside >= goal, last - first + 1 < best?.count ?? .max { best = first...last }
    }
    guard var run = best else { return nil }
    // Neighbours that changed belong to it.
    while run.lowerBound > 0, layers[run.lowerBound - 1].changed > 0 {
      run = run.lowerBound - 1...run.upperBound
    }
    while run.upperBound + 1 < layers.count, layers[run.upperBound + 1].changed > 0 {
      run = run.lowerBound...run.upperBound + 1
    }
    return 2 * run.count <= layers.count ? run : nil
  }

  /// `49 of 103 weights changed, most in layers 3 to 5`.
  ///
  /// - Parameter noun: what the tensors are called, in the plural.
  public func headline(_ diff: CheckpointDiff, noun: String) -> String {
    if diff.changes.isEmpty { return "All \(total) \(noun) are the same, bit for bit" }
    let kinds = Set(diff.changes.map(\.kind))
    let verb =
      switch kinds.count == 1 ? kinds.first : nil {
      case .changed: "changed"
      case .cast: "were cast"
      case .renamed: "were renamed"
      case .rearranged: "were rearranged"
      case .added: "are only in B"
      case .removed: "are only in A"
      case nil: "differ"
      }
    let amount = changed == total ? "All \(total)" : "\(changed) of \(total)"
    return "\(amount) \(noun) \(verb)" + (place.map { ", \($0)" } ?? "")
  }
}

extension ChangeMap.Layer {
  /// Adds a change.
  fileprivate mutating func add(_ change: TensorChange) {
    changed += 1
    guard let more = change.difference else { return }
    if difference == nil { difference = more } else { difference?.merge(more) }
  }
}
