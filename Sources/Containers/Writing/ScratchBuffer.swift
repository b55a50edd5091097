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
      unsafe buffer.memory = .allocate(byteCount: capacity(for: size), alignment: 64)
    }
    return buffer
  }

  /// What to allocate for `size` bytes: the next power of two. Pieces come in many sizes, and memory
  /// that is exchanged for slightly more comes from the system page by page, again and again.
  static func capacity(for size: Int) -> Int {
    1 << (Int.bitWidth - max(size - 1, 0).leadingZeroBitCount)
  }

  /// Makes the buffer available to others.
  func release() {
    Self.idle.withLock { if $0.count < Self.most { $0.append(self) } }
  }
}
