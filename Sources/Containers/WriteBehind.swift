import Dispatch
import Synchronization
import SystemPackage
import TensorCore

/// Writes full buffers to a file while the next one is being filled.
///
/// At most one buffer is on its way, so memory is bounded. The first error stops all writing, and
/// comes out of the next call.
final class WriteBehind: Sendable {
  private let descriptor: FileDescriptor
  private let target: FilePath
  private let queue = DispatchQueue(label: "tfkit.write-behind")
  private let state = Mutex(State())

  private struct State {
    var spare: [UInt8] = []
    var error: CheckpointError?
  }

  /// - Parameter target: the file's name in messages.
  init(_ descriptor: FileDescriptor, for target: FilePath) {
    self.descriptor = descriptor
    self.target = target
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
        beginWriteback(descriptor, at: offset, count: count)
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
}
