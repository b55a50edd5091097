import TensorCore

/// An HDF5 file, as far as it is needed to find its datasets.
///
/// Source: "HDF5 File Format Specification Version 3.0" (support.hdfgroup.org). Read is what h5py and
/// TensorFlow write: superblocks 0 to 3, groups as symbol tables or compact links, datasets in one piece or in
/// chunks with a B-tree of version 1. libhdf5 reads more, and is not made for files that lie.
struct HDF5File {
  let source: any ByteSource
  /// Where addresses count from.
  private var base = 0
  /// The address behind the last byte that belongs to the file.
  private var end = 0
  /// The address of the root group.
  private(set) var root = 0

  /// The address of what is not there.
  static let undefined = UInt64.max
  static let signature: [UInt8] = [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A]
  /// Where the superblock may begin, behind a block of the user's.
  static let places = [0, 512, 1024, 2048]

  init(_ source: any ByteSource) throws(CheckpointError) {
    self.source = source
    var start: Int?
    for place in Self.places where start == nil && place + 8 <= source.size {
      if try source.read(place..<place + 8) == Self.signature { start = place }
    }
    guard let start else {
      throw CheckpointError(.malformed("has no signature of HDF5"), offset: 0)
    }
    base = start
    end = source.size - start
    var cursor = try read(0, min(96, end))
    _ = try cursor.bytes(8)
    let version = try cursor.uint8()
    switch version {
    case 0, 1: try readOld(&cursor, version: version)
    case 2, 3: try readNew(&cursor)
    default:
      throw CheckpointError(
        .unsupported("a superblock of version \(version) is not read"), offset: start + 8)
    }
  }

  /// Versions 0 and 1: the root group is an entry of a symbol table.
  private mutating func readOld(
    _ cursor: inout ByteCursor, version: UInt8
  ) throws(CheckpointError) {
    _ = try cursor.bytes(4)
    try Self.checkSizes(&cursor)
    _ = try cursor.bytes(version == 0 ? 9 : 13)
    try checkBase(&cursor)
    _ = try cursor.uint64()
    let stored = try cursor.uint64()
    _ = try cursor.bytes(16)
    let root = try cursor.uint64()
    try checkEnd(stored, at: cursor.offset)
    self.root = try address(root, at: cursor.offset)
  }

  /// Versions 2 and 3: with a checksum.
  private mutating func readNew(_ cursor: inout ByteCursor) throws(CheckpointError) {
    try Self.checkSizes(&cursor)
    _ = try cursor.uint8()
    try checkBase(&cursor)
    _ = try cursor.uint64()
    let (stored, root) = (try cursor.uint64(), try cursor.uint64())
    let bytes = try read(0, 44).left
    var all = try read(0, bytes)
    let sum = HDF5Checksum.of(try all.bytes(44))
    guard try cursor.uint32() == sum else {
      throw CheckpointError(.checksum("the superblock"), offset: base)
    }
    try checkEnd(stored, at: cursor.offset)
    self.root = try address(root, at: cursor.offset)
  }

  private static func checkSizes(_ cursor: inout ByteCursor) throws(CheckpointError) {
    let offset = cursor.offset
    guard try cursor.uint8() == 8, try cursor.uint8() == 8 else {
      throw CheckpointError(.unsupported("addresses are not of 8 bytes"), offset: offset)
    }
  }

  private func checkBase(_ cursor: inout ByteCursor) throws(CheckpointError) {
    let offset = cursor.offset
    guard try cursor.int64("an address") == base else {
      throw CheckpointError(
        .malformed("addresses do not count from the superblock"), offset: offset)
    }
  }

  /// The end counts from the beginning of the file, whatever stands before the superblock.
  private mutating func checkEnd(_ stored: UInt64, at offset: Int) throws(CheckpointError) {
    guard let stored = Int(exactly: stored), stored <= source.size, stored >= base else {
      throw CheckpointError(
        .truncated(needed: Int(clamping: stored), available: source.size), offset: base)
    }
    end = stored - base
  }

  /// An address that must lead to somewhere in the file.
  func address(_ value: UInt64, at offset: Int) throws(CheckpointError) -> Int {
    guard let address = Int(exactly: value), address < end else {
      throw CheckpointError(.malformed("an address leads out of the file"), offset: offset)
    }
    return address
  }

  /// The `count` bytes at an address.
  func read(_ address: Int, _ count: Int) throws(CheckpointError) -> ByteCursor {
    let range = try range(address, count)
    return ByteCursor(try source.read(range), at: range.lowerBound)
  }

  /// Where the `count` bytes at an address are in the source.
  func range(_ address: Int, _ count: Int) throws(CheckpointError) -> Range<Int> {
    guard address >= 0, address <= end, count >= 0, count <= end - address else {
      throw CheckpointError(
        .truncated(needed: count, available: max(0, end - address)), offset: base + address)
    }
    return base + address..<base + address + count
  }

  /// The bytes at an address, which begin with a signature and a version.
  func read(
    _ address: Int, _ count: Int, signature: String, version: UInt8
  ) throws(CheckpointError) -> ByteCursor {
    var cursor = try read(address, count)
    let offset = cursor.offset
    guard try cursor.bytes(4).elementsEqual(signature.utf8), try cursor.uint8() == version else {
      throw CheckpointError(.malformed("is no \(signature) where one should be"), offset: offset)
    }
    return cursor
  }
}

/// The checksum of HDF5's newer structures: Bob Jenkins' `lookup3`, `hashlittle` (burtleburtle.net), which the
/// specification names.
enum HDF5Checksum {
  static func of(_ bytes: [UInt8]) -> UInt32 {
    var (a, b, c): (UInt32, UInt32, UInt32)
    a = 0xDEAD_BEEF &+ UInt32(truncatingIfNeeded: bytes.count)
    (b, c) = (a, a)
    func word(_ index: Int) -> UInt32 {
      UInt32(
        truncatingIfNeeded: littleEndian(
          bytes[min(index, bytes.count)..<min(index + 4, bytes.count)]))
    }
    func turned(_ value: UInt32, _ bits: UInt32) -> UInt32 { value << bits | value >> (32 - bits) }
    var index = 0
    while bytes.count - index > 12 {
      (a, b, c) = (a &+ word(index), b &+ word(index + 4), c &+ word(index + 8))
      a = (a &- c) ^ turned(c, 4); c = c &+ b
      b = (b &- a) ^ turned(a, 6); a = a &+ c
      c = (c &- b) ^ turned(b, 8); b = b &+ a
      a = (a &- c) ^ turned(c, 16); c = c &+ b
      b = (b &- a) ^ turned(a, 19); a = a &+ c
      c = (c &- b) ^ turned(b, 4); b = b &+ a
      index += 12
    }
    guard index < bytes.count else { return c }
    (a, b, c) = (a &+ word(index), b &+ word(index + 4), c &+ word(index + 8))
    c = (c ^ b) &- turned(b, 14)
    a = (a ^ c) &- turned(c, 11)
    b = (b ^ a) &- turned(a, 25)
    c = (c ^ b) &- turned(b, 16)
    a = (a ^ c) &- turned(c, 4)
    b = (b ^ a) &- turned(a, 14)
    c = (c ^ b) &- turned(b, 24)
    return c
  }
}
