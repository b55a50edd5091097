import Dispatch
import Synchronization
import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Pieces of a file that several threads make, and one at a time writes.
///
/// File systems let one thread at a time write to a file, and waste what others could do meanwhile.
/// So whoever finds the file busy leaves the piece to the thread that writes, and makes the next one.
/// Memory is bounded: where too many pieces wait, their makers wait as well.
final class WriteQueue: Sendable {
  private let writer: WriteBehind
  /// Places for pieces that wait.
  private let room: DispatchSemaphore
  private let state = Mutex(State())

  /// How many pieces may wait: two for each thread, since pieces take different times to be made.
  static var most: Int { 2 * Workers.count }

  private struct Piece {
    let buffer: ScratchBuffer
    let count: Int
    let offset: Int
  }

  private struct State {
    var waiting: [Piece] = []
    var isWriting = false
    var error: CheckpointError?
  }

  /// - Parameter writer: writes to the file.
  init(_ writer: WriteBehind) {
    self.writer = writer
    room = DispatchSemaphore(value: Self.most)
  }

  /// Sees to it that the first `count` bytes of a buffer are written, and the buffer given back.
  ///
  /// They are in the file when all calls have returned.
  ///
  /// - Throws: the first error of writing, of any piece; nothing is written after it.
  func write(_ buffer: ScratchBuffer, count: Int, at offset: Int) throws(CheckpointError) {
    waitForRoom()
    let isFree = state.withLock { state in
      state.waiting.append(Piece(buffer: buffer, count: count, offset: offset))
      defer { state.isWriting = true }
      return !state.isWriting
    }
    if isFree {
      while let piece = next() { write(piece) }
    }
    if let error = state.withLock(\.error) { throw error }
  }

  /// Waits for a place, awake for about as long as a piece takes: a thread that sleeps may have to
  /// wait for its turn at a processor when it wakes, and that is many times as long.
  private func waitForRoom() {
    let end = DispatchTime.now().uptimeNanoseconds + 1_000_000
    while room.wait(timeout: .now()) == .timedOut {
      if DispatchTime.now().uptimeNanoseconds > end { return room.wait() }
      sched_yield()
    }
  }

  /// The piece that has waited longest; without one, the file is free.
  private func next() -> Piece? {
    state.withLock { state in
      guard !state.waiting.isEmpty else {
        state.isWriting = false
        return nil
      }
      return state.waiting.removeFirst()
    }
  }

  private func write(_ piece: Piece) {
    defer {
      piece.buffer.release()
      room.signal()
    }
    guard state.withLock({ $0.error == nil }) else { return }
    let bytes = unsafe UnsafeRawBufferPointer(rebasing: piece.buffer.memory[..<piece.count])
    do throws(CheckpointError) {
      try unsafe writer.write(RawSpan(_unsafeBytes: bytes), at: piece.offset)
    } catch {
      state.withLock { $0.error = error }
    }
  }
}
