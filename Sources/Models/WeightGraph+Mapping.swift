public import TensorCore

extension WeightGraph {
  /// Understands a checkpoint: recognises architecture and dialect, and places every tensor.
  ///
  /// - Parameters:
  ///   - table: the tensors.
  ///   - config: the config.json, if there is one.
  ///   - architecture: the architecture's name, instead of what the config says.
  ///   - dialect: the dialect's name, instead of what the tensors' names show.
  /// - Throws: `CheckpointError`: unsupported if it is not recognised, malformed if the config is
  ///   broken, refused with every fault if tensors are missing, unexpected or misshapen.
  public init(
    _ table: TensorTable, config: JSONValue?, architecture: String? = nil, dialect: String? = nil
  ) throws(CheckpointError) {
    let type = try recognizedArchitecture(config, table, named: architecture)
    let dialect = try recognizedDialect(of: type.name, table, named: dialect)
    guard let config else {
      throw CheckpointError(
        .unsupported("the \(type.name) model needs its config.json, which is not beside it"),
        advice: "pass it with --config FILE")
    }
    let names = Set(table.tensors.map(\.name))
    var reader = ConfigReader(config)
    let model = type.init(config: &reader) { path in
      guard let stored = dialect.storedName(of: path) else { return false }
      return dialect.spellings(of: stored).contains { names.contains($0) }
    }
    try reader.check()
    let (root, slots) = model.declaration()
    var mapping = Mapping(table: table, slots: slots, dialect: dialect)
    try mapping.place()
    self.init(
      architecture: model, dialect: dialect, root: root, slots: slots,
      tensors: mapping.placed, ties: mapping.ties, dropped: mapping.dropped)
  }
}

/// The architecture that the config names, or that the tensors' names show.
private func recognizedArchitecture(
  _ config: JSONValue?, _ table: TensorTable, named name: String?
) throws(CheckpointError) -> any Architecture.Type {
  let known = allArchitectures.map { $0.name }.joined(separator: ", ")
  if let name = name ?? config?["model_type"]?.string {
    if let type = allArchitectures.first(where: { $0.name == name }) { return type }
    throw CheckpointError(
      .unsupported("the architecture \"\(name)\" is not supported; supported are: \(known)"))
  }
  let shown = Dialect.all.filter { dialect in dialect.isShown(by: table) }
  let candidates = allArchitectures.filter { type in
    shown.contains { $0.architecture == type.name }
  }
  if candidates.count == 1 { return candidates[0] }
  throw CheckpointError(
    .unsupported("neither a config.json nor the tensors' names show the architecture"),
    advice: "pass --config FILE, or --architecture with one of: \(known)")
}

/// The dialect that was asked for, or that the tensors' names show.
private func recognizedDialect(
  of architecture: String, _ table: TensorTable, named name: String?
) throws(CheckpointError) -> Dialect {
  let dialects = Dialect.all(of: architecture)
  let known = dialects.map(\.name).joined(separator: ", ")
  if let name {
    if let dialect = dialects.first(where: { $0.name == name }) { return dialect }
    throw CheckpointError(
      .unsupported("\(architecture) has no dialect \"\(name)\"; it has: \(known)"))
  }
  let shown = dialects.filter { $0.isShown(by: table) }
  if shown.count == 1 { return shown[0] }
  // No name of the dialect is there, or names of several are: the first dialect lists the faults.
  if shown.isEmpty, let first = dialects.first { return first }
  throw CheckpointError(
    .unsupported("the tensors' names show more than one dialect"),
    advice: "pass --from-dialect with one of: \(known)")
}

/// The work of placing tensors into slots.
private struct Mapping {
  let table: TensorTable
  let slots: [WeightSlot]
  let dialect: Dialect
  private(set) var placed: [String: Tensor] = [:]
  private(set) var ties: [String: String] = [:]
  private(set) var dropped: [WeightGraph.Dropped] = []
  private var used: Set<TensorName> = []
  private var faults: [String] = []

  init(table: TensorTable, slots: [WeightSlot], dialect: Dialect) {
    self.table = table
    self.slots = slots
    self.dialect = dialect
  }

  mutating func place() throws(CheckpointError) {
    for slot in slots { findTensor(for: slot) }
    for slot in slots { try tie(slot) }
    for buffer in dialect.buffers { try drop(buffer) }
    let missing = listMissing()
    listUnexpected(missing: missing)
    guard faults.isEmpty else {
      let count = faults.count == 1 ? "1 fault" : "\(faults.count) faults"
      throw CheckpointError(
        .refused(
          "the tensors do not fit the \(dialect.architecture) model of the config: \(count)"),
        details: faults)
    }
  }

