import TensorCore

/// A group: its links by name.
struct HDF5Group {
  /// The addresses of what is in it, in the order of the file.
  private(set) var links: [(name: String, address: Int)] = []
  /// The names of links that lead elsewhere: to a path, or to another file.
  private(set) var indirect: [String] = []

  /// Reads the links of an object; `nil` if it is no group.
  ///
  /// - Parameter walk: what has been seen of the file already.
  init?(
    _ object: HDF5Object, in file: HDF5File, _ walk: HDF5Walk
  ) throws(CheckpointError) {
    let hasLinks = object.messages.contains {
      [HDF5MessageType.link, HDF5MessageType.linkInfo].contains($0.type)
    }
    if let table = object.first(HDF5MessageType.symbolTable) {
      try readTable(table, in: file, walk)
    } else if hasLinks {
      for message in object.messages {
        switch message.type {
        case HDF5MessageType.linkInfo: try Self.checkCompact(message)
        case HDF5MessageType.link: try add(message, file, walk)
        default: break
        }
      }
    } else if object.first(HDF5MessageType.layout) != nil {
      return nil
    }
    var names: Set<TensorName> = []
    for name in links.map(\.name) + indirect
    where name.isEmpty || name.utf8.contains(0x2F) || !names.insert(TensorName(name)).inserted {
      throw CheckpointError(.malformed("a group has an impossible name, or one twice: \"\(name)\""))
    }
  }

  // MARK: Links as messages

  /// Very many links stand in a heap, which is not read.
  private static func checkCompact(_ message: HDF5Object.Message) throws(CheckpointError) {
    var cursor = message.cursor
    _ = try cursor.uint8()
    let flags = try cursor.uint8()
    if flags & 1 != 0 { _ = try cursor.uint64() }
    guard try cursor.uint64() == HDF5File.undefined else {
      throw CheckpointError(
        .unsupported("a group of many links in the newest form (libver=\"latest\") is not read"),
        offset: message.offset)
    }
  }

  private mutating func add(
    _ message: HDF5Object.Message, _ file: HDF5File, _ walk: HDF5Walk
  ) throws(CheckpointError) {
    var cursor = message.cursor
    guard try cursor.uint8() == 1 else {
      throw CheckpointError(.unsupported("a link of an unknown version"), offset: message.offset)
    }
    let flags = try cursor.uint8()
    let type = flags & 8 == 0 ? 0 : try cursor.uint8()
    if flags & 4 != 0 { _ = try cursor.uint64() }
    if flags & 16 != 0 { _ = try cursor.uint8() }
    let width = 1 << Int(flags & 3)
    let length = Int(clamping: littleEndian(try cursor.bytes(width)[...]))
    let name = try Self.name(try cursor.bytes(length), at: message.offset)
    try walk.count(name)
    guard type == 0 else {
      indirect.append(name)
      return
    }
    links.append((name, try file.address(try cursor.uint64(), at: cursor.offset)))
  }

  private static func name(_ bytes: [UInt8], at offset: Int) throws(CheckpointError) -> String {
    guard let name = TensorName(validating: bytes) else {
      throw CheckpointError(.malformed("a name is not UTF-8"), offset: offset)
    }
    return name.text
  }

  // MARK: Symbol tables

  private mutating func readTable(
    _ message: HDF5Object.Message, in file: HDF5File, _ walk: HDF5Walk
  ) throws(CheckpointError) {
    var cursor = message.cursor
    let tree = try file.address(try cursor.uint64(), at: message.offset)
    let heapAddress = try file.address(try cursor.uint64(), at: message.offset)
    var heap = try file.read(heapAddress, 32, signature: "HEAP", version: 0)
    _ = try heap.bytes(3)
    let size = try heap.int64("the size of a heap")
    _ = try heap.uint64()
    let start = try file.address(try heap.uint64(), at: heap.offset)
    guard size <= Limits.pathNames else {
      throw CheckpointError(
        .limitExceeded("the size of a heap", limit: Limits.pathNames, found: size),
        offset: heap.start)
    }
    try walk.take(structure: size)
    var names = try file.read(start, size)
    let bytes = try names.bytes(size)
    var nodes: [Int] = []
    try walk.visitLeaves(of: tree, in: file, type: 0, keySize: 8) { _, address in
      nodes.append(address)
    }
    for node in nodes { try add(node: node, names: bytes, file, walk) }
  }

  /// A node of a symbol table: names and addresses.
  private mutating func add(
    node address: Int, names: [UInt8], _ file: HDF5File, _ walk: HDF5Walk
  ) throws(CheckpointError) {
    var head = try file.read(address, 8, signature: "SNOD", version: 1)
    _ = try head.uint8()
    let count = Int(try head.uint16())
    try walk.take(structure: 40 * count)
    var cursor = try file.read(address + 8, 40 * count)
    for _ in 0..<count {
      let offset = cursor.offset
      let start = try cursor.int64("an offset")
      let object = try cursor.uint64()
      let kind = try cursor.uint32()
      _ = try cursor.bytes(20)
      guard start < names.count, let end = names[start...].firstIndex(of: 0) else {
        throw CheckpointError(.malformed("a name leads out of its heap"), offset: offset)
      }
      let name = try Self.name(Array(names[start..<end]), at: offset)
      try walk.count(name)
      if kind == 2 {
        indirect.append(name)
      } else {
        links.append((name, try file.address(object, at: offset)))
      }
    }
  }
}
