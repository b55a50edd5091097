import TensorCore

/// The files of a tar archive in which nothing may be wrong: names that stay inside it, each once, no links, checksums
/// that fit, and an end.
///
/// Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header"; names and sizes of GNU tar, too.
struct TarDirectory {
  /// A regular file in the archive.
  struct Member {
    /// Its path, without a leading `./`.
    let name: String
    /// Where its bytes begin.
    let start: Int
    /// How many there are.
    let size: Int
  }

  private(set) var members: [Member] = []
  private let file: any ByteSource

  private static let block = 512
  /// Bytes of a name, or of what is said of one, that stands in blocks of its own.
  private static let longestText = 1 << 16

  /// Reads all headers.
  ///
  /// - Throws: `CheckpointError` that says where what is wrong.
  init(_ file: any ByteSource) throws(CheckpointError) {
    self.file = file
    var position = 0
    var said = Said()
    var names: Set<String> = []
    while let header = try Self.header(in: file, at: position) {
      let start = position + Self.block
      let size = said.size ?? header.size
      guard size <= file.size - start else {
        throw CheckpointError(
          .truncated(needed: size, available: file.size - start), offset: position)
      }
      let next = start + (size + Self.block - 1) / Self.block * Self.block
      if header.saysMore {
        guard size <= Self.longestText else {
          throw CheckpointError(
            .limitExceeded("the size of a name", limit: Self.longestText, found: size),
            offset: position)
        }
        try said.add(header.kind, try file.read(start..<start + size), at: position)
      } else {
        let name = said.name ?? header.name
        try Self.check(name, header.kind, at: position)
        if header.isFile {
          let path = name.hasPrefix("./") ? String(name.dropFirst(2)) : name
          guard names.insert(path).inserted else {
            throw CheckpointError(
              .malformed("has \(escaped(path)) twice"), offset: position)
          }
          guard members.count < Limits.tarMembers else {
            throw CheckpointError(
              .limitExceeded(
                "the number of files", limit: Limits.tarMembers, found: members.count + 1),
              offset: position)
          }
          members.append(Member(name: path, start: start, size: size))
        }
        said = Said()
      }
      position = next
    }
  }

  /// A file as one of its own.
  func source(of member: Member) -> any ByteSource {
    ArchiveMember(
      archive: file, fileName: Array(member.name.utf8), start: member.start, size: member.size)
  }

  /// Its bytes.
  func bytes(of member: Member) -> FileBytes {
    FileBytes(file: file, start: member.start, count: member.size)
  }

  /// The header at a place; `nil` at the end, which is a block of zeros.
  private static func header(
    in file: any ByteSource, at position: Int
  ) throws(CheckpointError) -> Header? {
    let left = file.size - position
    guard left >= block else {
      throw CheckpointError(
        left > 0
          ? .truncated(needed: block, available: left)
          : .malformed("ends without the zeros that end a tar archive"),
        offset: position)
    }
    let bytes = try file.read(position..<position + block)
    if bytes.allSatisfy({ $0 == 0 }) { return nil }
    return try Header(bytes, at: position)
  }

  /// Refuses names that lead out of the archive, and what is neither a file nor a folder.
  private static func check(
    _ name: String, _ kind: UInt8, at position: Int
  ) throws(CheckpointError) {
    let kinds: [UInt8: String] = [
      UInt8(ascii: "1"): "a link", UInt8(ascii: "2"): "a link", UInt8(ascii: "3"): "a device",
      UInt8(ascii: "4"): "a device", UInt8(ascii: "6"): "a pipe",
    ]
    let isPlain = [0, UInt8(ascii: "0"), UInt8(ascii: "5"), UInt8(ascii: "7")].contains(kind)
    if !isPlain {
      throw CheckpointError(
        .malformed("\(escaped(name)) in it is \(kinds[kind] ?? "no file")"), offset: position)
    }
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    if name.isEmpty || name.hasPrefix("/") || parts.contains("..") {
      throw CheckpointError(
        .malformed("the name \(escaped(name)) leads out of the archive"), offset: position)
    }
  }
}

