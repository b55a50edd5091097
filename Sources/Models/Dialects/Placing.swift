import TensorCore

/// The work of finding every weight in the tensors of a checkpoint.
struct Placing {
  private let table: TensorTable
  private let dialect: Dialect
  private let slots: [WeightSlot]
  private let forms: StoredForms
  private let options: RecognitionOptions
  /// Whether to look for names that may be misspelt.
  private let givesHints: Bool
  /// The model's head, which decides how the dialect writes names.
  private let head: String
  /// The weights that nothing reads.
  private let constants: Set<String>
  /// The weights that may be missing, each with all of its module.
  private let passengers: [String: [String]]
  private(set) var placements: [String: WeightGraph.Placement] = [:]
  private(set) var ties: [String: String] = [:]
  private(set) var dropped: [WeightGraph.Dropped] = []
  private(set) var zeroed: [String] = []
  private var used: Set<TensorName> = []
  /// The weights whose tensor is there, and cannot be theirs: nothing is read of it.
  private var unfit: Set<String> = []
  /// What is wrong, a line each.
  private(set) var faults: [String] = []
  /// How many of them are of tensors that the model computes whatever is stored.
  private var wrongConstants = 0
  /// The shapes of tensors that have another one than they must.
  private(set) var misshapen: [(found: [Int], wanted: [Int])] = []
  /// The names of the tensors that are not there, and of those that are there for nothing.
  private(set) var missing: [String] = []
  private(set) var unexpected: [String] = []

  init(
    _ table: TensorTable, _ dialect: Dialect, _ slots: [WeightSlot], _ forms: StoredForms,
    head: String, options: RecognitionOptions, givesHints: Bool = true
  ) {
    self.table = table
    self.givesHints = givesHints
    self.dialect = dialect
    self.slots = slots
    self.forms = forms
    self.options = options
    self.head = head
    constants = Set(slots.filter { $0.role == .constant }.map(\.path))
    passengers = passengersByPath(slots)
  }

  /// How many weights are looked for.
  var slotCount: Int { slots.count }

  /// Places everything.
  ///
  /// - Throws: `CheckpointError`: refused, with every fault.
  mutating func place() throws(CheckpointError) {
    for conflict in forms.conflicts { faults.append("impossible   \(conflict)") }
    for form in forms.forms { try find(form) }
    for slot in slots { try tie(slot) }
    assumeOmitted()
    for slot in slots { make(slot, of: slot.origin) }
    for (slot, formula) in computedSlots { try check(slot, formula) }
    listMissing(forms)
    listUnexpected()
    guard faults.isEmpty else {
      let count = faults.count == 1 ? "1 fault" : "\(faults.count) faults"
      let isExtra = faults.contains { $0.hasPrefix("unexpected") }
      let isState = faults.contains { $0.hasPrefix("training") }
      let isLeftOver = faults.allSatisfy { $0.hasPrefix("unexpected") || $0.hasPrefix("training") }
      let flags = isState ? "--allow-extra with --drop-training-state" : "--allow-extra"
      let advice =
        isExtra
        ? "\(flags) leaves out what is no part of \(head)"
        : "--drop-training-state leaves it out where the model is needed"
      throw CheckpointError(
        .refused(
          "the tensors do not fit the \(dialect.architecture) model of the config: \(count)"),
        advice: isLeftOver
          ? advice
          : faults.count == wrongConstants
            ? "--allow-extra leaves out what the model computes itself" : nil,
        details: faults, listing: "tfinspect check has them all")
    }
  }

  // MARK: Weights

