import TensorCore

/// A member of a zip archive, as the central directory describes it.
///
/// Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.9 and 4.3.12.
struct ZipMember {
  /// How the bytes are stored.
  enum Method: UInt16 {
    case stored = 0
    case deflated = 8
  }

  /// The name, as bytes of UTF-8.
  let name: TensorName
  let method: Method
  let crc: UInt32
  /// The bytes in the archive.
  let compressedSize: Int
  /// The bytes of the member.
  let size: Int
  let extra: ZipExtra
  /// Where the local header begins.
  let headerOffset: Int
  /// Where the entry of the directory is.
  let entryOffset: Int
  private let flags: UInt16

  /// The bytes of a directory entry without a name.
  static let minimumSize = 46
  static let entrySignature: UInt32 = 0x0201_4B50
  static let localSignature: UInt32 = 0x0403_4B50
  private static let descriptorSignature: UInt32 = 0x0807_4B50
  /// Deflate cannot make more of one byte than this (zlib, "Technical Details").
  private static let maximumRatio = 1032

  /// The version of the format that we know, times ten.
  private static let latestVersion: UInt32 = 63

  private static let encryptedFlags: UInt16 = 1 << 0 | 1 << 6 | 1 << 13
  private static let descriptorFlag: UInt16 = 1 << 3
  private static let utf8Flag: UInt16 = 1 << 11

  private var hasDescriptor: Bool { flags & Self.descriptorFlag != 0 }

  /// Reads an entry of the directory.
  init(_ cursor: inout ByteCursor) throws(CheckpointError) {
    entryOffset = cursor.offset
    guard try cursor.uint32() == Self.entrySignature else {
      throw CheckpointError(.malformed("expected a zip directory entry"), offset: entryOffset)
    }
    let version = try cursor.uint32() >> 16 & 0xFF
    flags = try cursor.uint16()
    let method = try cursor.uint16()
    _ = try cursor.uint32()  // time and date
    crc = try cursor.uint32()
    let sizes = [try cursor.uint32(), try cursor.uint32()]
    let nameCount = Int(try cursor.uint16())
    let extraCount = Int(try cursor.uint16())
    let commentCount = Int(try cursor.uint16())
    let disk = try cursor.uint16()
    _ = try cursor.bytes(6)  // attributes
    let start = try cursor.uint32()
    name = try Self.name(try cursor.bytes(nameCount), flags: flags, at: entryOffset)
    let extraOffset = cursor.offset
    extra = try ZipExtra(try cursor.bytes(extraCount), at: extraOffset)
    _ = try cursor.bytes(commentCount)
    let values = try extra.resolve([sizes[1], sizes[0], start], at: entryOffset)
    (size, compressedSize, headerOffset) = (values[0], values[1], values[2])
    self.method = try Self.method(method, flags: flags, name: name, at: entryOffset)
    guard disk == 0 else { throw fault("is on another disk") }
    guard version <= Self.latestVersion else {
      throw CheckpointError(
        .unsupported("zip member \"\(name)\" needs zip version \(version / 10).\(version % 10)"),
        offset: entryOffset)
    }
    try checkSizes()
  }

  private static func name(
    _ bytes: [UInt8], flags: UInt16, at offset: Int
  ) throws(CheckpointError) -> TensorName {
    // Without the flag, names are in whatever code page the writer had.
    let isASCII = bytes.allSatisfy { $0 < 0x80 }
    guard let name = TensorName(validating: bytes), !bytes.contains(0),
      isASCII || flags & utf8Flag != 0
    else {
      throw CheckpointError(.malformed("the name of a zip member is not UTF-8"), offset: offset)
    }
    return name
  }

  private static func method(
    _ number: UInt16, flags: UInt16, name: TensorName, at offset: Int
  ) throws(CheckpointError) -> Method {
    func unsupported(_ reason: String) -> CheckpointError {
      CheckpointError(.unsupported("zip member \"\(name)\" \(reason)"), offset: offset)
    }
    guard flags & encryptedFlags == 0 else { throw unsupported("is encrypted") }
    guard let method = Method(rawValue: number) else {
      throw unsupported("has the compression method \(number), which is not known")
    }
    return method
  }

  private func checkSizes() throws(CheckpointError) {
    switch method {
    case .stored:
      guard compressedSize == size else { throw fault("is stored, but has two sizes") }
    case .deflated:
      guard let most = compressedSize.multipliedIfFits(by: Self.maximumRatio), size <= most else {
        throw fault("says it is larger than deflate can make it")
      }
    }
  }

