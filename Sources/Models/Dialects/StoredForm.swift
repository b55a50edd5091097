package import TensorCore

/// A tensor that a dialect stores for a model: its name, and what it is made of.
package struct StoredForm: Sendable {
  /// One of the layouts that the tensor may have.
  package struct Form: Sendable {
    package let shape: [Int]
    package let pieces: [(path: String, piece: Piece)]
    /// The layout in words.
    let text: String
  }

  /// The name in the dialect's table, without prefixes removed or added.
  package let name: String
  /// The layouts; the first one is written.
  package let forms: [Form]
  /// Other names that hold the same.
  let copies: [String]
  /// The rule it comes from.
  let rule: Rule

  /// The weights in it.
  var paths: [String] { forms[0].pieces.map(\.path) }
}

/// A dialect's table for one model: every weight in exactly one stored tensor, and every stored
/// tensor filled without gap or overlap, proven on shapes before any weight is read.
package struct StoredForms: Sendable {
  /// The stored tensors, in the order of the rules' weights.
  package private(set) var forms: [StoredForm] = []
  /// The weights that have no place, with the reason.
  package private(set) var homeless: [(path: String, reason: String)] = []
  /// What contradicts itself in the table, for this model.
  package private(set) var conflicts: [String] = []

  private let slots: [String: WeightSlot]
  /// The number of layers behind each prefix, `encoder.blocks.`.
  private let layersByPrefix: [String: Int]
  private let dimensions: [String: Int]

  /// Fills a dialect's table for a model.
  ///
  /// - Parameters:
  ///   - slots: the declared weights.
  ///   - dimensions: the model's dimensions by name, for layouts that divide axes.
  package init(_ dialect: Dialect, slots: [WeightSlot], dimensions: [String: Int]) {
    self.slots = Dictionary(slots.map { ($0.path, $0) }) { first, _ in first }
    self.dimensions = dimensions
    layersByPrefix = countLayers(slots)
    let order = Dictionary(
      slots.enumerated().map { ($1.path, $0) }, uniquingKeysWith: { first, _ in first })
    for rule in dialect.rules { apply(rule) }
    let places = forms.map { order[$0.forms[0].pieces[0].path] ?? 0 }
    forms = forms.indices.sorted { (places[$0], $0) < (places[$1], $1) }.map { forms[$0] }
    checkUse(slots)
  }

  /// Instantiates a rule for every layer that the model has.
  private mutating func apply(_ rule: Rule) {
    let layouts = rule.layouts
    guard let path = layouts.first?.paths.first else { return }
    if layouts[0].isStacked || !path.contains("{i}") {
      add(rule, layer: nil)
    } else {
      for layer in 0..<layerCount(of: path) { add(rule, layer: layer) }
    }
  }

  /// The number of layers that a path with `{i}` runs over.
  private func layerCount(of path: String) -> Int {
    guard let hole = path.split(separator: "{i}", omittingEmptySubsequences: false).first else {
      return 0
    }
    return layersByPrefix[String(hole)] ?? 0
  }

  /// The number of layers of the stack that a weight outside of its layers belongs to.
  private func stackLayerCount(of path: String) -> Int {
    let stack = path.split(separator: ".").first.map(String.init) ?? ""
    return layersByPrefix[stack + ".blocks."] ?? 0
  }

  private mutating func add(_ rule: Rule, layer: Int?) {
    func fill(_ text: String) -> String { layer.map { filled(text, layer: $0) } ?? text }
    if let needed = rule.onlyWith, slots[fill(needed)] == nil { return }
    if let unwanted = rule.onlyWithout, slots[fill(unwanted)] != nil { return }
    let declared = rule.layouts[0].paths.contains { isDeclared($0, layer: layer) }
    guard declared else { return }
    do throws(Arrangement.Misfit) {
      var forms: [StoredForm.Form] = []
      for layout in rule.layouts {
        let arrangement = try arrange(layout, layer: layer)
        let pieces = arrangement.pieces
        let size = arrangement.shape.reduce(1, *)
        guard isPartition(pieces.map(\.piece), of: size) else {
          throw Arrangement.Misfit(reason: "the parts do not fill it exactly")
        }
        forms.append(
          StoredForm.Form(shape: arrangement.shape, pieces: pieces, text: layout.text))
      }
      self.forms.append(
        StoredForm(
          name: fill(rule.stored), forms: forms, copies: copies(rule, layer: layer), rule: rule))
    } catch {
      conflicts.append("\(fill(rule.stored)): \(error.reason)")
    }
  }

  /// The names of other copies; of a rule for the whole stack, `{i}` stands for all layers.
  private func copies(_ rule: Rule, layer: Int?) -> [String] {
    rule.copies.flatMap { name -> [String] in
      if let layer { return [filled(name, layer: layer)] }
      guard name.contains("{i}") else { return [name] }
      return (0..<stackLayerCount(of: rule.layouts[0].paths[0])).map { filled(name, layer: $0) }
    }
  }

  private func isDeclared(_ path: String, layer: Int?) -> Bool {
    slots[filled(path, layer: layer ?? 0)] != nil
  }

  private func arrange(
    _ layout: Layout, layer: Int?
  ) throws(Arrangement.Misfit) -> Arrangement {
    switch layout {
    case .weight(let path):
      let path = layer.map { filled(path, layer: $0) } ?? path
      guard let slot = slots[path] else {
        throw Arrangement.Misfit(reason: "the model has no \(path)")
      }
      return Arrangement(weight: path, shape: slot.shape)
    case .transposed(let inner):
      return try arrange(inner, layer: layer).transposed()
    case .joined(let parts, let axis):
      var arrangements: [Arrangement] = []
      for part in parts { arrangements.append(try arrange(part, layer: layer)) }
      return try Arrangement.joined(arrangements, axis: axis)
    case .stacked(let inner, let axis):
      var arrangements: [Arrangement] = []
      for layer in 0..<layerCount(of: inner.paths[0]) {
        arrangements.append(try arrange(inner, layer: layer).unit(axis: axis))
      }
      return try Arrangement.joined(arrangements, axis: axis)
    case .repeated(let inner, let axis):
      let copy = try arrange(inner, layer: layer).unit(axis: axis)
      let copies = [Arrangement](
        repeating: copy, count: stackLayerCount(of: inner.paths[0]))
      guard !copies.isEmpty else { throw Arrangement.Misfit(reason: "the stack has no layers") }
      return try Arrangement.joined(copies, axis: axis)
    case .unit(let inner, let axis):
      return try arrange(inner, layer: layer).unit(axis: axis)
    case .divided(let inner, let axis, let name):
      return try arrange(inner, layer: layer).divided(axis: axis, size: try dimension(name))
    case .merged(let inner, let axis):
      return try arrange(inner, layer: layer).merged(axis: axis)
    case .interleavedHeads(let inner, let axis, let name):
      let size = try dimension(name)
      let halves = try arrange(inner, layer: layer)
        .divided(axis: axis, size: size).divided(axis: axis + 1, size: size / 2)
      var order = Array(halves.shape.indices)
      order.swapAt(axis + 1, axis + 2)
      return halves.permuted(order).merged(axis: axis + 1).merged(axis: axis)
    }
  }

  private func dimension(_ name: String) throws(Arrangement.Misfit) -> Int {
    guard let size = dimensions[name] else {
      throw Arrangement.Misfit(reason: "the model has no dimension \(name)")
    }
    return size
  }

  /// Checks that every weight has one place, and every name is used once.
  private mutating func checkUse(_ slots: [WeightSlot]) {
    var places: [String: [String]] = [:]
    var names: Set<String> = []
    for form in forms {
      if !names.insert(form.name).inserted {
        conflicts.append("\(form.name): two rules make it")
      }
      for path in Set(form.paths) { places[path, default: []].append(form.name) }
    }
    for slot in slots {
      switch places[slot.path]?.count {
      case nil: homeless.append((slot.path, "the dialect has no place for it"))
      case 1: break
      default:
        let names = places[slot.path, default: []].joined(separator: " and ")
        conflicts.append("\(slot.path): two places, \(names)")
      }
    }
  }
}

private func countLayers(_ slots: [WeightSlot]) -> [String: Int] {
  var counts: [String: Int] = [:]
  for slot in slots {
    let parts = slot.path.split(separator: ".")
    for (index, part) in parts.enumerated() {
      guard let number = Int(part) else { continue }
      let prefix = parts[..<index].joined(separator: ".") + "."
      counts[prefix] = max(counts[prefix] ?? 0, number + 1)
    }
  }
  return counts
}