  /// The stored tensor of a form, under any spelling and in any of its layouts.
  private mutating func find(_ form: StoredForm) throws(CheckpointError) {
    var found = dialect.spellings(of: form.name).compactMap { table[$0] }
    let copies = form.copies.flatMap(dialect.spellings).compactMap { table[$0] }
    for tensor in found + copies { used.insert(tensor.name) }
    if found.isEmpty, let copy = copies.first { found = [copy] }
    guard let tensor = found.first else { return }
    for copy in copies where copy.name != tensor.name { try drop(copy, copyOf: tensor) }
    let name = escaped(tensor.name.text)
    if found.count > 1 {
      let names = found.map { escaped($0.name.text) }.joined(separator: " and ")
      faults.append("ambiguous    \(form.paths.joined(separator: ", ")): \(names)")
    }
    let fitting = form.forms.first { $0.storedShape == tensor.shape }
    let isPadded = fitting == nil ? try dropPadding(of: tensor, form) : false
    let layout = fitting ?? form.forms[0]
    if fitting == nil && !isPadded {
      misshapen.append((tensor.shape, form.forms[0].storedShape))
      let shapes = form.forms.map { describe(shape: $0.storedShape) }.joined(separator: " or ")
      faults.append("misshapen    \(name): is \(describe(shape: tensor.shape)), must be \(shapes)")
      return unfit.formUnion(form.paths)
    }
    let isConstant = form.paths.allSatisfy(constants.contains) && tensor.dtype.byteWidth != nil
    guard tensor.dtype.isComputable || isConstant else {
      let scales =
        tensor.dtype.isFloatingPoint && tensor.dtype.bitWidth <= 8
        ? ", and no scales were found beside it" : ""
      faults.append(
        "wrong dtype  \(name): is \(tensor.dtype)\(scales), must be F16, BF16, F32 or F64")
      return unfit.formUnion(form.paths)
    }
    var stored = layout.addend == 0 ? tensor : tensor.adding(-layout.addend)
    if layout.axisWithoutLast != nil {
      stored = try stored.withZeros(atStart: false, shape: layout.shape)
    }
    if layout.rowsWithoutFirst > 0 {
      stored = try stored.withZeros(atStart: true, shape: layout.shape)
    }
    if let zeros = layout.zeros {
      guard let rest = try stored.without(zeroRows: zeros, shape: layout.shape) else {
        faults.append(
          "not zero     \(name): rows \(zeros.lowerBound) to \(zeros.upperBound - 1) must be zero: the"
            + " model has no weight for them")
        return unfit.formUnion(form.paths)
      }
      stored = rest
    }
    for (path, piece) in layout.pieces {
      let placement = WeightGraph.Placement(stored: stored, piece: piece, layout: layout.text)
      if let first = placements[path], fitting != nil {
        try check(placement, repeats: first, of: path)
      } else {
        placements[path] = placement
      }
    }
  }

  /// Checks that a weight that a tensor holds several times is always the same.
  private mutating func check(
    _ placement: WeightGraph.Placement, repeats first: WeightGraph.Placement, of path: String
  ) throws(CheckpointError) {
    guard let shape = slots.first(where: { $0.path == path })?.shape,
      try !hasEqualBytes(placement.weight(shape: shape), first.weight(shape: shape))
    else { return }
    let name = escaped(placement.stored.name.text)
    let fault = "not equal    \(name): \(path) must be the same in all layers"
    if !faults.contains(fault) { faults.append(fault) }
  }

  /// Leaves out a second copy of a tensor, if it is one.
  private mutating func drop(_ copy: Tensor, copyOf tensor: Tensor) throws(CheckpointError) {
    let (name, other) = (escaped(copy.name.text), escaped(tensor.name.text))
    if try hasEqualBytes(copy, tensor) {
      dropped.append(WeightGraph.Dropped(name: copy.name, reason: "equal to \(other)"))
    } else {
      faults.append("not equal    \(name): must be the same as \(other)")
    }
  }

  /// Whether a tensor has what it should have and then only rows of zeros, which are left out.
  private mutating func dropPadding(
    of tensor: Tensor, _ form: StoredForm
  ) throws(CheckpointError) -> Bool {
    let expected = form.forms[0].shape
    guard form.rule.mayBePadded, tensor.dtype.isComputable,
      tensor.shape.dropFirst() == expected.dropFirst(),
      let rows = tensor.shape.first, let wanted = expected.first, rows > wanted
    else { return false }
    let name = escaped(tensor.name.text)
    let start = tensor.byteCount / rows * wanted
    for offset in stride(from: start, to: tensor.byteCount, by: 1 << 20) {
      let bytes = try tensor.bytes.read(offset..<min(offset + 1 << 20, tensor.byteCount))
      guard bytes.allSatisfy({ $0 == 0 }) else {
        misshapen.append((tensor.shape, expected))
        faults.append(
          "not padding  \(name): has \(rows) rows, the config says \(wanted), and the others are"
            + " not zero; set the config's vocabulary to \(rows) to keep them")
        return true
      }
    }
    dropped.append(
      WeightGraph.Dropped(
        name: tensor.name, reason: "rows \(wanted) to \(rows - 1) are zero padding"))
    return true
  }

