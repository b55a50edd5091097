import Kernels
import TensorCore

/// Checks the inputs of a model against its declaration, fills in what may be left out, and collects
/// everything that is wrong.
struct InputReader {
  private(set) var inputs: ModelInputs
  private var faults: [String] = []
  /// The extents so far, choices merged with the batch, and the input that each comes from.
  private var extents: [InputSlot.Axis: (size: Int, name: String)] = [:]
  /// The rows of the ids of each length, choices merged with the batch.
  private var rows: [InputSlot.Axis: Int] = [:]
  /// The shape of the first ids without their length, before choices were merged with the batch.
  private var outer: [Int]?

  /// Takes inputs, of which only the declared ones are accepted.
  init(_ inputs: ModelInputs, _ slots: [InputSlot]) {
    self.inputs = inputs
    let known = slots.map(\.name)
    for name in inputs.names where !known.contains(name) {
      faults.append(
        "\"\(escaped(name))\" is no input of this model; its inputs are \(known.joined(separator: ", "))"
      )
    }
    for slot in slots { read(slot) }
  }

  private mutating func read(_ slot: InputSlot) {
    guard isOfItsKind(slot) else { return }
    switch slot.content {
    case .numbers: numbers(slot)
    case .ids(let limit) where slot.leads: ids(slot, below: limit)
    case .ids(let limit), .types(let limit): companion(slot, below: limit)
    case .mask: companion(slot, below: .max)
    case .positions(let limit): positions(slot, below: limit)
    case .places: places(slot)
    case .lengths: lengths(slot)
    case .grids: grids(slot)
    }
  }

  /// Whether an input holds whole numbers or others, as declared. Whole numbers are numbers.
  private mutating func isOfItsKind(_ slot: InputSlot) -> Bool {
    if case .numbers = slot.content {
      if let array = inputs.arrays.removeValue(forKey: slot.name) {
        inputs.numbers[slot.name] = NDArray(
          shape: array.shape, elements: array.elements.map(Double.init))
      }
      return true
    }
    guard inputs.numbers[slot.name] != nil else { return true }
    faults.append("\(slot.name) must be integers")
    return false
  }

  // MARK: What decides extents

  /// Ids, whose choices are merged with their batch.
  private mutating func ids(_ slot: InputSlot, below limit: Int) {
    guard let ids = inputs[slot.name] ?? made(slot) else { return }
    inputs[slot.name] = ids
    let ranks =
      slot.axes.contains(.choices(isOptional: true))
      ? [slot.axes.count - 1, slot.axes.count] : [slot.axes.count]
    guard ranks.contains(ids.shape.count), !ids.elements.isEmpty else {
      let size = ids.elements.isEmpty ? ", and not empty" : ""
      faults.append(
        "\(slot.name) is \(describe(shape: ids.shape)), must be \(slot.shapeText)\(size)")
      return
    }
    if ids.shape.count == 3 { (inputs.choices, inputs.hasChoices) = (ids.shape[1], true) }
    check(ids, slot.name, below: limit)
    if let longest = slot.longest, ids.width > longest {
      faults.append("\(slot.name) is \(ids.width) long, the model has \(longest) positions")
    }
    if outer == nil { outer = ids.shape.dropLast() }
    merge(slot.name)
    if let shape = inputs[slot.name]?.shape { bind(slot, shape) }
    if let reason = slot.onlyOneRow, let rows = extents[.batch]?.size, rows > 1 {
      faults.append(reason)
    }
  }

  /// What is made of ids that are not given.
  private mutating func made(_ slot: InputSlot) -> NDArray<Int>? {
    guard case .made(let make, let reason) = slot.absence else {
      faults.append("\(slot.name) is missing")
      return nil
    }
    guard !extents.isEmpty else { return nil }
    let array = make(inputs)
    if array == nil { faults.append(reason) }
    return array
  }

