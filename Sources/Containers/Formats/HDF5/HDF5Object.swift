import TensorCore

/// What an object header says about a group or a dataset: its messages.
///
/// Source: HDF5 File Format Specification 3.0, section IV.A.1.
struct HDF5Object {
  /// A message: what kind, and its bytes.
  struct Message {
    let type: Int
    let bytes: [UInt8]
    /// Where its bytes are in the file.
    let offset: Int

    /// Reads the bytes.
    var cursor: ByteCursor { ByteCursor(bytes, at: offset) }
  }

  private(set) var messages: [Message] = []

  /// What all messages of an object may take.
  private static let limit = 16 << 20

  init(
    _ file: HDF5File, at address: Int, _ walk: HDF5Walk
  ) throws(CheckpointError) {
    var head = try file.read(address, 16)
    let signature = try head.bytes(4)
    if signature.elementsEqual("OHDR".utf8) {
      try readNew(file, at: address, walk)
    } else if signature[0] == 1 {
      _ = try head.uint32()
      try readOld(file, (address + 16, Int(try head.uint32())), walk)
    } else {
      throw CheckpointError(.malformed("is no object where one should be"), offset: head.start)
    }
  }

  /// Forgets its attributes.
  mutating func dropAttributes() {
    messages.removeAll { $0.type == HDF5MessageType.attribute }
  }

  /// The first message of a kind.
  func first(_ type: Int) -> Message? { messages.first { $0.type == type } }

  // MARK: Version 1

  private mutating func readOld(
    _ file: HDF5File, _ first: (address: Int, count: Int), _ walk: HDF5Walk
  ) throws(CheckpointError) {
    var blocks = [first]
    var total = 0
    var index = 0
    while index < blocks.count {
      let (address, count) = blocks[index]
      index += 1
      total += min(count, Self.limit + 1)
      try checkTotal(total, blocks.count)
      try walk.take(structure: count)
      var cursor = try file.read(address, count)
      while cursor.left >= 8 {
        let (type, size) = (Int(try cursor.uint16()), Int(try cursor.uint16()))
        let flags = try cursor.uint8()
        _ = try cursor.bytes(3)
        try add(type, flags, size, &cursor, file, &blocks)
      }
    }
  }

  private func checkTotal(_ total: Int, _ blocks: Int) throws(CheckpointError) {
    guard total <= Self.limit, blocks <= 4096 else {
      throw CheckpointError(
        .limitExceeded("the size of an object's header", limit: Self.limit, found: total))
    }
  }

  private mutating func add(
    _ type: Int, _ flags: UInt8, _ size: Int, _ cursor: inout ByteCursor, _ file: HDF5File,
    _ blocks: inout [(address: Int, count: Int)]
  ) throws(CheckpointError) {
    let offset = cursor.offset
    let bytes = try cursor.bytes(size)
    if type == 0x10 {
      var place = ByteCursor(bytes, at: offset)
      let address = try file.address(try place.uint64(), at: offset)
      blocks.append((address, try place.int64("a length")))
    } else if HDF5MessageType.isShared(type, flags) {
      throw CheckpointError(
        .unsupported("has a part that stands elsewhere (a committed type), which is not read"),
        offset: offset)
    } else {
      messages.append(Message(type: type, bytes: bytes, offset: offset))
    }
  }

  // MARK: Version 2

  private mutating func readNew(
    _ file: HDF5File, at address: Int, _ walk: HDF5Walk
  ) throws(CheckpointError) {
    var head = try file.read(address, 6)
    _ = try head.bytes(4)
    let (version, flags) = (try head.uint8(), try head.uint8())
    guard version == 2 else {
      throw CheckpointError(
        .unsupported("an object of version \(version) is not read"), offset: head.start)
    }
    let width = 1 << Int(flags & 3)
    let extra = (flags & 0x20 == 0 ? 0 : 16) + (flags & 0x10 == 0 ? 0 : 4)
    var sizes = try file.read(address + 6 + extra, width)
    let count = Int(clamping: littleEndian(try sizes.bytes(width)[...]))
    let start = 6 + extra + width
    guard let size = count.addedIfFits(start + 4) else {
      throw CheckpointError(.overflow("the size of an object's header"), offset: head.start)
    }
    var blocks = [(address: address, count: size)]
    var skipped = start
    var total = 0
    var index = 0
    while index < blocks.count {
      let (address, count) = blocks[index]
      index += 1
      total += min(count, Self.limit + 1)
      try checkTotal(total, blocks.count)
      try walk.take(structure: count)
      try readNew(block: file.read(address, count), after: skipped, flags, file, &blocks)
      skipped = 4
    }
  }

  /// A block of messages between its signature and its checksum.
  private mutating func readNew(
    block: ByteCursor, after skipped: Int, _ flags: UInt8, _ file: HDF5File,
    _ blocks: inout [(address: Int, count: Int)]
  ) throws(CheckpointError) {
    var whole = block
    guard whole.left >= skipped + 4 else {
      throw CheckpointError(
        .truncated(needed: skipped + 4, available: whole.left), offset: whole.start)
    }
    var bytes = try whole.bytes(whole.left)
    let stored = littleEndian(bytes.suffix(4))
    bytes.removeLast(4)
    let isSigned = bytes.starts(with: "OHDR".utf8) || bytes.starts(with: "OCHK".utf8)
    guard isSigned, UInt64(HDF5Checksum.of(bytes)) == stored else {
      throw CheckpointError(.checksum("an object's header"), offset: whole.start)
    }
    var cursor = ByteCursor(bytes, at: whole.start)
    _ = try cursor.bytes(skipped)
    let head = flags & 4 == 0 ? 4 : 6
    while cursor.left >= head {
      let (type, size) = (Int(try cursor.uint8()), Int(try cursor.uint16()))
      let shared = try cursor.uint8()
      _ = try cursor.bytes(head - 4)
      try add(type, shared, size, &cursor, file, &blocks)
    }
  }
}

/// The kinds of messages that are read.
enum HDF5MessageType {
  static let dataspace = 1
  static let linkInfo = 2
  static let datatype = 3
  static let fillValue = 5
  static let link = 6
  static let externalFiles = 7
  static let layout = 8
  static let filters = 11
  static let attribute = 12
  static let symbolTable = 17

  /// Whether a message of these kinds is only a reference to one elsewhere.
  static func isShared(_ type: Int, _ flags: UInt8) -> Bool {
    flags & 2 != 0 && [dataspace, datatype, fillValue, filters].contains(type)
  }
}