  /// A tied slot shares its partner's tensor, whichever of the two is stored. Both stored and equal
  /// are one; both stored and different are two, whatever the config says.
  private mutating func tie(_ slot: WeightSlot) throws(CheckpointError) {
    guard let partner = slot.tie else { return }
    // What is there and cannot be read is not missing, and neither is its partner.
    for (path, other) in [(slot.path, partner), (partner, slot.path)] where unfit.contains(path) {
      if placements[other] == nil { unfit.insert(other) }
      return
    }
    switch (placements[slot.path], placements[partner]) {
    case (nil, _):
      ties[slot.path] = partner
    case (let own?, nil):
      placements[partner] = own
      placements[slot.path] = nil
      ties[slot.path] = partner
    case (let own?, let other?):
      guard try hasEqualBytes(own.weight(shape: slot.shape), other.weight(shape: slot.shape))
      else { return }
      placements[slot.path] = nil
      ties[slot.path] = partner
      dropped.append(
        WeightGraph.Dropped(
          name: own.stored.name,
          reason: "equal to \(escaped(other.stored.name.text)), to which it is tied"))
    }
  }

  // MARK: What is not stored

  /// A model that is stored without any of the weights that the dialect may omit has them all the same.
  private mutating func assumeOmitted() {
    guard let omissible = dialect.omissible else { return }
    let omitted = slots.filter {
      omissible.roles.contains($0.role) || omissible.paths.contains($0.path)
    }
    guard omitted.allSatisfy({ placements[$0.path] == nil && !unfit.contains($0.path) }) else {
      return
    }
    for slot in omitted { make(slot, of: omissible.origin) }
  }

  /// Makes a weight that is not stored of its origin.
  private mutating func make(_ slot: WeightSlot, of origin: WeightOrigin?) {
    guard let origin, placements[slot.path] == nil, !unfit.contains(slot.path) else { return }
    let name = TensorName(slot.path)
    switch origin {
    case .equal, .passenger: break
    case .zeros:
      guard let dtype = placements.values.first?.stored.dtype else { return }
      let size = dtype.byteCount(of: slot.parameterCount)
      place(
        Tensor(name: name, dtype: dtype, shape: slot.shape, bytes: ZeroBytes(count: size)), slot,
        "zero")
      zeroed.append(slot.path)
    case .computed(let formula):
      guard slot.role != .constant else { return }
      place(formula.tensor(name, shape: slot.shape), slot, "computed")
    }
  }

  /// Gives a weight that is not stored a tensor of its own.
  private mutating func place(_ tensor: Tensor, _ slot: WeightSlot, _ layout: String) {
    let piece = Arrangement(weight: slot.path, shape: slot.shape).pieces[0].piece
    placements[slot.path] = WeightGraph.Placement(
      stored: tensor, piece: piece, layout: layout, isStored: false)
  }

  /// The weights that a formula gives, one formula behind the other.
  private var computedSlots: [(WeightSlot, Formula)] {
    let computed = slots.compactMap { slot -> (WeightSlot, Formula)? in
      guard case .computed(let formula) = slot.origin else { return nil }
      return (slot, formula)
    }
    var names: [String] = []
    for (_, formula) in computed where !names.contains(formula.name) { names.append(formula.name) }
    return names.flatMap { name in computed.filter { $0.1.name == name } }
  }

  /// Checks that a stored weight holds what its formula gives. Constants are then left out.
  private mutating func check(_ slot: WeightSlot, _ formula: Formula) throws(CheckpointError) {
    guard let placement = placements[slot.path], placement.isStored else { return }
    let name = placement.stored.name
    if let fault = try formula.fault(of: placement.weight(shape: slot.shape)) {
      if slot.role == .constant, options.allowsExtra {
        dropped.append(
          WeightGraph.Dropped(name: name, reason: "not \(formula.name): \(fault)", isExtra: true))
      } else {
        if slot.role == .constant { wrongConstants += 1 }
        faults.append("not constant \(escaped(name.text)): \(fault)")
      }
    } else if slot.role == .constant {
      dropped.append(WeightGraph.Dropped(name: name, reason: formula.name))
    }
    if slot.role == .constant { placements[slot.path] = nil }
  }

  /// Whether the model has the weight: all but passengers that are not stored.
  func has(_ slot: WeightSlot) -> Bool {
    placements[slot.path] != nil || ties[slot.path] != nil
  }

  // MARK: What does not fit

  private mutating func listMissing(_ forms: StoredForms) {
    for form in forms.forms {
      let isAbsent = form.paths.contains(where: isMissing)
      guard isAbsent else { continue }
      let name = dialect.writtenName(form.name, head: head)
      missing.append(name)
      let shape = describe(shape: form.forms[0].storedShape)
      faults.append("missing      \(escaped(name)) \(shape)")
    }
    for (path, reason) in forms.homeless where isMissing(path) {
      faults.append("no place     \(path): \(reason)")
    }
  }

  private func isMissing(_ path: String) -> Bool {
    placements[path] == nil && ties[path] == nil && !unfit.contains(path)
      && !constants.contains(path) && !isAbsentPassenger(path)
  }