  /// The stored tensor of a slot, under any spelling, if it is there and fits.
  private mutating func findTensor(for slot: WeightSlot) {
    guard let stored = dialect.storedName(of: slot.path) else {
      faults.append("no place     \(slot.path): the dialect \(dialect.name) cannot hold it")
      return
    }
    let found = dialect.spellings(of: stored).compactMap { table[$0] }
    for tensor in found { used.insert(tensor.name) }
    guard let tensor = found.first else { return }
    placed[slot.path] = tensor
    if found.count > 1 {
      let names = found.map { escaped($0.name.text) }.joined(separator: " and ")
      faults.append("ambiguous    \(slot.path): \(names)")
    }
    if tensor.shape != slot.shape {
      faults.append(
        "misshapen    \(escaped(tensor.name.text)): is \(describe(shape: tensor.shape)),"
          + " must be \(describe(shape: slot.shape))")
    } else if !tensor.dtype.isComputable {
      faults.append(
        "wrong dtype  \(escaped(tensor.name.text)): is \(tensor.dtype),"
          + " must be F16, BF16, F32 or F64")
    }
  }

  /// A tied slot shares its partner's tensor, whichever of the two is stored. Both stored and equal
  /// are one; both stored and different are two, whatever the config says.
  private mutating func tie(_ slot: WeightSlot) throws(CheckpointError) {
    guard let partner = slot.tie else { return }
    switch (placed[slot.path], placed[partner]) {
    case (nil, _?), (nil, nil):
      ties[slot.path] = partner
    case (let own?, nil):
      placed[partner] = own
      placed[slot.path] = nil
      ties[slot.path] = partner
    case (let own?, let other?):
      guard try hasEqualBytes(own, other) else { return }
      placed[slot.path] = nil
      ties[slot.path] = partner
      dropped.append(
        WeightGraph.Dropped(
          name: own.name, reason: "equal to \(escaped(other.name.text)), to which it is tied"))
    }
  }

  private mutating func drop(_ buffer: ConstantBuffer) throws(CheckpointError) {
    for tensor in dialect.spellings(of: buffer.stored).compactMap({ table[$0] }) {
      used.insert(tensor.name)
      if let fault = try buffer.fault(of: tensor, slots: slots) {
        faults.append("not constant \(escaped(tensor.name.text)): \(fault)")
      } else {
        dropped.append(WeightGraph.Dropped(name: tensor.name, reason: buffer.reason))
      }
    }
  }

  private mutating func listMissing() -> [String] {
    let missing = slots.filter { placed[$0.path] == nil && ties[$0.path] == nil }
      .compactMap { slot in dialect.storedName(of: slot.path).map { (slot, $0) } }
    for (slot, stored) in missing {
      faults.append("missing      \(escaped(stored)) \(describe(shape: slot.shape))")
    }
    return missing.map(\.1)
  }

  private mutating func listUnexpected(missing: [String]) {
    for tensor in table.tensors where !used.contains(tensor.name) {
      let name = tensor.name.text
      let hint =
        nearestName(to: name, among: missing).map { ": did you mean \(escaped($0))?" } ?? ""
      faults.append("unexpected   \(escaped(name)) \(describe(shape: tensor.shape))\(hint)")
    }
  }
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

extension Dialect {
  /// Whether the names in `table` are those of this dialect.
  fileprivate func isShown(by table: TensorTable) -> Bool {
    evidence.contains { name in spellings(of: name).contains { table[$0] != nil } }
  }
}

extension ConstantBuffer {
  fileprivate var reason: String {
    switch content {
    case .positions: "holds 0, 1, 2, … and is computed"
    }
  }

  /// What is wrong with a stored buffer, or `nil`.
  fileprivate func fault(
    of tensor: Tensor, slots: [WeightSlot]
  ) throws(CheckpointError) -> String? {
    switch content {
    case .positions(let path):
      guard let count = slots.first(where: { $0.path == path })?.shape[0] else { return nil }
      guard [[count], [1, count]].contains(tensor.shape), !tensor.dtype.isFloatingPoint else {
        return "is \(tensor.dtype) \(describe(shape: tensor.shape)), must be I64 [1, \(count)]"
      }
      let bytes = try tensor.bytes.read(0..<tensor.byteCount)
      for index in 0..<count where tensor.dtype.element(at: index, of: bytes).int != index {
        return "element \(index) is not \(index)"
      }
      return nil
    }
  }
}
