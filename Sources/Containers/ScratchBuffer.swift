import Synchronization
import TensorCore

/// Memory for one piece of bytes on its way. It is used again and again, by one thread at a time.
@safe final class ScratchBuffer: @unchecked Sendable {
  /// The memory; uninitialised, or with bytes of whoever had it before.
  private(set) var memory = unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)

  private static let idle = Mutex<[ScratchBuffer]>([])
  /// Buffers that are kept for whoever comes next.
  private static let most = 32

  private init() {}

  deinit {
    unsafe memory.deallocate()
  }

  /// A buffer of at least `size` bytes; give it back with `release`.
  static func take(_ size: Int) -> ScratchBuffer {
    let buffer = idle.withLock { $0.popLast() } ?? ScratchBuffer()
    if unsafe buffer.memory.count < size {
      unsafe buffer.memory.deallocate()
      unsafe buffer.memory = .allocate(byteCount: size, alignment: 64)
    }
    return buffer
  }

  /// Makes the buffer available to others.
  func release() {
    Self.idle.withLock { if $0.count < Self.most { $0.append(self) } }
  }

  /// Calls `body` with a buffer of at least `size` bytes.
  static func with<Result>(
    _ size: Int, _ body: (ScratchBuffer) throws(CheckpointError) -> Result
  ) throws(CheckpointError) -> Result {
    let buffer = take(size)
    defer { buffer.release() }
    return try body(buffer)
  }
}