  /// Whether a weight need not be there since nothing of its module is.
  private func isAbsentPassenger(_ path: String) -> Bool {
    passengers[path].map { $0.allSatisfy { placements[$0] == nil && !unfit.contains($0) } } ?? false
  }

  private mutating func listUnexpected() {
    // Every name is compared with every other: enough for models, not for ever.
    var comparisons = givesHints ? 200_000 : -1
    for tensor in table.tensors where !used.contains(tensor.name) {
      let name = tensor.name.text
      if name == dialect.nativeConfig?.tensorName {
        dropped.append(WeightGraph.Dropped(name: tensor.name, reason: "the config"))
        continue
      }
      let shape = describe(shape: tensor.shape)
      if let reason = dialect.reason(forUnread: name) {
        dropped.append(WeightGraph.Dropped(name: tensor.name, reason: reason))
        continue
      }
      if isTrainingState(name, in: table) {
        if options.dropsTrainingState {
          dropped.append(
            WeightGraph.Dropped(
              name: tensor.name, reason: "training state", isTrainingState: true))
        } else {
          faults.append(
            "training     \(escaped(name)) \(shape): --drop-training-state leaves it out")
        }
        continue
      }
      if options.allowsExtra {
        dropped.append(
          WeightGraph.Dropped(name: tensor.name, reason: "no part of \(head)", isExtra: true))
        continue
      }
      unexpected.append(name)
      comparisons -= missing.count
      let near = comparisons >= 0 ? nearestName(to: name, among: missing) : nil
      let hint = near.map { ": did you mean \(escaped($0))?" } ?? ""
      faults.append("unexpected   \(escaped(name)) \(shape)\(hint)")
    }
  }
}

extension Tensor {
  /// The tensor with zeros behind its elements, or before them.
  ///
  /// - Parameter shape: its shape then.
  /// - Throws: `CheckpointError` if that are too many bytes to count.
  fileprivate func withZeros(atStart: Bool, shape: [Int]) throws(CheckpointError) -> Tensor {
    guard let count = dtype.byteCount(shape: shape), count >= byteCount else {
      throw CheckpointError(.overflow("the size with zeros more"), tensor: name)
    }
    let zeros = ZeroBytes(count: count - byteCount)
    guard let joined = JoinedBytes(atStart ? [zeros, bytes] : [bytes, zeros]) else {
      throw CheckpointError(.overflow("the size with zeros more"), tensor: name)
    }
    return Tensor(name: name, dtype: dtype, shape: shape, bytes: joined)
  }
}

extension Tensor {
  /// The tensor without some rows, which must be zeros; `nil` if they are not.
  ///
  /// - Parameter shape: its shape then.
  /// - Throws: `CheckpointError` if they cannot be read.
  fileprivate func without(
    zeroRows rows: Range<Int>, shape: [Int]
  ) throws(CheckpointError) -> Tensor? {
    let row = shape.dropFirst().reduce(dtype.byteCount(of: 1), *)
    let (start, end) = (rows.lowerBound * row, rows.upperBound * row)
    for offset in stride(from: start, to: end, by: 1 << 20) {
      let piece = try bytes.read(offset..<min(offset + 1 << 20, end))
      if piece.contains(where: { $0 != 0 }) { return nil }
    }
    let parts = [
      ByteRange(of: bytes, start: 0, count: start),
      ByteRange(of: bytes, start: end, count: byteCount - end),
    ]
    return JoinedBytes(parts.filter { $0.count > 0 }).map {
      Tensor(name: name, dtype: dtype, shape: shape, bytes: $0)
    }
  }
}

/// The passengers, each with all passengers of the same module.
private func passengersByPath(_ slots: [WeightSlot]) -> [String: [String]] {
  let paths = slots.compactMap { slot -> String? in
    guard case .passenger = slot.origin else { return nil }
    return slot.path
  }
  let groups = Dictionary(grouping: paths) { $0.split(separator: ".").dropLast() }
  return Dictionary(
    uniqueKeysWithValues: groups.values.flatMap { group in group.map { ($0, group) } })
}

/// Whether two tensors have the same type, shape and bytes.
func hasEqualBytes(_ a: Tensor, _ b: Tensor) throws(CheckpointError) -> Bool {
  guard a.dtype == b.dtype, a.shape == b.shape else { return false }
  for start in stride(from: 0, to: a.byteCount, by: 1 << 20) {
    let range = start..<min(start + 1 << 20, a.byteCount)
    if try a.bytes.read(range) != b.bytes.read(range) { return false }
  }
  return true
}
