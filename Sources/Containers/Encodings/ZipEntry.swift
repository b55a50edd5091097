import TensorCore

/// A stored member of a zip archive that is being written, and its two headers.
///
/// Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7 and 4.3.12 to 4.3.16. 64-bit fields are
/// written where a number needs them, and nowhere else.
struct ZipEntry: Sendable {
  /// The name, in UTF-8.
  let name: [UInt8]
  /// The bytes of the member.
  let size: Int
  /// Where its local header begins.
  let offset: Int
  /// What our own extra fields hold, in the directory only.
  let fields: [[UInt8]]
  /// Bytes of a field in the local header that only moves what follows, as torch does; `nil` for none.
  var alignment: Int?

  /// Bytes for our extra fields and the name, so that an entry stays under 65,535 bytes.
  static let extraRoom = 65_535 - 46 - 64
  /// The longest name that is written.
  static let maximumName = 32_768

  private static let long = 0xFFFF_FFFF
  /// The number of torch's field for that: "FB" in a zip file.
  private static let padding: UInt16 = 0x4246
  /// 1980-01-01, the first day a zip archive knows; time zero.
  private static let date: [UInt8] = [0, 0, 0x21, 0]

  private var isLong: Bool { size >= Self.long }

  private func shared(crc: UInt32) -> [UInt8] {
    let isASCII = name.allSatisfy { $0 < 0x80 }
    let flags: UInt16 = isASCII ? 0 : 1 << 11
    let size = UInt32(clamping: size)
    return flags.littleEndianBytes + [0, 0] + Self.date + crc.littleEndianBytes
      + size.littleEndianBytes + size.littleEndianBytes + UInt16(name.count).littleEndianBytes
  }

  private func version(_ isLong: Bool) -> [UInt8] { [isLong ? 45 : 20, 0] }

  private static func field(_ id: UInt16, _ bytes: [UInt8]) -> [UInt8] {
    id.littleEndianBytes + UInt16(bytes.count).littleEndianBytes + bytes
  }

  /// The header before the member's bytes.
  func localHeader(crc: UInt32) -> [UInt8] {
    let sizes = UInt64(size).littleEndianBytes
    var extra = isLong ? Self.field(ZipExtra.zip64, sizes + sizes) : []
    if let alignment {
      extra += Self.field(Self.padding, [UInt8](repeating: UInt8(ascii: "Z"), count: alignment))
    }
    return ZipMember.localSignature.littleEndianBytes + version(isLong) + shared(crc: crc)
      + UInt16(extra.count).littleEndianBytes + name + extra
  }

  /// The entry of the directory.
  func directoryEntry(crc: UInt32) -> [UInt8] {
    let sizes = UInt64(size).littleEndianBytes
    let isFar = offset >= Self.long
    let numbers = (isLong ? sizes + sizes : []) + (isFar ? UInt64(offset).littleEndianBytes : [])
    var extra = numbers.isEmpty ? [] : Self.field(ZipExtra.zip64, numbers)
    for bytes in fields { extra += Self.field(NpzMark.fieldID, bytes) }
    let attributes: [UInt8] = [0, 0, 0, 0, 0xA4, 0x81]  // a regular file, rw-r--r--
    return ZipMember.entrySignature.littleEndianBytes + [20, 3] + version(isLong || isFar)
      + shared(crc: crc) + UInt16(extra.count).littleEndianBytes + [0, 0, 0, 0] + attributes
      + UInt32(clamping: offset).littleEndianBytes + name + extra
  }

  /// The end records, for an archive whose directory is `size` bytes from `start` on.
  static func end(count: Int, size: Int, start: Int, comment: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    if count >= 0xFFFF || size >= long || start >= long {
      bytes += end64(count: count, size: size, start: start)
    }
    let count = UInt16(clamping: count).littleEndianBytes
    return bytes + ZipDirectory.endSignature + [0, 0, 0, 0] + count + count
      + UInt32(clamping: size).littleEndianBytes + UInt32(clamping: start).littleEndianBytes
      + UInt16(comment.count).littleEndianBytes + comment
  }

  private static func end64(count: Int, size: Int, start: Int) -> [UInt8] {
    let count = UInt64(count).littleEndianBytes
    let record =
      ZipDirectory.end64Signature.littleEndianBytes + UInt64(44).littleEndianBytes
      + [45, 3, 45, 0] + [UInt8](repeating: 0, count: 8) + count + count
      + UInt64(size).littleEndianBytes + UInt64(start).littleEndianBytes
    return record + ZipDirectory.locatorSignature.littleEndianBytes + [0, 0, 0, 0]
      + UInt64(start + size).littleEndianBytes + [1, 0, 0, 0]
  }
}
