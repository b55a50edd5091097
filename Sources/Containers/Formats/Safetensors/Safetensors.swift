import SystemPackage
import TensorCore

extension ContainerFormat {
  /// safetensors, as specified in https://huggingface.co/docs/safetensors (section "Format").
  ///
  /// Eight bytes with the length of the header (little-endian), a JSON header, and the tensors'
  /// bytes without a gap.
  public static let safetensors = ContainerFormat(
    name: "safetensors", fileExtension: "safetensors", canShard: true,
    matches: { glimpse in
      // No header is longer than 2^40 bytes, so three bytes of its length are zero.
      let head = glimpse.head
      let isOne =
        head.count > 8 && head[8] == UInt8(ascii: "{") && head[5..<8].allSatisfy { $0 == 0 }
      return isOne ? .exact : nil
    },
    read: { file throws(CheckpointError) in try SafetensorsHeader(of: file).contents(in: file) },
    layout: { contents throws(CheckpointError) in try SafetensorsLayout(contents) })
}

/// The header of a safetensors file, checked.
struct SafetensorsHeader {
  /// The tensors in the order of their bytes.
  private(set) var entries: [SafetensorsEntry] = []
  private(set) var metadata: Metadata?
  /// Where the tensors' bytes begin.
  let end: Int

  /// Reads the header and checks everything that can be checked without the tensors' bytes.
  ///
  /// - Parameter onFault: what to do about a fault that does not hide all others.
  /// - Throws: `CheckpointError` for the first fault, unless `onFault` does otherwise.
  init(
    of file: any ByteSource,
    onFault: FaultHandler = { error throws(CheckpointError) in throw error }
  ) throws(CheckpointError) {
    try self.init(try Self.headerBytes(of: file), onFault: onFault)
    try checkSize(file.size, onFault)
  }

  /// Takes note of a fault, or throws it.
  typealias FaultHandler = (CheckpointError) throws(CheckpointError) -> Void

  /// Reads a header without the file that it belongs to: its text, without the length before it.
  init(
    _ bytes: [UInt8], onFault: FaultHandler = { error throws(CheckpointError) in throw error }
  ) throws(CheckpointError) {
    end = 8 + bytes.count
    var faults: [CheckpointError] = []
    var shapes: Set<[Int]> = []
    do {
      // A fault of the text goes before one of an entry, wherever it is.
      try JSONScanner.visitMembers(of: bytes, grammar: .strict) { member in
        guard faults.count < Limits.reportedFaults else { return }
        do throws(CheckpointError) { try add(member, in: bytes, sharing: &shapes) } catch {
          faults.append(error)
        }
      }
    } catch {
      throw CheckpointError(error, in: "the header", at: 8)
    }
    for fault in faults { try onFault(fault) }
    // Stable: empty tensors share an offset and keep the order of the header.
    entries.sort {
      ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
    }
    try checkCoverage(onFault)
  }

  private mutating func add(
    _ member: JSONScanner.Member, in bytes: [UInt8], sharing shapes: inout Set<[Int]>
  ) throws(CheckpointError) {
    if TensorName(member.key) == "__metadata__" {
      // The reference implementation takes null for none.
      if bytes[member.value].elementsEqual("null".utf8) { return }
      metadata = try Metadata(checked: member.value, in: bytes, at: 8)
      return
    }
    guard entries.count < Limits.tensors else {
      throw CheckpointError(
        .limitExceeded("the number of tensors", limit: Limits.tensors, found: entries.count + 1))
    }
    var entry = try SafetensorsEntry(member, in: bytes)
    if shapes.count < Self.sharedShapes || shapes.contains(entry.shape) {
      entry.shape = shapes.insert(entry.shape).memberAfterInsert
    }
    entries.append(entry)
  }

  /// How many shapes are kept once for all tensors that have them: a model has few, and layers by the thousand.
  private static let sharedShapes = 1024

