import SystemPackage
import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What is known of a file that is being written, beside it: which of its blocks are there, by their checksums. A run that ends
/// early leaves it, and the next one goes on behind the last block that is there.
///
/// A line that says what the file is made of, then a line for each block: the XXH3 of its bytes.
final class ResumeJournal {
  /// How many bytes of the file are right.
  private(set) var trusted = 0
  private let descriptor: FileDescriptor
  private var end = 0

  /// Bytes of a block: those of a full buffer of `OutputFile`.
  private static let blockSize = OutputFile.bufferSize
  private static let lineSize = 17
  /// The most bytes that are read of a journal.
  private static let limit = 64 << 20

  /// Where the journal of a file is.
  static func path(of file: FilePath) -> FilePath {
    file.sibling(Array(".".utf8) + (file.lastComponent?.bytes ?? []) + Array(".blocks".utf8))
  }

  /// Opens the journal of a file, and holds the file against it.
  ///
  /// - Parameter key: what the file is made of: with another one, nothing of it is right.
  /// - Throws: `CheckpointError` if it can be neither read nor written.
  init(of file: FilePath, _ descriptor: FileDescriptor, key: String) throws(CheckpointError) {
    let path = Self.path(of: file)
    let head = Array("tfkit resume 1 \(key)\n".utf8)
    self.descriptor = try systemCall("cannot create", path) {
      try FileDescriptor.open(
        path, .readWrite, options: [.create, .noFollow, .closeOnExec],
        permissions: [.ownerReadWrite])
    }
    let found = (try? SmallFile.read(path, limit: Self.limit)) ?? []
    if found.starts(with: head) {
      for line in found.dropFirst(head.count).split(separator: UInt8(ascii: "\n")) {
        guard let block = Self.read(descriptor, at: trusted),
          Self.text(of: block).utf8.elementsEqual(line)
        else { break }
        trusted += Self.blockSize
      }
    }
    end = trusted
    let size = trusted == 0 ? 0 : head.count + trusted / Self.blockSize * Self.lineSize
    try systemCall("cannot write", path) { try self.descriptor.resize(to: Int64(size)) }
    if trusted == 0 { try write(head, path) }
    try systemCall("cannot write", path) { _ = try self.descriptor.seek(offset: 0, from: .end) }
  }

  deinit { try? descriptor.close() }

  /// A block of the file; `nil` if it is not there, or not whole.
  private static func read(_ descriptor: FileDescriptor, at offset: Int) -> [UInt8]? {
    var block = [UInt8](repeating: 0, count: blockSize)
    var done = 0
    while done < blockSize {
      let count = try? unsafe block.withUnsafeMutableBytes { buffer in
        try unsafe descriptor.read(
          fromAbsoluteOffset: Int64(offset + done),
          into: UnsafeMutableRawBufferPointer(rebasing: buffer[done...]), retryOnInterrupt: true)
      }
      guard let count, count > 0 else { return nil }
      done += count
    }
    return block
  }

  private static func text(of block: [UInt8]) -> String {
    let digits = String(xxh3(block), radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  private func write(_ bytes: [UInt8], _ path: FilePath) throws(CheckpointError) {
    try systemCall("cannot write", path) { _ = try descriptor.writeAll(bytes) }
  }

  /// Takes note of bytes that are about to be written. Of those that are no block behind the last one nothing is known
  /// to the next run.
  func add(_ bytes: [UInt8], count: Int, at offset: Int) {
    guard offset == end, count == Self.blockSize, bytes.count == count else { return }
    guard (try? descriptor.writeAll(Array("\(Self.text(of: bytes))\n".utf8))) != nil else {
      // No further blocks, either.
      end = -1
      return
    }
    end += count
  }
}
