import TensorCore

/// What finding all paths takes. Paths can be very many where every list has the next one twice, and very
/// long.
struct PickleWork {
  /// What stands between the parts of a path.
  let separator: String
  private var values = 0
  private var nameBytes = 0
  private var listedCount = 0
  /// How many values that are no tensors have not been named.
  private(set) var unlistedCount = 0

  init(separator: String) { self.separator = separator }

  /// Counts values that are looked at.
  mutating func look(at count: Int) throws(CheckpointError) {
    values += count
    guard values <= Limits.pickleSteps else {
      throw CheckpointError(
        .limitExceeded(
          "the number of paths in a pickle", limit: Limits.pickleSteps, found: values))
    }
  }

  /// The path to a part, which is counted.
  mutating func path(_ name: String, _ part: String) throws(CheckpointError) -> String {
    let path = name.isEmpty ? part : "\(name)\(separator)\(part)"
    let count = path.utf8.count
    guard count <= Limits.name else {
      throw CheckpointError(
        .limitExceeded("the length of a name", limit: Limits.name, found: count))
    }
    nameBytes += count
    guard nameBytes <= Limits.pickleNames else {
      throw CheckpointError(
        .limitExceeded("the length of all names", limit: Limits.pickleNames, found: nameBytes))
    }
    return path
  }

  /// Whether one more value that is no tensor is listed; counts it.
  mutating func lists() -> Bool {
    if listedCount == Limits.reportedFaults {
      unlistedCount += 1
      return false
    }
    listedCount += 1
    return true
  }
}

extension PickleTree {
  /// A value in another one, and the path to it.
  typealias Part = (name: String, value: PickleValue)

  /// What is in a value, by name.
  mutating func parts(of value: PickleValue, _ name: String) throws(CheckpointError) -> [Part] {
    if let pairs = heap.dictionary(value) {
      let state = heap.call(value)?.state ?? .none
      let parts = try named(pairs, name)
      return holdsTensors(state) ? parts + (try attributes(state, name)) : parts
    }
    guard let call = heap.call(value) else {
      return try numbered(heap.elements(value) ?? [], name)
    }
    let arguments = try numbered(heap.elements(call.arguments) ?? [], name, onlyTensors: true)
    let items = try numbered(call.items[...], name)
    let pairs = try named(call.pairs, name)
    return arguments + items + pairs + (try attributes(call.state, name))
  }

  private mutating func numbered(
    _ values: ArraySlice<PickleValue>, _ name: String, onlyTensors: Bool = false
  ) throws(CheckpointError) -> [Part] {
    try work.look(at: values.count)
    var parts: [Part] = []
    for (number, value) in values.enumerated() {
      guard holdsTensors(value) || !onlyTensors && work.lists() else { continue }
      parts.append((try work.path(name, "\(number)"), value))
    }
    return parts
  }

  private mutating func named(
    _ pairs: [PickleValue], _ name: String
  ) throws(CheckpointError) -> [Part] {
    try work.look(at: pairs.count / 2)
    var parts: [Part] = []
    for index in stride(from: 0, to: pairs.count - 1, by: 2) {
      let value = pairs[index + 1]
      guard holdsTensors(value) || work.lists() else { continue }
      guard let key = heap.key(pairs[index]) ?? (holdsTensors(value) ? nil : "?") else {
        let place = name.isEmpty ? "" : " in \"\(abridged(name, to: 240))\""
        throw CheckpointError(
          .unsupported(
            "a tensor stands under a key that is no text of up to \(PickleReader.shortText) bytes"
              + place))
      }
      parts.append((try work.path(name, key), value))
    }
    return parts
  }

  /// The dictionaries in which torch's modules keep what state dicts name without them.
  private static var moduleParts: Set<String> { ["_parameters", "_buffers", "_modules"] }

  /// What an object says about itself, but what it keeps to itself.
  private mutating func attributes(
    _ state: PickleValue, _ name: String
  ) throws(CheckpointError) -> [Part] {
    if let pairs = heap.pairs(state) { return try attributes(pairs, name) }
    guard let elements = heap.elements(state) else {
      return holdsTensors(state) ? [(try work.path(name, "state"), state)] : []
    }
    // A dictionary, and what Python calls slots.
    var parts: [Part] = []
    for element in elements.prefix(2) {
      if let pairs = heap.pairs(element) { parts += try attributes(pairs, name) }
    }
    let others = elements.filter { heap.pairs($0) == nil } + elements.dropFirst(2)
    return parts + (try numbered(others[...], name, onlyTensors: true))
  }

