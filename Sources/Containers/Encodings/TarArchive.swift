import TensorCore

/// A tar archive as a place where files are found.
///
/// Source: POSIX.1-2017, pax, "ustar Interchange Format". Names of the pax and GNU extensions are not
/// read: such members have the shortened names that stand in their headers.
struct TarArchive: Place {
  /// A regular file in the archive.
  struct Member {
    /// Its path, without a leading `./`.
    let name: [UInt8]
    /// Where its bytes begin.
    let start: Int
    /// How many there are.
    let size: Int
  }

  /// The regular files, as far as headers could be read; at most `limit` headers are.
  private(set) var members: [Member] = []
  private let source: any ByteSource

  private static let blockSize = 512
  private static let limit = 1024

  /// Reads the headers of an archive that begins with `head`, or `nil` if it is none.
  init?(_ source: any ByteSource, head: [UInt8]) {
    guard head.count == Self.blockSize, head[257...].starts(with: "ustar".utf8) else { return nil }
    self.source = source
    var position = 0
    var header = head
    for _ in 0..<Self.limit {
      guard header.count == Self.blockSize, header[257...].starts(with: "ustar".utf8),
        let size = Self.number(header[124..<136])
      else { return }
      let start = position + Self.blockSize
      // A regular file; some programs write a zero byte.
      if [UInt8(ascii: "0"), 0].contains(header[156]), size <= source.size - start {
        members.append(Member(name: Self.name(header), start: start, size: size))
      }
      guard let padded = size.addedIfFits(Self.blockSize - 1),
        let next = start.addedIfFits(padded / Self.blockSize * Self.blockSize),
        next <= source.size - Self.blockSize,
        let bytes = try? source.read(next..<next + Self.blockSize)
      else { return }
      (position, header) = (next, bytes)
    }
  }

  func fileNames() -> [[UInt8]] { members.map(\.name) }

  func open(_ name: [UInt8]) throws(CheckpointError) -> any ByteSource {
    guard let member = members.first(where: { $0.name == name }) else {
      let text = String(decoding: name, as: UTF8.self)
      throw CheckpointError(.malformed("has no \"\(text)\" in it"), file: source.name)
    }
    return ArchiveMember(
      archive: source, fileName: name, start: member.start, size: member.size)
  }

  /// A number in octal digits; `nil` if it is something else, such as GNU's binary numbers.
  private static func number(_ field: ArraySlice<UInt8>) -> Int? {
    let digits = field.prefix { $0 != 0 && $0 != 0x20 }
    return Int(String(decoding: digits, as: UTF8.self), radix: 8).flatMap { $0 >= 0 ? $0 : nil }
  }

  private static func name(_ header: [UInt8]) -> [UInt8] {
    let prefix = header[345..<500].prefix { $0 != 0 }
    let name = header[0..<100].prefix { $0 != 0 }
    let path = prefix.isEmpty ? Array(name) : Array(prefix) + [UInt8(ascii: "/")] + name
    return path.starts(with: "./".utf8) ? Array(path.dropFirst(2)) : path
  }
}
