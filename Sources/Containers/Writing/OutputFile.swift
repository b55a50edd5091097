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
  /// How many bytes have been appended.
  var position: Int { flushed + filled }

  private let target: FilePath
  private let descriptor: FileDescriptor
  private let registration: TemporaryFiles.Registration
  let writer: WriteBehind
  private var isOpen = true
  private var isKept = false
  /// What was appended last; its first `filled` bytes belong at `flushed`.
  private var buffer: [UInt8] = []
  private var filled = 0
  private var flushed = 0
  private let journal: ResumeJournal?
  /// How many bytes an earlier run has written, which are right.
  var trusted: Int { journal?.trusted ?? 0 }

  /// Bytes that are moved at once.
  static let bufferSize = 3 << 20

  /// Creates a file.
  ///
  /// - Parameters:
  ///   - path: where; nothing may be there.
  ///   - target: the name that it will get, for messages.
  init(_ path: FilePath, for target: FilePath) throws(CheckpointError) {
    self.path = path
    self.target = target
    (descriptor, registration) = try Self.create(path, for: target, options: [.exclusiveCreate])
    writer = WriteBehind(descriptor, for: target)
    journal = nil
    // Tells other runs that we are alive. Where locks are not supported nobody can take one either.
    _ = flock(descriptor.rawValue, LOCK_EX | LOCK_NB)
  }

  /// Opens a file that is there or not, and sees to it that it is removed if the process is told to end.
  private static func create(
    _ path: FilePath, for target: FilePath, options: FileDescriptor.OpenOptions
  ) throws(CheckpointError) -> (FileDescriptor, TemporaryFiles.Registration) {
    let registration = TemporaryFiles.register(path)
    do throws(CheckpointError) {
      let descriptor = try systemCall("cannot create", target) {
        try FileDescriptor.open(
          path, .readWrite, options: options.union([.create, .noFollow, .closeOnExec]),
          permissions: [.ownerReadWrite, .groupReadWrite, .otherReadWrite],
          retryOnInterrupt: true)
      }
      return (descriptor, registration)
    } catch {
      registration.forget()
      throw error
    }
  }

  /// Opens a file that may be right already: what is appended is compared with what is there, and the
  /// first difference is an error. `nil` if it cannot be opened.
  init?(comparing path: FilePath, for target: FilePath) {
    guard
      let descriptor = try? FileDescriptor.open(
        path, .readOnly, options: [.nonBlocking, .noFollow, .closeOnExec])
    else { return nil }
    guard let old = try? InputFile(path) else {
      try? descriptor.close()
      return nil
    }
    self.path = path
    self.target = target
    self.descriptor = descriptor
    registration = TemporaryFiles.register(path)
    writer = WriteBehind(descriptor, for: target, comparingWith: old)
    journal = nil
    keep()
  }

  /// Creates a file, or goes on with one that an earlier run has begun to write of the same; it outlives errors.
  ///
  /// - Parameter key: what tells it from another one.
  /// - Throws: `CheckpointError` if it can be neither read nor written.
  init(resuming path: FilePath, for target: FilePath, key: String) throws(CheckpointError) {
    self.path = path
    self.target = target
    (descriptor, registration) = try Self.create(path, for: target, options: [.nonBlocking])
    writer = WriteBehind(descriptor, for: target)
    let journal: ResumeJournal
    do throws(CheckpointError) {
      journal = try ResumeJournal(of: path, descriptor, key: key)
    } catch {
      registration.forget()
      try? descriptor.close()
      throw error
    }
    self.journal = journal
    keep()
    try systemCall("cannot write", target) {
      try descriptor.resize(to: Int64(journal.trusted))
    }
  }

  /// Whether the file that is compared is not what was appended.
  var isDifferent: Bool { writer.isDifferent }

  deinit {
    writer.releaseBuffers()
    if isOpen { try? descriptor.close() }
    if !isKept {
      removeTree(path)
      registration.forget()
    }
  }

  /// Appends bytes.
  func write(_ bytes: RawSpan) throws(CheckpointError) {
    var start = 0
    while filled == 0, flushed < trusted, start < bytes.byteCount {
      let count = min(trusted - flushed, bytes.byteCount - start)
      try requireThere(bytes.extracting(start..<start + count))
      flushed += count
      start += count
    }
    while start < bytes.byteCount {
      try makeRoom()
      let count = min(buffer.count - filled, bytes.byteCount - start)
      unsafe buffer.withUnsafeMutableBytes { target in
        unsafe bytes.extracting(start..<start + count).withUnsafeBytes { source in
          unsafe UnsafeMutableRawBufferPointer(rebasing: target[filled..<filled + count])
            .copyMemory(from: source)
        }
      }
      filled += count
      start += count
    }
  }

  /// Fails if the next bytes of what an earlier run has written are others.
  private func requireThere(_ bytes: RawSpan) throws(CheckpointError) {
    var found = [UInt8](repeating: 0, count: bytes.byteCount)
    let count = try systemCall("cannot read", target) {
      try unsafe found.withUnsafeMutableBytes {
        try unsafe descriptor.read(fromAbsoluteOffset: Int64(flushed), into: $0)
      }
    }
    let isSame = unsafe bytes.withUnsafeBytes { unsafe $0.elementsEqual(found) }
    guard count == found.count, isSame else {
      writer.differs()
      throw CheckpointError(
        .malformed("is not what was to be written"), file: displayed(target))
    }
  }

  /// Appends bytes.
  func write(_ bytes: [UInt8]) throws(CheckpointError) {
    try unsafe write(bytes.span.bytes)
  }

  /// Takes the next `count` bytes of the file, to be filled later, and says where they begin.
  func reserve(_ count: Int) throws(CheckpointError) -> Int {
    if filled > 0 {
      // Here and now: threads that are about to start should find the processors free.
      try writer.finish()
      var full: [UInt8] = []
      swap(&full, &buffer)
      defer { swap(&full, &buffer) }
      try writer.write(unsafe full.span.bytes.extracting(first: filled), at: flushed)
      flushed += filled
      filled = 0
    }
    defer { flushed += count }
    return flushed
  }

  /// Writes bytes to a place that was reserved; from any thread.
  func fill(_ bytes: RawSpan, at offset: Int) throws(CheckpointError) {
    try writer.write(bytes, at: offset)
  }

  /// Replaces bytes that have been appended already.
  func patch(_ bytes: [UInt8], at offset: Int) throws(CheckpointError) {
    precondition(offset + bytes.count <= position, "patches only what is there")
    let inFile = min(bytes.count, max(0, flushed - offset))
    if inFile > 0 {
      try writer.finish()
      try writer.write(unsafe bytes.span.bytes.extracting(first: inFile), at: offset)
    }
    for index in inFile..<bytes.count { buffer[offset + index - flushed] = bytes[index] }
  }

  /// Appends a tensor's bytes, piece by piece; while one is written, the next is read.
  ///
  /// - Parameters:
  ///   - progress: hears the size of each piece.
  ///   - visit: sees each piece. Without it, what an earlier run has written is not read.
  func copy(
    _ tensor: Tensor, progress: (Int) -> Void, visit: ((RawSpan) -> Void)? = nil
  ) throws(CheckpointError) {
    var offset = 0
    while offset < tensor.byteCount {
      if visit == nil, filled == 0, flushed < trusted {
        let count = min(trusted - flushed, tensor.byteCount - offset)
        flushed += count
        offset += count
        progress(count)
        continue
      }
      try makeRoom()
      let count = min(buffer.count - filled, tensor.byteCount - offset)
      // Taken out while in use: a span cannot be borrowed from an object's property.
      var buffer: [UInt8] = []
      swap(&buffer, &self.buffer)
      defer { swap(&buffer, &self.buffer) }
      do throws(CheckpointError) {
        var span = buffer.mutableSpan
        var bytes = unsafe span.mutableBytes
        var piece = bytes._mutatingExtracting(filled..<filled + count)
        try tensor.bytes.read(at: offset, into: &piece)
      } catch {
        var error = error
        error.tensor = error.tensor ?? tensor.name
        throw error
      }
      visit?(unsafe buffer.span.bytes.extracting(filled..<filled + count))
      filled += count
      offset += count
      progress(count)
    }
  }

  /// Sees to it that there is room in the buffer.
  private func makeRoom() throws(CheckpointError) {
    if filled > 0, filled == buffer.count { try flush() }
    // Uninitialised: most files need little of it, and pages that nobody touches cost nothing.
    if buffer.isEmpty {
      buffer = unsafe [UInt8](unsafeUninitializedCapacity: Self.bufferSize) { $1 = $0.count }
    }
  }

  /// Hands what has been appended to the writer.
  private func flush() throws(CheckpointError) {
    guard filled > 0 else { return }
    var full: [UInt8] = []
    swap(&full, &buffer)
    journal?.add(full, count: filled, at: flushed)
    buffer = try writer.begin(full, count: filled, at: flushed)
    flushed += filled
    filled = 0
  }

  /// Makes the bytes durable.
  func synchronize() throws(CheckpointError) {
    try flush()
    try writer.finish()
    writer.releaseBuffers()
    buffer = []
    let size = try systemCall("cannot write", target) {
      while fsync(descriptor.rawValue) != 0 {
        if errno != EINTR { throw Errno(rawValue: errno) }
      }
      return try descriptor.stat().size
    }
    guard size == position else {
      writer.differs()
      throw CheckpointError(
        .malformed("somebody else has changed the file while it was written"),
        file: displayed(target))
    }
  }

  /// Closes the file, which gives up the lock that tells other runs that we are alive.
  func close() throws(CheckpointError) {
    guard isOpen else { return }
    isOpen = false
    try systemCall("cannot write", target) { try closeDurable(descriptor) }
  }

  /// The file has its name now, or belongs to a folder that has.
  func keep() {
    isKept = true
    registration.forget()
  }
}