  private mutating func numbers(_ slot: InputSlot) {
    guard let shape = inputs.numbers[slot.name]?.shape else {
      if slot.mayBeMissing { return }
      faults.append("\(slot.name) is missing")
      return
    }
    let fits =
      shape.count == slot.axes.count
      && zip(shape, slot.axes).allSatisfy { extent, axis in
        switch axis {
        case .size(let size): extent == size
        case .height(let least, _), .width(let least, _): extent >= least
        default: extent > 0
        }
      }
    guard fits else {
      faults.append("\(slot.name) is \(describe(shape: shape)), must be \(slot.shapeText)")
      return
    }
    bind(slot, shape)
  }

  /// Takes over a shape's extents, and compares it with those that are known.
  private mutating func bind(_ slot: InputSlot, _ shape: [Int]) {
    let axes = slot.axes.filter { if case .choices = $0 { false } else { true } }
    let known = axes.map { extents[$0] }
    // The batch may be any axis but, where a length is known beside it, the first.
    if let leader = known.dropFirst().last(where: { $0 != nil })??.name {
      let expected = zip(known, shape).map { $0?.size ?? $1 }
      if expected != shape {
        faults.append(
          "\(slot.name) is \(describe(shape: shape)), must be \(describe(shape: expected)),"
            + " like \(leader)")
      }
    } else if let batch = known.first ?? nil, batch.size != shape[0] {
      faults.append("\(slot.name) has \(shape[0]) rows, \(batch.name) \(batch.size)")
    }
    for (axis, extent) in zip(axes, shape) where extents[axis] == nil {
      extents[axis] = (extent, slot.name)
    }
    // What follows a decoder's ids has as many rows as these.
    if let length = axes.last(where: { !$0.isSize }), length != .batch { rows[length] = shape[0] }
  }

  // MARK: What follows

  /// The shape of an input that follows others, if these are right.
  private func shape(of slot: InputSlot) -> [Int]? {
    if case .size(let size)? = slot.axes.last { return extents[.batch].map { [$0.size, size] } }
    guard let length = slot.axes.last, let count = rows[length], let extent = extents[length] else {
      return nil
    }
    return [count, extent.size]
  }

  /// An array like the ids, if given: of their shape, before merging or after it.
  private mutating func companion(_ slot: InputSlot, below limit: Int, from lowest: Int = 0) {
    guard let shape = shape(of: slot) else { return }
    let unmerged =
      inputs.hasChoices ? [shape[0] / inputs.choices, inputs.choices, shape[1]] : shape
    if let given = inputs[slot.name] {
      guard given.shape == shape || given.shape == unmerged else {
        faults.append(
          "\(slot.name) is \(describe(shape: given.shape)), must be \(describe(shape: unmerged))")
        return
      }
      inputs[slot.name] = given.reshaped(shape)
    }
    if case .made(let make, _) = slot.absence, inputs[slot.name] == nil {
      inputs[slot.name] = make(inputs)
    }
    array(slot.name, shape: shape, below: limit, from: lowest)
    if case .zeros = slot.absence, inputs[slot.name] == nil {
      inputs[slot.name] = NDArray(shape: shape, repeating: 0)
    }
  }

  /// Position ids `[batch, length]`, or `[1, length]` for all; counted if not given.
  private mutating func positions(_ slot: InputSlot, below limit: Int) {
    guard let shape = shape(of: slot) else { return }
    let (batch, length) = (shape[0], shape[1])
    if inputs[slot.name] == nil {
      let counted = positions(slot.absence, shape)
      let needed = counted.map { ($0.elements.max() ?? 0) + 1 } ?? length
      guard needed <= limit else {
        let before = limit - (slot.positionLimit ?? limit)
        faults.append(
          "the inputs are \(needed - before) long, the model has \(limit - before) positions")
        return
      }
      if let counted {
        inputs[slot.name] = counted
        return
      }
      inputs[slot.name] = NDArray(shape: [1, length], elements: Array(0..<length))
    }
    if let row = inputs[slot.name], row.shape == [1, length] {
      inputs[slot.name] = NDArray(
        shape: shape, elements: (0..<batch).flatMap { _ in row.elements })
    }
    if case .countedAmong = slot.absence {
      companion(slot, below: limit, from: -1)
    } else {
      companion(slot, below: limit)
    }
  }

