import Dispatch
import Synchronization
import SystemPackage
import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Writes full buffers to a file while the next one is being filled.
///
/// At most one buffer is on its way, so memory is bounded. The first error stops all writing, and
/// comes out of the next call.
final class WriteBehind: Sendable {
  private let descriptor: FileDescriptor
  private let target: FilePath
  private let old: InputFile?
  private let queue = DispatchQueue(label: "tfkit.write-behind")
  private let state = Mutex(State())

  private struct State {
    var spare: [UInt8] = []
    var error: CheckpointError?
    var isDifferent = false
  }

  /// - Parameters:
  ///   - target: the file's name in messages.
  ///   - old: a file to compare bytes with, instead of writing them.
  init(_ descriptor: FileDescriptor, for target: FilePath, comparingWith old: InputFile? = nil) {
    self.descriptor = descriptor
    self.target = target
    self.old = old
  }

  /// Whether bytes were compared and found different.
  var isDifferent: Bool { state.withLock(\.isDifferent) }

  /// Takes note of a difference.
  func differs() {
    state.withLock { $0.isDifferent = true }
  }

  /// Begins to write the first `count` bytes of a buffer, after all that was begun before.
  ///
  /// - Returns: another buffer, of any size and content.
  func begin(_ buffer: [UInt8], count: Int, at offset: Int) throws(CheckpointError) -> [UInt8] {
    try finish()
    queue.async { [self] in
      var failure: CheckpointError?
      do throws(CheckpointError) {
        try write(unsafe buffer.span.bytes.extracting(first: count), at: offset)
        if old == nil { beginWriteback(descriptor, at: offset, count: count) }
      } catch {
        failure = error
      }
      state.withLock { state in
        state.spare = buffer
        state.error = state.error ?? failure
      }
    }
    return state.withLock { state in
      var buffer: [UInt8] = []
      swap(&buffer, &state.spare)
      return buffer
    }
  }

  /// Waits until everything has been written.
  func finish() throws(CheckpointError) {
    queue.sync {}
    if let error = state.withLock(\.error) { throw error }
  }

  /// Gives the memory back.
  func releaseBuffers() {
    queue.sync {}
    state.withLock { $0.spare = [] }
  }

  /// Writes here and now. Not while a write of the same bytes is on its way.
  func write(_ bytes: RawSpan, at offset: Int) throws(CheckpointError) {
    if let old { return try compare(bytes, with: old, at: offset) }
    try unsafe bytes.withUnsafeBytes { source throws(CheckpointError) in
      var rest = unsafe source[...]
      while unsafe !rest.isEmpty {
        let position = unsafe offset + rest.startIndex
        let count = try systemCall("cannot write", target) {
          try unsafe descriptor.write(
            toAbsoluteOffset: Int64(position), UnsafeRawBufferPointer(rebasing: rest),
            retryOnInterrupt: true)
        }
        // No file system should say so, and waiting for it to change its mind would be for ever.
        guard count > 0 else {
          throw CheckpointError(
            .system(Errno.noSpace.rawValue, "cannot write"), file: displayed(target))
        }
        unsafe rest = rest.dropFirst(count)
      }
    }
  }

  private func compare(
    _ bytes: RawSpan, with file: InputFile, at offset: Int
  ) throws(CheckpointError) {
    guard offset + bytes.byteCount <= file.size else { throw difference() }
    let found = try file.read(offset..<offset + bytes.byteCount)
    let isSame = unsafe bytes.withUnsafeBytes { expected in
      unsafe found.withUnsafeBytes { found in
        guard let a = expected.baseAddress, let b = found.baseAddress else { return true }
        return unsafe memcmp(a, b, expected.count) == 0
      }
    }
    guard isSame else { throw difference() }
  }

  private func difference() -> CheckpointError {
    differs()
    return CheckpointError(.malformed("is not what was to be written"), file: displayed(target))
  }
}