  private mutating func attributes(
    _ pairs: [PickleValue], _ name: String
  ) throws(CheckpointError) -> [Part] {
    try work.look(at: pairs.count / 2)
    var parts: [Part] = []
    let keys = stride(from: 0, to: pairs.count - 1, by: 2)
    let isModule = keys.contains { heap.string(pairs[$0]) == "_modules" }
    let unsaved = isModule ? heap.unsavedBuffers(of: pairs) : []
    for index in keys {
      let (key, value) = (heap.string(pairs[index]) ?? "", pairs[index + 1])
      if isModule, Self.moduleParts.contains(key) {
        if key == "_buffers", !unsaved.isEmpty, let buffers = heap.dictionary(value) {
          parts += try savedBuffers(buffers, but: unsaved, name)
        } else if holdsTensors(value) {
          parts.append((name, value))
        }
      } else if holdsTensors(value) || !key.hasPrefix("_") && key != "training" {
        parts += try named([pairs[index], value], name)
      }
    }
    return parts
  }
}

extension PickleTree {
  /// The buffers of a module that its state dict has; the others are set aside.
  private mutating func savedBuffers(
    _ buffers: [PickleValue], but unsaved: Set<String>, _ name: String
  ) throws(CheckpointError) -> [Part] {
    try work.look(at: buffers.count / 2)
    var saved: [PickleValue] = []
    for index in stride(from: 0, to: buffers.count - 1, by: 2)
    where holdsTensors(buffers[index + 1]) {
      if let key = heap.string(buffers[index]), unsaved.contains(key) {
        _ = work.lists()
        try setAside(buffers[index + 1], try work.path(name, key))
      } else {
        saved += buffers[index...index + 1]
      }
    }
    return try named(saved, name)
  }
}

extension PickleHeap {
  /// The names of a module's buffers that are not in its state dict: a set, as an object or a call.
  fileprivate func unsavedBuffers(of pairs: [PickleValue]) -> Set<String> {
    let keys = stride(from: 0, to: pairs.count - 1, by: 2)
    guard let index = keys.first(where: { string(pairs[$0]) == "_non_persistent_buffers_set" })
    else { return [] }
    let value = pairs[index + 1]
    let names =
      elements(value)
      ?? call(value).flatMap { elements($0.arguments)?.first }.flatMap { elements($0) }
    return Set((names ?? []).compactMap { string($0) })
  }

  /// A key of a dictionary as a part of a path.
  fileprivate func key(_ value: PickleValue) -> String? {
    switch value {
    case .none: "None"
    case .bool(let value): value ? "True" : "False"
    case .int(let value): "\(value)"
    case .float(let value): "\(value)"
    default: string(value)
    }
  }

  /// What a value is, in words.
  func words(for value: PickleValue) -> String {
    switch value {
    case .none, .bool, .int, .float: return key(value) ?? ""
    case .text(let text), .string(let text):
      return "\"\(abridged(String(decoding: bytes(text), as: UTF8.self), to: 80))\""
    case .bytes(let bytes): return "\(bytes.count) bytes"
    case .object: break
    }
    switch object(value) {
    case .tuple(_, let count): return "a tuple of \(count)"
    case .list(let items): return "a list of \(items.count)"
    case .map(let pairs): return "a dictionary of \(pairs.count / 2)"
    case .global(let number): return abridged(names[Int(number)], to: 240)
    case .call(let number):
      let call = calls[Int(number)]
      let name = name(call.function) ?? "something"
      if name.hasPrefix("collections.") {
        let first = elements(call.arguments)?.first
        let count = call.pairs.count / 2 + (first.flatMap { elements($0)?.count } ?? 0)
        return "a dictionary of \(count)"
      }
      return "an object of \(abridged(name, to: 240))"
    case .distant(let number): return "a text of \(stretches[Int(number)].count) bytes"
    case .bigNumber: return "a large number"
    case .persistent, nil: return "something that stands elsewhere"
    }
  }
}
