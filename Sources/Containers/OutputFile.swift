import SystemPackage
import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A file that is being written under a temporary name, or inside a temporary folder.
///
/// It ends in one of two ways: its owner synchronises and closes it, gives it its name and keeps
/// it; or the object goes away and the file with it.
final class OutputFile {
  /// Where it is now.
  let path: FilePath
  /// How many bytes have been written.
  private(set) var position = 0

  private let descriptor: FileDescriptor
  private let registration: TemporaryFiles.Registration
  private let displayedName: String
  private var isOpen = true
  private var isKept = false
  /// One piece of a tensor on its way from one file to another.
  private var buffer: [UInt8] = []

  /// Bytes that are moved at once.
  static let bufferSize = 4 << 20

  /// Creates a file.
  ///
  /// - Parameters:
  ///   - path: where; nothing may be there.
  ///   - target: the name that it will get, for messages.
  init(_ path: FilePath, for target: FilePath) throws(CheckpointError) {
    self.path = path
    displayedName = displayed(target)
    registration = TemporaryFiles.register(path)
    do throws(CheckpointError) {
      descriptor = try systemCall("cannot create", target) {
        try FileDescriptor.open(
          path, .readWrite, options: [.create, .exclusiveCreate, .noFollow, .closeOnExec],
          permissions: [.ownerReadWrite, .groupReadWrite, .otherReadWrite],
          retryOnInterrupt: true)
      }
    } catch {
      registration.forget()
      throw error
    }
    // Tells other runs that we are alive. Where locks are not supported nobody can take one either.
    _ = flock(descriptor.rawValue, LOCK_EX | LOCK_NB)
  }

  deinit {
    if isOpen { try? descriptor.close() }
    if !isKept {
      removeTree(path)
      registration.forget()
    }
  }

  /// Appends bytes.
  func write(_ bytes: RawSpan) throws(CheckpointError) {
    try unsafe bytes.withUnsafeBytes { source throws(CheckpointError) in
      try unsafe write(source, at: position)
    }
    position += bytes.byteCount
  }

  /// Appends bytes.
  func write(_ bytes: [UInt8]) throws(CheckpointError) {
    try unsafe write(bytes.span.bytes)
  }

  /// Replaces bytes that have been written already.
  func patch(_ bytes: [UInt8], at offset: Int) throws(CheckpointError) {
    precondition(offset + bytes.count <= position, "patches only what is there")
    try unsafe bytes.span.bytes.withUnsafeBytes { source throws(CheckpointError) in
      try unsafe write(source, at: offset)
    }
  }

  private func write(
    _ source: UnsafeRawBufferPointer, at offset: Int
  ) throws(CheckpointError) {
    var rest = unsafe source[...]
    while unsafe !rest.isEmpty {
      let count = try named("cannot write") {
        try unsafe descriptor.writeAll(
          toAbsoluteOffset: Int64(offset + rest.startIndex),
          UnsafeRawBufferPointer(rebasing: rest))
      }
      unsafe rest = rest.dropFirst(count)
    }
  }

  /// Appends a tensor's bytes, piece by piece.
  ///
  /// - Parameters:
  ///   - progress: hears the size of each piece.
  ///   - visit: sees each piece.
  func copy(
    _ tensor: Tensor, progress: (Int) -> Void, visit: (RawSpan) -> Void = { _ in }
  ) throws(CheckpointError) {
    // Taken out while in use: a span cannot be borrowed from an object's property.
    var buffer: [UInt8] = []
    swap(&buffer, &self.buffer)
    defer { swap(&buffer, &self.buffer) }
    if buffer.isEmpty { buffer = [UInt8](repeating: 0, count: Self.bufferSize) }
    var offset = 0
    while offset < tensor.byteCount {
      let count = min(Self.bufferSize, tensor.byteCount - offset)
      do throws(CheckpointError) {
        var span = buffer.mutableSpan
        var bytes = unsafe span.mutableBytes
        var piece = bytes._mutatingExtracting(first: count)
        try tensor.bytes.read(at: offset, into: &piece)
      } catch {
        var error = error
        error.tensor = error.tensor ?? tensor.name
        throw error
      }
      let piece = unsafe buffer.span.bytes.extracting(first: count)
      visit(piece)
      try write(piece)
      progress(count)
      offset += count
    }
  }

  /// Makes the bytes durable.
  func synchronize() throws(CheckpointError) {
    try named("cannot write") {
      if fsync(descriptor.rawValue) != 0 { throw Errno(rawValue: errno) }
    }
  }

  /// Closes the file, which gives up the lock that tells other runs that we are alive.
  func close() throws(CheckpointError) {
    isOpen = false
    try named("cannot write") { try descriptor.close() }
  }

  /// The file has its name now, or belongs to a folder that has.
  func keep() {
    isKept = true
    registration.forget()
  }

  private func named<Result>(
    _ action: String, _ body: () throws -> Result
  ) throws(CheckpointError) -> Result {
    do throws(CheckpointError) {
      return try systemCall(action, path, body)
    } catch {
      var error = error
      error.file = displayedName
      throw error
    }
  }
}
