import TensorCore

/// The central directory of a zip archive.
///
/// Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.12 to 4.3.16. Whatever lets two readers see two
/// archives in one file is refused: bytes after the end record, a second end record, and bytes
/// between the directory and its end record.
struct ZipDirectory {
  /// The members as the directory describes them, in its order.
  private(set) var members: [ZipMember] = []
  /// The text at the end of the archive.
  let comment: [UInt8]
  /// Where the directory begins: where the members end.
  let start: Int

  static let endSignature: [UInt8] = [0x50, 0x4B, 5, 6]
  static let end64Signature: UInt32 = 0x0606_4B50
  static let locatorSignature: UInt32 = 0x0706_4B50

  /// What the end record says.
  private struct End {
    var count: Int
    var size: Int
    var start: Int
    /// Where the end records begin.
    var offset: Int
  }

  /// Reads the directory.
  init(of file: any ByteSource) throws(CheckpointError) {
    let (end, comment) = try Self.end(of: file)
    self.comment = comment
    start = end.start
    // Where the directory must end, nothing between it and the end record.
    guard end.start.addedIfFits(end.size) == end.offset else {
      throw CheckpointError(
        .malformed("the zip directory does not end where its end record begins"),
        offset: end.offset)
    }
    guard end.count <= Limits.zipMembers else {
      throw CheckpointError(
        .limitExceeded("the number of zip members", limit: Limits.zipMembers, found: end.count),
        offset: end.offset)
    }
    guard end.size <= Limits.zipDirectory, end.count <= end.size / ZipMember.minimumSize else {
      throw CheckpointError(
        .malformed("the zip directory has an impossible size"), offset: end.offset)
    }
    var cursor = ByteCursor(try file.read(end.start..<end.offset), at: end.start)
    for _ in 0..<end.count { members.append(try ZipMember(&cursor)) }
    guard cursor.isAtEnd else {
      throw CheckpointError(
        .malformed("the zip directory has more than its members"), offset: cursor.offset)
    }
  }

  private static func end(of file: any ByteSource) throws(CheckpointError) -> (End, [UInt8]) {
    let tailStart = max(0, file.size - 22 - 65_535)
    let tail = try file.read(tailStart..<file.size)
    // Readers look for the last signature, so that must be the one.
    let last = stride(from: tail.count - 22, through: 0, by: -1).first { index in
      tail[index..<index + 4].elementsEqual(endSignature)
    }
    guard let last else {
      throw CheckpointError(
        .malformed("the zip archive has no end record: it is cut off, or no archive"),
        offset: file.size)
    }
    let offset = tailStart + last
    var cursor = ByteCursor(Array(tail[(last + 4)...]), at: offset + 4)
    let disks = (try cursor.uint16(), try cursor.uint16())
    let counts = (try cursor.uint16(), try cursor.uint16())
    let size = try cursor.uint32()
    let start = try cursor.uint32()
    let commentSize = try cursor.uint16()
    guard Int(commentSize) == file.size - cursor.offset else {
      throw CheckpointError(
        .malformed("bytes follow the end of the zip archive"), offset: cursor.offset)
    }
    let comment = try cursor.bytes(Int(commentSize))
    guard !comment.indices.contains(where: { comment[$0...].starts(with: endSignature) }) else {
      throw CheckpointError(.malformed("the zip archive has two end records"), offset: offset)
    }
    guard disks == (0, 0), counts.0 == counts.1 else {
      throw CheckpointError(.unsupported("the zip archive is split over disks"), offset: offset)
    }
    let short = End(count: Int(counts.0), size: Int(size), start: Int(start), offset: offset)
    return (try end64(of: file, short: short) ?? short, comment)
  }

  /// The 64-bit end record, if there is one: it must say what the short one says, or what the
  /// short one cannot say.
  private static func end64(
    of file: any ByteSource, short: End
  ) throws(CheckpointError) -> End? {
    guard short.offset >= 20 else { return nil }
    var locator = ByteCursor(
      try file.read(short.offset - 20..<short.offset), at: short.offset - 20)
    guard try locator.uint32() == locatorSignature else { return nil }
    let fault = CheckpointError(
      .malformed("the 64-bit end records of the zip archive contradict each other"),
      offset: short.offset - 20)
    let disk = try locator.uint32()
    let offset = try locator.int64("a zip offset")
    guard disk == 0, try locator.uint32() == 1, offset == short.offset - 76, offset >= 0 else {
      throw fault
    }
    var cursor = ByteCursor(try file.read(offset..<offset + 56), at: offset)
    guard try cursor.uint32() == end64Signature, try cursor.uint64() == 44 else { throw fault }
    _ = try cursor.uint32()  // versions
    let disks = try cursor.uint64()
    let count = try cursor.int64("the number of zip members")
    guard disks == 0, try cursor.int64("the number of zip members") == count else { throw fault }
    let size = try cursor.int64("the size of the zip directory")
    let start = try cursor.int64("the offset of the zip directory")
    let agrees =
      (short.count == 0xFFFF || short.count == count)
      && (short.size == 0xFFFF_FFFF || short.size == size)
      && (short.start == 0xFFFF_FFFF || short.start == start)
    guard agrees else { throw fault }
    return End(count: count, size: size, start: start, offset: offset)
  }
}
