public import TensorCore
public import TransformerKit

/// What an adapter is, in words and as JSON.
public struct AdapterText {
  private let adapter: Adapter
  private var config: AdapterConfig { adapter.config }

  /// - Parameter adapter: the adapter.
  public init(_ adapter: Adapter) {
    self.adapter = adapter
  }

  /// The kind: `DoRA`, `LoRA with rank-stabilised scales`.
  private var kind: String {
    guard config.isLoRA else { return config.method }
    return (config.isWeightDecomposed ? "DoRA" : "LoRA")
      + (config.isRankStabilized ? " with rank-stabilised scales" : "")
  }

  /// `LoRA of rank 8, scale 2`; several are a range.
  public var summary: String {
    guard config.isLoRA, !adapter.modules.isEmpty else { return kind }
    return "\(kind) of \(ranks), \(scales)"
  }

  private var ranks: String {
    let ranks = adapter.modules.map(\.rank)
    guard let least = ranks.min(), let most = ranks.max() else { return "no rank" }
    return least == most ? "rank \(least)" : "ranks \(least) to \(most)"
  }

  private var scales: String {
    let scales = adapter.modules.map(\.scale)
    guard let least = scales.min(), let most = scales.max() else { return "no scale" }
    return least == most
      ? "scale \(describe(number: least, digits: 6))"
      : "scales \(describe(number: least, digits: 6)) to \(describe(number: most, digits: 6))"
  }

  /// The modules that it changes by the last part of their names, and how many of each: `q_proj 12, v_proj 12`.
  private var targets: String { counted(adapter.modules.map(\.path)) }

  /// The names of the tensors that take the place of the base's.
  private var saved: String { counted(adapter.saved.map(\.name.text)) }

  private func counted(_ paths: [String]) -> String {
    let names = paths.map { path in
      // Of a tensor, the module's name and its own.
      let parts = path.split(separator: ".")
      let count = ["weight", "bias"].contains(parts.last) ? 2 : 1
      return parts.suffix(count).joined(separator: ".")
    }
    let counts = Dictionary(grouping: names) { $0 }.mapValues(\.count)
    return counts.keys.sorted().map { name in
      let count = counts[name, default: 0]
      return count == 1 ? name : "\(name) \(count)"
    }.joined(separator: ", ")
  }

  /// Facts for people: what it is about, two spaces before a part of what stands above, and what is so.
  public var rows: [(String, String)] {
    var rows = [("adapter", summary)]
    func add(_ what: String, _ text: String) { rows.append(("  \(what)", text)) }
    if let base = config.base { add("base", escaped(base)) }
    if config.isLoRA { add("alpha", describe(number: config.alpha, digits: 6)) }
    if !adapter.modules.isEmpty {
      add("changes", "\(describe(adapter.modules.count, "weight")): \(escaped(targets))")
    }
    if !adapter.saved.isEmpty {
      add("replaces", "\(describe(adapter.saved.count, "tensor")): \(escaped(saved))")
    }
    if config.isFanInFanOut { add("stored", "the base's weights are said to be [in, out]") }
    if config.hasBias { add("bias", "B has one") }
    for obstacle in config.obstacles { add("not merged", escaped(obstacle)) }
    for fault in adapter.faults.prefix(10) { add("fault", escaped(fault.line)) }
    if adapter.faults.count > 10 { add("", "\(adapter.faults.count - 10) more: check lists them") }
    return rows
  }

  /// The same facts as JSON.
  public var members: [JSONValue.Member] {
    let modules: [JSONValue] = adapter.modules.map {
      ["module": .string($0.path), "rank": .number($0.rank), "scale": .number($0.scale)]
    }
    return [
      .init("method", .string(config.method)),
      .init("base", config.base.map { .string($0) } ?? .null),
      .init("rank", .number(config.rank)), .init("alpha", .number(config.alpha)),
      .init("use_rslora", .bool(config.isRankStabilized)),
      .init("use_dora", .bool(config.isWeightDecomposed)),
      .init("modules", .array(modules)),
      .init("saved", .array(adapter.saved.map { .string($0.name.text) })),
      .init("obstacles", .array(config.obstacles.map { .string($0) })),
    ]
  }
}