  /// Positions of some of another input's elements, if they are counted so and that is given and right.
  private func positions(_ absence: InputSlot.Absence, _ shape: [Int]) -> NDArray<Int>? {
    switch absence {
    case .countedAmong(let mask): counted(mask, shape, others: -1) { $0 != 0 }
    case .countedBehind(let padToken, let ids):
      counted(ids, shape, others: padToken) { $0 != padToken }
    default: nil
    }
  }

  /// For each element that counts the next number behind that of the others, row by row.
  private func counted(
    _ name: String, _ shape: [Int], others: Int, counts: (Int) -> Bool
  ) -> NDArray<Int>? {
    guard let array = inputs[name], array.shape == shape else { return nil }
    let rows = (0..<array.rows).flatMap { row in
      var last = others
      return array.row(row).map { element in
        guard counts(element) else { return others }
        last += 1
        return last
      }
    }
    return NDArray(shape: shape, elements: rows)
  }

  /// A place in each text; the last one if not given.
  private mutating func places(_ slot: InputSlot) {
    guard let outer, let length = extents[.length]?.size else { return }
    if inputs[slot.name] == nil {
      inputs[slot.name] = NDArray(shape: outer, repeating: length - 1)
    }
    array(slot.name, shape: outer, below: length)
  }

  /// A number for each text; 0 if not given.
  private mutating func lengths(_ slot: InputSlot) {
    guard let outer else { return }
    inputs[slot.name] = inputs[slot.name] ?? NDArray(shape: outer, repeating: 0)
    array(slot.name, shape: outer, below: .max)
  }

  /// Rows and columns of each picture's patches, no more than are listed.
  private mutating func grids(_ slot: InputSlot) {
    guard let patches = extents[.patches]?.size, let count = rows[.patches] else { return }
    guard let grids = inputs[slot.name] else {
      faults.append("\(slot.name) is missing")
      return
    }
    let before = faults.count
    array(slot.name, shape: [count, 2], below: .max, from: 1)
    guard faults.count == before else { return }
    for picture in 0..<count {
      let (own, overflow) = grids.elements[2 * picture].multipliedReportingOverflow(
        by: grids.elements[2 * picture + 1])
      if overflow || own > patches {
        faults.append(
          "\(slot.name) has \(grids.elements[2 * picture]) × \(grids.elements[2 * picture + 1])"
            + " patches in row \(picture), and \(patches) are listed")
      }
    }
  }

  // MARK: Arrays

  /// An array of exactly that shape, if given, with values `lowest..<limit`.
  private mutating func array(
    _ name: String, shape: [Int], below limit: Int, from lowest: Int = 0
  ) {
    guard let array = inputs[name] else { return }
    guard array.shape == shape else {
      faults.append(
        "\(name) is \(describe(shape: array.shape)), must be \(describe(shape: shape))")
      return
    }
    check(array, name, below: limit, from: lowest)
  }

  /// Merges the choices of a rank-3 array with its batch.
  private mutating func merge(_ name: String) {
    guard let array = inputs[name], array.shape.count == 3 else { return }
    inputs[name] = array.reshaped([array.shape[0] * array.shape[1], array.shape[2]])
  }

  private mutating func check(
    _ ids: NDArray<Int>, _ name: String, below limit: Int, from lowest: Int = 0
  ) {
    guard let index = ids.elements.firstIndex(where: { !(lowest..<limit).contains($0) })
    else { return }
    let range = limit == .max ? "\(lowest) or more" : "from \(lowest) to \(limit - 1)"
    faults.append("\(name) has \(ids.elements[index]) at element \(index), must be \(range)")
  }

  /// The inputs, if nothing was wrong.
  ///
  /// - Parameter others: what is wrong beyond the declaration.
  /// - Throws: `CheckpointError` with every fault.
  func checked(_ others: (ModelInputs) -> [String]) throws(CheckpointError) -> ModelInputs {
    let faults = faults.isEmpty ? others(inputs) : faults
    guard faults.isEmpty else {
      throw CheckpointError(
        .malformed(faults.count == 1 ? faults[0] : "\(faults.count) faults in the inputs"),
        file: inputs.file, details: faults.count == 1 ? [] : faults)
    }
    return inputs
  }
}
