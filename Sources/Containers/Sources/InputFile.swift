import SystemPackage
import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A regular file that is open for reading, and stays what it was when it was opened, on this machine or another.
///
/// On this one only `pread` touches it: a mapped file that somebody truncates is a crash, a short read is an
/// error. Size and modification time are remembered, and compared after every read.
final class InputFile: ByteSource {
  /// Where it is.
  let path: FilePath
  /// The path as it is printed.
  let name: String
  var fileName: [UInt8] { path.lastComponent?.bytes ?? [] }
  /// Bytes in the file when it was opened.
  let size: Int

  private enum Place {
    case local(FileDescriptor, Stat)
    case remote(RemoteFile)
  }

  private let place: Place

  /// Opens a file.
  ///
  /// - Throws: `CheckpointError` if there is none, or it is not a regular file.
  init(_ path: FilePath) throws(CheckpointError) {
    self.path = path
    name = displayed(path)
    if path.isRemote {
      let file = try RemotePlaces.shared.open(path)
      (place, size) = (.remote(file), file.size)
      return
    }
    // Without O_NONBLOCK, opening a FIFO would wait for a writer.
    let descriptor = try Self.whereSomethingIs(path) { () throws(CheckpointError) in
      try systemCall("cannot open", path) {
        try FileDescriptor.open(
          path, .readOnly, options: [.nonBlocking, .closeOnExec], retryOnInterrupt: true)
      }
    }
    do throws(CheckpointError) {
      let state = try systemCall("cannot examine", path) { try descriptor.stat() }
      guard state.type == .regular, let size = Int(exactly: state.size) else {
        throw CheckpointError(
          .malformed("is \(state.type.words), not a regular file"), file: name,
          advice: "tensors are read from any place of a file: write it to one first")
      }
      self.size = size
      place = .local(descriptor, state)
    } catch {
      try? descriptor.close()
      throw error
    }
  }

  deinit {
    if case .local(let descriptor, _) = place { try? descriptor.close() }
  }

  /// Does what fails if nothing is at `path`, and says why nothing is.
  static func whereSomethingIs<Result>(
    _ path: FilePath, _ body: () throws(CheckpointError) -> Result
  ) throws(CheckpointError) -> Result {
    do throws(CheckpointError) {
      return try body()
    } catch {
      guard case .system(let number, _) = error.problem, number == ENOENT else { throw error }
      throw CheckpointError.missing(path) ?? error
    }
  }

  /// Fills `buffer` from `offset` on.
  ///
  /// - Throws: `CheckpointError` if fewer bytes exist, or the file has changed since it was opened.
  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    guard offset >= 0, offset <= size, buffer.byteCount <= size - offset else {
      throw CheckpointError(
        .truncated(needed: buffer.byteCount, available: max(0, size - offset)), file: name,
        offset: offset)
    }
    let descriptor: FileDescriptor
    switch place {
    case .local(let local, _): descriptor = local
    case .remote(let file):
      return try unsafe buffer.withUnsafeMutableBytes { target throws(CheckpointError) in
        try unsafe file.read(at: offset, into: target)
      }
    }
    try unsafe buffer.withUnsafeMutableBytes { target throws(CheckpointError) in
      var target = unsafe target[...]
      while unsafe !target.isEmpty {
        let position = unsafe offset + target.startIndex
        let count = try systemCall("cannot read", path) {
          try unsafe descriptor.read(
            fromAbsoluteOffset: Int64(position),
            into: UnsafeMutableRawBufferPointer(rebasing: target), retryOnInterrupt: true)
        }
        guard count > 0 else { throw CheckpointError(.changedWhileRead, file: name) }
        unsafe target = target.dropFirst(count)
      }
    }
    try checkUnchanged()
  }

  /// Says that the bytes of `range` will be read soon.
  func announce(_ range: Range<Int>) {
    guard case .local(let descriptor, _) = place else { return }
    beginReadahead(descriptor, at: range.lowerBound, count: range.count)
  }

  func neighbour(_ name: [UInt8]) throws(CheckpointError) -> any ByteSource {
    try InputFile(path.removingLastComponent().descendant(name))
  }

  /// The SHA-256 that a hub says of it; of a file of this machine `nil`.
  var statedSHA256: String? { if case .remote(let file) = place { file.sha256 } else { nil } }

  /// What the file was when it was opened.
  var stamp: FileStamp {
    switch place {
    case .local(_, let state): FileStamp(state)
    case .remote(let file): FileStamp(file)
    }
  }

  /// - Throws: `CheckpointError` if size or modification time are not what they were.
  func checkUnchanged() throws(CheckpointError) {
    guard case .local(let descriptor, let state) = place else { return }
    let now = try systemCall("cannot examine", path) { try descriptor.stat() }
    guard now.size == state.size, now.st_mtim.tv_sec == state.st_mtim.tv_sec,
      now.st_mtim.tv_nsec == state.st_mtim.tv_nsec
    else { throw CheckpointError(.changedWhileRead, file: name) }
  }
}

