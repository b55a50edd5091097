package import TensorCore

/// A tensor that a dialect stores for a model: its name, and what it is made of.
package struct StoredForm: Sendable {
  /// One of the layouts that the tensor may have.
  package struct Form: Sendable {
    package let shape: [Int]
    package let pieces: [(path: String, piece: Piece)]
    /// What is added to each element.
    let addend: Double
    /// The axis of which the last element is zero and not stored, if there is one.
    let axisWithoutLast: Int?
    /// How many rows at the beginning are not stored.
    let rowsWithoutFirst: Int
    /// The zeros that are no weight, and where they are, as rows of the tensor in a file.
    let zeros: Range<Int>?
    /// The layout in words.
    let text: String

    /// The shape in a file: without what is not stored.
    var storedShape: [Int] {
      var shape = shape
      if let axisWithoutLast { shape[axisWithoutLast] -= 1 }
      if rowsWithoutFirst > 0 { shape[0] -= rowsWithoutFirst }
      if let zeros { shape[0] += zeros.count }
      return shape
    }
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
  private let numbering: Numbering
  private let dimensions: [String: Int]

  /// Fills a dialect's table for a model.
  ///
  /// - Parameters:
  ///   - slots: the declared weights.
  ///   - dimensions: the model's dimensions by name, for layouts that divide axes.
  package init(_ dialect: Dialect, slots: [WeightSlot], dimensions: [String: Int]) {
    self.slots = Dictionary(slots.map { ($0.path, $0) }) { first, _ in first }
    self.dimensions = dimensions
    numbering = Numbering(slots)
    let order = Dictionary(
      slots.enumerated().map { ($1.path, $0) }, uniquingKeysWith: { first, _ in first })
    for rule in dialect.rules { apply(rule) }
    let places = forms.map { order[$0.forms[0].pieces[0].path] ?? 0 }
    forms = forms.indices.sorted { (places[$0], $0) < (places[$1], $1) }.map { forms[$0] }
    checkUse(slots)
  }

  /// Instantiates a rule for every layer, and every expert, that the model has.
  private mutating func apply(_ rule: Rule) {
    guard let layout = rule.layouts.first, let path = layout.paths.first else { return }
    let stacked = layout.stackedHoles
    let free = holes(of: path).filter { !stacked.contains($0) }
    for numbers in fillings(of: free[...], in: path, [:]) { add(rule, numbers) }
  }

  /// All numbers for holes, of which later ones may count something within earlier ones.
  private func fillings(
    of holes: ArraySlice<Character>, in path: String, _ numbers: HoleNumbers
  ) -> [HoleNumbers] {
    guard let hole = holes.first else { return [numbers] }
    return (0..<numbering.count(of: hole, in: filled(path, numbers))).flatMap { number in
      var numbers = numbers
      numbers[hole] = number
      return fillings(of: holes.dropFirst(), in: path, numbers)
    }
  }

  private mutating func add(_ rule: Rule, _ numbers: HoleNumbers) {
    func fill(_ text: String) -> String { filled(text, numbers) }
    if let needed = rule.onlyWith, slots[fill(needed)] == nil { return }
    if let unwanted = rule.onlyWithout, slots[fill(unwanted)] != nil { return }
    if let needed = rule.onlyHaving, dimensions[needed] == nil { return }
    if let unwanted = rule.onlyLacking, dimensions[unwanted] != nil { return }
    let declared = rule.layouts[0].paths.contains { isDeclared(filled($0, numbers)) }
    guard declared else { return }
    do throws(Arrangement.Misfit) {
      var forms = [try form(rule.layouts[0], numbers)]
      for layout in rule.layouts.dropFirst() {
        // An alternative that the model's shapes do not allow is none.
        if let form = try? form(layout, numbers) { forms.append(form) }
      }
      self.forms.append(
        StoredForm(
          name: fill(rule.stored), forms: forms, copies: copies(rule, numbers), rule: rule))
    } catch {
      conflicts.append("\(fill(rule.stored)): \(error.reason)")
    }
  }

  /// One of a rule's layouts.
  private func form(
    _ layout: Layout, _ numbers: HoleNumbers
  ) throws(Arrangement.Misfit) -> StoredForm.Form {
    let arrangement = try arrange(layout, numbers)
    let pieces = arrangement.pieces
    guard isPartition(pieces.map(\.piece), of: arrangement.shape.reduce(1, *)) else {
      throw Arrangement.Misfit(reason: "the parts do not fill it exactly")
    }
    if let axis = layout.axisWithoutLast {
      guard arrangement.shape.indices.contains(axis), arrangement.shape[axis] > 0,
        arrangement.shape[..<axis].allSatisfy({ $0 == 1 })
      else {
        throw Arrangement.Misfit(
          reason: "\(describe(shape: arrangement.shape)) does not end with axis \(axis)")
      }
    }
    var first = 0
    if let name = layout.rowsWithoutFirst {
      first = try dimension(name)
      guard let rows = arrangement.shape.first, first > 0, rows > first else {
        throw Arrangement.Misfit(
          reason: "\(describe(shape: arrangement.shape)) has no rows behind the first \(first)")
      }
    }
    return StoredForm.Form(
      shape: arrangement.shape, pieces: pieces, addend: layout.addend,
      axisWithoutLast: layout.axisWithoutLast, rowsWithoutFirst: first,
      zeros: try zeros(layout, arrangement.shape), text: layout.text)
  }

  /// The rows of zeros beside what has a shape; extents are those of weights, whose elements are counted.
  private func zeros(
    _ layout: Layout, _ shape: [Int]
  ) throws(Arrangement.Misfit) -> Range<Int>? {
    guard let (part, count) = layout.zeroPart else { return nil }
    guard let rows = shape.first, count > 1, (0..<count).contains(part),
      rows.isMultiple(of: count - 1)
    else {
      throw Arrangement.Misfit(
        reason: "\(describe(shape: shape)) is not \(count - 1) equal parts beside zeros")
    }
    let size = rows / (count - 1)
    return part * size..<(part + 1) * size
  }

  /// The names of other copies; of a rule for the whole stack, `{i}` stands for all layers, but for that of its own name.
  private func copies(_ rule: Rule, _ numbers: HoleNumbers) -> [String] {
    rule.copies.map { filled($0, numbers) }.flatMap { name -> [String] in
      guard name.contains("{i}") else { return [name] }
      return (0..<numbering.layers(ofStackOf: rule.layouts[0].paths[0]))
        .map { filled(name, ["i": $0]) }
    }.filter { $0 != filled(rule.stored, numbers) }
  }

  /// Whether there is a weight of that path; if it has a hole, of any number.
  private func isDeclared(_ path: String) -> Bool {
    guard let hole = holes(of: path).first else { return slots[path] != nil }
    return numbering.count(of: hole, in: path) > 0 && numbering.contains(path)
  }

  private func arrange(
    _ layout: Layout, _ numbers: HoleNumbers
  ) throws(Arrangement.Misfit) -> Arrangement {
    switch layout {
    case .weight(let path):
      let path = filled(path, numbers)
      guard let slot = slots[path] else {
        throw Arrangement.Misfit(reason: "the model has no \(path)")
      }
      return Arrangement(weight: path, shape: slot.shape)
    case .transposed(let inner):
      return try arrange(inner, numbers).transposed()
    case .joined(let parts, let axis):
      var arrangements: [Arrangement] = []
      for part in parts { arrangements.append(try arrange(part, numbers)) }
      return try Arrangement.joined(arrangements, axis: axis)
    case .permuted(let inner, let axes):
      return try arrange(inner, numbers).permuted(axes)
    case .stacked(let inner, let hole, let axis):
      var arrangements: [Arrangement] = []
      for number in 0..<numbering.count(of: hole, in: filled(inner.paths[0], numbers)) {
        let numbers = numbers.merging([hole: number]) { $1 }
        arrangements.append(try arrange(inner, numbers).unit(axis: axis))
      }
      return try Arrangement.joined(arrangements, axis: axis)
    case .repeated(let inner, let axis):
      let copy = try arrange(inner, numbers).unit(axis: axis)
      let copies = [Arrangement](
        repeating: copy, count: numbering.layers(ofStackOf: inner.paths[0]))
      return try Arrangement.joined(copies, axis: axis)
    case .unit(let inner, let axis):
      return try arrange(inner, numbers).unit(axis: axis)
    case .divided(let inner, let axis, let name):
      return try arrange(inner, numbers).divided(axis: axis, size: try dimension(name))
    case .merged(let inner, let axis):
      return try arrange(inner, numbers).merged(axis: axis)
    case .plus(let inner, _), .withoutLast(let inner, _), .withoutFirst(let inner, _),
      .withZeros(let inner, _, _):
      return try arrange(inner, numbers)
    case .interleavedHeads(let inner, let axis, let name):
      let size = try dimension(name)
      let halves = try arrange(inner, numbers)
        .divided(axis: axis, size: size).divided(axis: axis + 1, size: size / 2)
      var order = Array(halves.shape.indices)
      order.swapAt(axis + 1, axis + 2)
      return try halves.permuted(order).merged(axis: axis + 1).merged(axis: axis)
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

/// How many layers, experts and the like the declared weights have: the numbers in their paths.
private struct Numbering {
  /// By what stands before a number, as it is and with all numbers in it left open: for
  /// `blocks.3.experts.`, `blocks.{}.experts.` the most of all layers.
  private var counts: [String: Int] = [:]
  /// The paths with their numbers left open.
  private var open: Set<String> = []

  init(_ slots: [WeightSlot]) {
    for slot in slots {
      var (prefix, openPrefix) = ("", "")
      for part in slot.path.utf8.split(separator: UInt8(ascii: ".")) {
        let part = Substring(part)
        if let number = Int(part) {
          for prefix in [prefix, openPrefix] {
            counts[prefix] = max(counts[prefix] ?? 0, number + 1)
          }
        }
        prefix += part + "."
        openPrefix += (Int(part) == nil ? part : "{}") + "."
      }
      open.insert(openPrefix)
    }
  }

  /// The numbers that a hole of a path runs over. The holes before it may be filled or not.
  func count(of hole: Character, in path: String) -> Int {
    let brace = UInt8(ascii: "{")
    let end = path.utf8.indices.first { index in
      path.utf8[index] == brace && path[path.utf8.index(after: index)...].first == hole
    }
    guard let end else { return 0 }
    let prefix = String(path[..<end])
    return counts[prefix.utf8.contains(brace) ? opened(prefix) : prefix] ?? 0
  }

  /// Whether there is a weight of that path for any number in its holes.
  func contains(_ path: String) -> Bool { open.contains(opened(path) + ".") }

  /// The number of layers of the stack that a weight outside of its layers belongs to.
  func layers(ofStackOf path: String) -> Int {
    let stack = path.split(separator: ".").first.map(String.init) ?? ""
    return counts[stack + ".blocks."] ?? 0
  }

  private func opened(_ path: String) -> String {
    path.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
      .map { Substring($0) }
      .map { $0.hasPrefix("{") || Int($0) != nil ? "{}" : $0 }.joined(separator: ".")
  }
}
