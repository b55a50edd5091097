import TensorCore

/// The work of finding every weight in the tensors of a checkpoint.
struct Placing {
  private let table: TensorTable
  private let dialect: Dialect
  private let slots: [WeightSlot]
  private let options: RecognitionOptions
  /// The model's head, which decides how the dialect writes names.
  private let head: String
  private(set) var placements: [String: WeightGraph.Placement] = [:]
  private(set) var ties: [String: String] = [:]
  private(set) var dropped: [WeightGraph.Dropped] = []
  private(set) var zeroed: [String] = []
  private var used: Set<TensorName> = []
  private var faults: [String] = []

  init(
    _ table: TensorTable, _ dialect: Dialect, _ slots: [WeightSlot], head: String,
    options: RecognitionOptions
  ) {
    self.table = table
    self.dialect = dialect
    self.slots = slots
    self.options = options
    self.head = head
  }

  /// Places everything.
  ///
  /// - Throws: `CheckpointError`: refused, with every fault.
  mutating func place(_ forms: StoredForms) throws(CheckpointError) {
    for conflict in forms.conflicts { faults.append("impossible   \(conflict)") }
    for form in forms.forms { try find(form) }
    for slot in slots { try tie(slot) }
    fillOmittedBiases()
    for buffer in dialect.buffers { try drop(buffer) }
    let missing = listMissing(forms)
    listUnexpected(missing: missing)
    guard faults.isEmpty else {
      let count = faults.count == 1 ? "1 fault" : "\(faults.count) faults"
      throw CheckpointError(
        .refused(
          "the tensors do not fit the \(dialect.architecture) model of the config: \(count)"),
        details: faults)
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
    let fitting = form.forms.first { $0.shape == tensor.shape }
    let isPadded = fitting == nil ? try dropPadding(of: tensor, form) : false
    let layout = fitting ?? form.forms[0]
    if fitting == nil && !isPadded {
      let shapes = form.forms.map { describe(shape: $0.shape) }.joined(separator: " or ")
      faults.append("misshapen    \(name): is \(describe(shape: tensor.shape)), must be \(shapes)")
    } else if !tensor.dtype.isComputable {
      faults.append("wrong dtype  \(name): is \(tensor.dtype), must be F16, BF16, F32 or F64")
    }
    for (path, piece) in layout.pieces {
      let placement = WeightGraph.Placement(stored: tensor, piece: piece, layout: layout.text)
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
    switch (placements[slot.path], placements[partner]) {
    case (nil, _):
      ties[slot.path] = partner
    case (let own?, nil):
      placements[partner] = own
      placements[slot.path] = nil
      ties[slot.path] = partner
    case (let own?, let other?):
      // What is misshapen has not the bytes of its shape.
      guard faults.isEmpty,
        try hasEqualBytes(own.weight(shape: slot.shape), other.weight(shape: slot.shape))
      else { return }
      placements[slot.path] = nil
      ties[slot.path] = partner
      dropped.append(
        WeightGraph.Dropped(
          name: own.stored.name,
          reason: "equal to \(escaped(other.stored.name.text)), to which it is tied"))
    }
  }

  /// A model without any bias has zeros for them, where the dialect says so.
  private mutating func fillOmittedBiases() {
    let biases = slots.filter { $0.role == .bias || $0.role == .normBias }
    guard dialect.mayOmitBiases, biases.allSatisfy({ placements[$0.path] == nil }),
      let dtype = placements.values.first?.stored.dtype
    else { return }
    for slot in biases {
      let size = dtype.byteCount(of: slot.parameterCount)
      let zeros = Tensor(
        name: TensorName(slot.path), dtype: dtype, shape: slot.shape, bytes: ZeroBytes(count: size))
      let piece = Arrangement(weight: slot.path, shape: slot.shape).pieces[0].piece
      placements[slot.path] = WeightGraph.Placement(stored: zeros, piece: piece, layout: "zero")
      zeroed.append(slot.path)
    }
  }

  // MARK: What is no weight

  private mutating func drop(_ buffer: ConstantBuffer) throws(CheckpointError) {
    let isPerLayer = buffer.stored.contains("{i}")
    for layer in 0..<(isPerLayer ? ConfigReader.mostLayers : 1) {
      let found = dialect.spellings(of: filled(buffer.stored, layer: layer))
        .compactMap { table[$0] }
      if isPerLayer && found.isEmpty && layer > 0 { break }
      for tensor in found {
        used.insert(tensor.name)
        if let fault = try buffer.fault(of: tensor, slots: slots) {
          faults.append("not constant \(escaped(tensor.name.text)): \(fault)")
        } else {
          dropped.append(WeightGraph.Dropped(name: tensor.name, reason: buffer.reason))
        }
      }
    }
  }

  private mutating func listMissing(_ forms: StoredForms) -> [String] {
    var missing: [String] = []
    for form in forms.forms {
      let isAbsent = form.paths.contains { placements[$0] == nil && ties[$0] == nil }
      guard isAbsent else { continue }
      let name = dialect.writtenName(form.name, head: head)
      missing.append(name)
      faults.append("missing      \(escaped(name)) \(describe(shape: form.forms[0].shape))")
    }
    for (path, reason) in forms.homeless where placements[path] == nil && ties[path] == nil {
      faults.append("no place     \(path): \(reason)")
    }
    return missing
  }

  private mutating func listUnexpected(missing: [String]) {
    // Every name is compared with every other: enough for models, not for ever.
    var comparisons = 200_000
    for tensor in table.tensors where !used.contains(tensor.name) {
      let name = tensor.name.text
      let shape = describe(shape: tensor.shape)
      if isTrainingState(name) {
        if options.dropsTrainingState {
          dropped.append(WeightGraph.Dropped(name: tensor.name, reason: "training state"))
        } else {
          faults.append(
            "training     \(escaped(name)) \(shape): --drop-training-state leaves it out")
        }
        continue
      }
      comparisons -= missing.count
      let near = comparisons >= 0 ? nearestName(to: name, among: missing) : nil
      let hint = near.map { ": did you mean \(escaped($0))?" } ?? ""
      faults.append("unexpected   \(escaped(name)) \(shape)\(hint)")
    }
  }
}

/// Whether a name is that of an optimiser's slot or of a step counter: TensorFlow's Adam, Mesh
/// TensorFlow's and T5X's Adafactor, PyTorch's Adam.
package func isTrainingState(_ name: String) -> Bool {
  let last = name.split { $0 == "/" || $0 == "." }.last.map(String.init) ?? name
  return ["adam_m", "adam_v", "global_step", "step", "exp_avg", "exp_avg_sq"].contains(last)
    || ["_slot_vr", "_slot_vc", "_slot_v", "_slot_m"].contains { last.hasSuffix($0) }
    || ["state/", "optimizer/", "optimizer."].contains { name.hasPrefix($0) }
}

/// Whether two tensors have the same type, shape and bytes.
private func hasEqualBytes(_ a: Tensor, _ b: Tensor) throws(CheckpointError) -> Bool {
  guard a.dtype == b.dtype, a.shape == b.shape else { return false }
  for start in stride(from: 0, to: a.byteCount, by: 1 << 20) {
    let range = start..<min(start + 1 << 20, a.byteCount)
    if try a.bytes.read(range) != b.bytes.read(range) { return false }
  }
  return true
}