/// What a header says.
private struct Header {
  let name: String
  let size: Int
  let kind: UInt8

  var isFile: Bool { kind != UInt8(ascii: "5") }

  /// Whether its bytes say something of the next header, or of all: pax, and GNU's long names.
  var saysMore: Bool { ["x", "g", "L", "K"].map { UInt8(ascii: $0) }.contains(kind) }

  init(_ bytes: [UInt8], at position: Int) throws(CheckpointError) {
    guard bytes[257...].starts(with: "ustar".utf8) else {
      throw CheckpointError(.malformed("a header of the tar archive is none"), offset: position)
    }
    let sum = bytes.indices.reduce(0) { $0 + ((148..<156).contains($1) ? 0x20 : Int(bytes[$1])) }
    guard let stored = Self.octal(bytes[148..<156]), stored == sum else {
      throw CheckpointError(.checksum("a header of the tar archive"), offset: position)
    }
    guard let size = Self.number(bytes[124..<136]) else {
      throw CheckpointError(
        .malformed("a file's size in the tar archive is no number"), offset: position)
    }
    self.size = size
    kind = bytes[156]
    let own = String(decoding: bytes[0..<100].prefix { $0 != 0 }, as: UTF8.self)
    // GNU's headers have times where others have the beginning of a name.
    let isPOSIX = bytes[262] == 0
    let prefix = String(decoding: bytes[345..<500].prefix { $0 != 0 }, as: UTF8.self)
    name = isPOSIX && !prefix.isEmpty ? prefix + "/" + own : own
  }

  /// A number in octal digits, or, as GNU tar has it, in bytes behind one with the highest bit.
  private static func number(_ field: ArraySlice<UInt8>) -> Int? {
    guard let first = field.first, first & 0x80 != 0 else { return octal(field) }
    guard first == 0x80, field.dropFirst().prefix(4).allSatisfy({ $0 == 0 }) else { return nil }
    return field.suffix(7).reduce(0) { $0 << 8 | Int($1) }
  }

  private static func octal(_ field: ArraySlice<UInt8>) -> Int? {
    let digits = field.drop { $0 == 0x20 }.prefix { $0 != 0 && $0 != 0x20 }
    guard digits.allSatisfy({ (0x30..<0x38).contains($0) }) else { return nil }
    return digits.isEmpty ? 0 : Int(String(decoding: digits, as: UTF8.self), radix: 8)
  }
}

/// What blocks before a header say of its file.
private struct Said {
  var name: String?
  var size: Int?

  mutating func add(_ kind: UInt8, _ bytes: [UInt8], at position: Int) throws(CheckpointError) {
    switch kind {
    case UInt8(ascii: "L"): name = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    case UInt8(ascii: "x"): try read(bytes, at: position)
    default: break
    }
  }

  /// Records `LENGTH KEY=VALUE\n`.
  private mutating func read(_ bytes: [UInt8], at position: Int) throws(CheckpointError) {
    var rest = bytes[...]
    while let space = rest.firstIndex(of: 0x20) {
      guard let length = Int(String(decoding: rest[..<space], as: UTF8.self)),
        length > space - rest.startIndex + 1, length <= rest.count
      else { break }
      let record = rest[(space + 1)..<(rest.startIndex + length)].dropLast()
      rest = rest.dropFirst(length)
      guard let sign = record.firstIndex(of: UInt8(ascii: "=")) else { break }
      let value = String(decoding: record[(sign + 1)...], as: UTF8.self)
      switch String(decoding: record[..<sign], as: UTF8.self) {
      case "path": name = value
      case "size":
        guard let number = Int(value), number >= 0 else {
          throw CheckpointError(
            .malformed("a file's size in the tar archive is no number"), offset: position)
        }
        size = number
      default: break
      }
    }
    guard rest.isEmpty else {
      throw CheckpointError(
        .malformed("what stands before a file in the tar archive is no record"), offset: position)
    }
  }
}