/// What tells one state of a file from another, and one file from another.
struct FileStamp: Equatable, Sendable {
  private let numbers: [Int64]
  private let mark: String

  init(_ file: RemoteFile) { (numbers, mark) = ([Int64(file.size)], file.mark) }

  init(_ state: Stat) {
    mark = ""
    numbers = [
      Int64(truncatingIfNeeded: state.rawValue.st_dev),
      Int64(truncatingIfNeeded: state.rawValue.st_ino), state.size,
      Int64(state.st_mtim.tv_sec), Int64(state.st_mtim.tv_nsec),
    ]
  }

  /// The stamp of what is at a path, or `nil` if nothing is.
  init?(_ path: FilePath) {
    if path.isRemote {
      guard let file = try? RemotePlaces.shared.open(path) else { return nil }
      self.init(file)
      return
    }
    guard let state = path.status else { return nil }
    self.init(state)
  }
}

/// A file that many stretches are of. Each of these takes a word for it, and with two it would not fit into a
/// tensor without a box of its own.
final class SharedSource: Sendable {
  let source: any ByteSource

  init(_ source: any ByteSource) { self.source = source }
}

/// A stretch of a file.
struct FileBytes: TensorBytes {
  private let shared: SharedSource
  let start: Int
  let count: Int
  var file: any ByteSource { shared.source }

  init(file: any ByteSource, start: Int, count: Int) {
    self.init(of: SharedSource(file), start: start, count: count)
  }

  /// One of many of a file.
  init(of shared: SharedSource, start: Int, count: Int) {
    (self.shared, self.start, self.count) = (shared, start, count)
  }

  var isReadForwards: Bool { false }
  var fileName: String? { file.name }
  var stated: StatedBytes? {
    (file as? InputFile)?.statedSHA256.map {
      StatedBytes(file: file.name, sha256: $0, range: start..<start + count)
    }
  }

  func announce(_ range: Range<Int>) {
    file.announce(start + range.lowerBound..<start + range.upperBound)
  }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    precondition(offset >= 0 && offset <= count - buffer.byteCount, "read past the end of a tensor")
    try file.read(at: start + offset, into: &buffer)
  }
}

/// Runs a system call, and turns its error number into an error about `path`.
func systemCall<Result>(
  _ action: String, _ path: FilePath, _ body: () throws -> Result
) throws(CheckpointError) -> Result {
  do {
    return try body()
  } catch let error as CheckpointError {
    throw error
  } catch {
    let number = (error as? Errno)?.rawValue ?? 0
    throw CheckpointError(.system(number, action), file: displayed(path))
  }
}

extension FileType {
  /// What it is, with an article.
  var words: String {
    switch self {
    case .directory: "a folder"
    case .fifo: "a pipe"
    case .socket: "a socket"
    case .characterSpecial, .blockSpecial: "a device"
    case .symbolicLink: "a symbolic link"
    case .regular: "a file of impossible size"
    default: "something unknown"
    }
  }
}