  private static func headerBytes(of file: any ByteSource) throws(CheckpointError) -> [UInt8] {
    guard file.size >= 8 else {
      throw CheckpointError(.truncated(needed: 8, available: file.size), offset: 0)
    }
    let declared = littleEndian(try file.read(0..<8)[...])
    guard let length = Int(exactly: declared) else {
      throw CheckpointError(.overflow("the header's length, \(declared),"), offset: 0)
    }
    guard length <= Limits.safetensorsHeader else {
      throw CheckpointError(
        .limitExceeded("the header's length", limit: Limits.safetensorsHeader, found: length),
        offset: 0)
    }
    guard length <= file.size - 8 else {
      throw CheckpointError(.truncated(needed: length, available: file.size - 8), offset: 8)
    }
    let bytes = try file.read(8..<8 + length)
    guard bytes.first == UInt8(ascii: "{") else {
      throw CheckpointError(.malformed("the header does not begin with {"), offset: 8)
    }
    return bytes
  }

  /// Every byte after the header belongs to exactly one tensor.
  private func checkCoverage(_ onFault: FaultHandler) throws(CheckpointError) {
    var position = 0
    for entry in entries {
      if entry.range.lowerBound != position {
        let fault = entry.range.lowerBound > position ? "leaves a gap after" : "overlaps"
        try onFault(
          CheckpointError(
            .malformed(
              "begins at \(entry.range.lowerBound) and \(fault) the bytes before, "
                + "which end at \(position)"), tensor: entry.name, offset: entry.offset))
      }
      position = entry.range.upperBound
    }
  }

  /// The last tensor ends where the file does.
  private func checkSize(_ fileSize: Int, _ onFault: FaultHandler) throws(CheckpointError) {
    let position = entries.last?.range.upperBound ?? 0
    let available = fileSize - end
    if position > available {
      try onFault(
        CheckpointError(.truncated(needed: position, available: available), offset: end))
    }
    if position < available {
      try onFault(
        CheckpointError(
          .malformed("\(available - position) bytes follow the last tensor"),
          offset: end + position))
    }
  }

  /// The tensors, with their bytes still in the file.
  func contents(in file: any ByteSource) -> Contents {
    let shared = SharedSource(file)
    let tensors = entries.map { entry in
      Tensor(
        name: entry.name, dtype: entry.dtype, shape: entry.shape,
        bytes: FileBytes(
          of: shared, start: end + entry.range.lowerBound, count: entry.range.count))
    }
    var contents = Contents(tensors: tensors, metadata: metadata)
    let head = CompanionFile(
      name: file.fileName,
      bytes: FileBytes(file: file, start: 0, count: end))
    contents.belongings.origin = SafetensorsOrigin(
      shards: [SafetensorsOrigin.Shard(head, tensors.count)])
    return contents
  }
}

extension Metadata {
  /// Reads `__metadata__`, an object of strings, from a text of its own.
  ///
  /// - Parameter offset: where the text stands in the file.
  init(safetensors bytes: [UInt8], at offset: Int) throws(CheckpointError) {
    do {
      try JSONScanner.visitMembers(of: bytes, grammar: .strict) { _ in }
    } catch {
      throw CheckpointError(error, in: "__metadata__", at: offset)
    }
    try self.init(checked: 0..<bytes.count, in: bytes, at: offset)
  }

  /// Reads `__metadata__`, an object of strings, from where it stands in a text that was checked.
  ///
  /// - Parameter offset: where the text stands in the file.
  init(
    checked value: Range<Int>, in bytes: [UInt8], at offset: Int
  ) throws(CheckpointError) {
    let members: [JSONScanner.Member]
    do {
      members = try JSONScanner.members(ofChecked: value, in: bytes, grammar: .strict)
    } catch {
      throw CheckpointError(error, in: "__metadata__", at: offset)
    }
    var entries: [Entry] = []
    for member in members {
      guard let text = JSONScanner.string(ofChecked: member.value, in: bytes) else {
        throw CheckpointError(
          .malformed("__metadata__: the value of \"\(member.key)\" is not a string"),
          offset: offset + member.value.lowerBound)
      }
      entries.append(Entry(member.key, text))
    }
    self.init(entries)
  }
}

extension CheckpointError {
  /// A fault in a JSON text that begins at byte `start` of the file.
  init(_ error: JSONError, in what: String, at start: Int) {
    self.init(.malformed("\(what): \(error.reason)"), offset: start + error.offset)
  }
}
