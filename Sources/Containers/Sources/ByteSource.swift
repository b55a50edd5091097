import SystemPackage
import TensorCore

/// Bytes that can be read from any place, and stay what they were when they were opened: a local file,
/// or a member of an archive.
protocol ByteSource: Sendable {
  /// What it is called when something is wrong with it.
  var name: String { get }
  /// Its name in the place where it was found, as the place has it.
  var fileName: [UInt8] { get }
  /// How many bytes there are.
  var size: Int { get }

  /// Fills `buffer` from `offset` on.
  ///
  /// - Throws: `CheckpointError` if fewer bytes exist, or they have changed since it was opened.
  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError)

  /// Says that the bytes of `range` will be read soon.
  func announce(_ range: Range<Int>)

  /// The file of that name, which may have slashes in it, in the folder that this one is in.
  ///
  /// - Throws: `CheckpointError` if there is none, or this is no file in a folder.
  func neighbour(_ name: [UInt8]) throws(CheckpointError) -> any ByteSource
}

extension ByteSource {
  func neighbour(_ other: [UInt8]) throws(CheckpointError) -> any ByteSource {
    throw CheckpointError(
      .unsupported("is no file of its own, and a part of it is in another file"), file: name)
  }

  /// The bytes of `range`.
  func read(_ range: Range<Int>) throws(CheckpointError) -> [UInt8] {
    try FileBytes(file: self, start: range.lowerBound, count: range.count).read(0..<range.count)
  }

  /// The first bytes, at most `count`.
  func head(_ count: Int) throws(CheckpointError) -> [UInt8] {
    try read(0..<min(count, size))
  }

  /// What follows the last dot of its name, in lower case; empty if there is no dot, or only the first.
  var fileExtension: String { suffix(ofFileName: fileName) }

  /// Its name up to the last dot.
  var stem: String {
    let end = fileName.lastIndex(of: UInt8(ascii: ".")) ?? fileName.endIndex
    return String(decoding: end == 0 ? fileName[...] : fileName[..<end], as: UTF8.self)
  }
}

/// What follows the last dot of a file's name, in lower case, unless that is the first byte.
func suffix(ofFileName name: some BidirectionalCollection<UInt8>) -> String {
  guard let dot = name.lastIndex(of: UInt8(ascii: ".")), dot != name.startIndex else { return "" }
  return String(decoding: name[name.index(after: dot)...], as: UTF8.self).lowercased()
}

/// A stretch of another source, which is a file of its own there: a member of an archive.
struct ArchiveMember: ByteSource {
  let archive: any ByteSource
  let fileName: [UInt8]
  /// Where its bytes begin in the archive.
  let start: Int
  let size: Int

  var name: String { archive.name + "/" + String(decoding: fileName, as: UTF8.self) }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    guard offset >= 0, offset <= size, buffer.byteCount <= size - offset else {
      throw CheckpointError(
        .truncated(needed: buffer.byteCount, available: max(0, size - offset)), file: name,
        offset: offset)
    }
    try archive.read(at: start + offset, into: &buffer)
  }

  func announce(_ range: Range<Int>) {
    archive.announce(start + range.lowerBound..<start + range.upperBound)
  }
}

/// Where files are found by name: a folder, or an archive.
protocol Place {
  /// The names of all files in it; those in folders of an archive with slashes.
  func fileNames() throws(CheckpointError) -> [[UInt8]]

  /// The file of that name.
  ///
  /// - Throws: `CheckpointError` if there is none, or it cannot be opened.
  func open(_ name: [UInt8]) throws(CheckpointError) -> any ByteSource
}