  /// A fault of this member.
  func fault(_ reason: String) -> CheckpointError {
    CheckpointError(.malformed("zip member \"\(name)\" \(reason)"), offset: entryOffset)
  }

  /// Reads the local header, which must say the same as the directory.
  ///
  /// - Parameters:
  ///   - file: the archive.
  ///   - end: where the next member, or the directory, begins. Nothing may be left before it.
  /// - Returns: where the member's bytes begin.
  func dataOffset(in file: any ByteSource, before end: Int) throws(CheckpointError) -> Int {
    guard headerOffset <= end - 30 else { throw fault("overlaps what follows it") }
    var cursor = ByteCursor(
      try file.read(headerOffset..<headerOffset + 30), at: headerOffset)
    guard try cursor.uint32() == Self.localSignature else { throw fault("has no local header") }
    _ = try cursor.uint16()  // version
    let sameFlags = try cursor.uint16() == flags
    let sameMethod = try cursor.uint16() == method.rawValue
    _ = try cursor.uint32()  // time and date
    let localCRC = try cursor.uint32()
    let localSizes = [try cursor.uint32(), try cursor.uint32()]
    let nameCount = Int(try cursor.uint16())
    let extraCount = Int(try cursor.uint16())
    let start = headerOffset + 30 + nameCount + extraCount
    guard let dataEnd = start.addedIfFits(compressedSize), dataEnd <= end else {
      throw fault("overlaps what follows it")
    }
    var names = ByteCursor(try file.read(headerOffset + 30..<start), at: headerOffset + 30)
    let sameName = try names.bytes(nameCount).elementsEqual(name.text.utf8)
    let extra = try ZipExtra(try names.bytes(extraCount), at: headerOffset + 30 + nameCount)
    // Who streams an archive knows these only afterwards.
    var isOpen = hasDescriptor && localSizes == [0, 0] && localCRC == 0
    var isSame = false
    if isOpen {
      isOpen = try isOpenHeader(extra)
    } else {
      let sizes = try extra.resolve(
        [localSizes[1], localSizes[0]], at: headerOffset, mayRepeat: true)
      isSame = sizes == [size, compressedSize] && localCRC == crc
      isOpen = hasDescriptor && sizes == [0, 0] && localCRC == 0
    }
    guard sameFlags, sameMethod, sameName, isSame || isOpen else {
      throw fault("is described differently in its local header and in the directory")
    }
    try checkDescriptor(in: file, at: dataEnd, before: end)
    return start
  }

  /// Whether the 64-bit field of a local header without sizes says what the directory says: none is there,
  /// or one as miniz writes it, which torch uses: the sizes if they are long, the packed one not known yet,
  /// and the place of the header if it is far.
  private func isOpenHeader(_ extra: ZipExtra) throws(CheckpointError) -> Bool {
    guard let field = try extra.field(ZipExtra.zip64, at: headerOffset) else { return true }
    let long = Int(UInt32.max)
    let place = headerOffset >= long ? UInt64(headerOffset).littleEndianBytes : []
    let packed = [0, compressedSize].map { UInt64($0).littleEndianBytes }
    let sizes = size >= long ? packed.map { UInt64(size).littleEndianBytes + $0 } : [[]]
    return sizes.contains { field == $0 + place }
  }

  private func checkDescriptor(
    in file: any ByteSource, at start: Int, before end: Int
  ) throws(CheckpointError) {
    let count = end - start
    guard hasDescriptor else {
      if count > 0 { throw fault("has \(count) bytes after it that belong to nothing") }
      return
    }
    guard [12, 16, 20, 24].contains(count) else {
      throw fault("has \(count) bytes after it, which is no data descriptor")
    }
    var cursor = ByteCursor(try file.read(start..<end), at: start)
    if count == 16 || count == 24 {
      guard try cursor.uint32() == Self.descriptorSignature else {
        throw fault("has no data descriptor")
      }
    }
    let isLong = count >= 20
    let sameCRC = try cursor.uint32() == crc
    let compressed = isLong ? try cursor.uint64() : UInt64(try cursor.uint32())
    let full = isLong ? try cursor.uint64() : UInt64(try cursor.uint32())
    guard sameCRC, compressed == UInt64(compressedSize), full == UInt64(size) else {
      throw fault("is described differently in its data descriptor and in the directory")
    }
  }
}
