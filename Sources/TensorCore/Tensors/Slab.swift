import Synchronization

/// A stretch of bytes that was put together with some effort, kept for the reads that follow.
///
/// All slabs of the process share one budget: when a new one would exceed it, the oldest that nobody
/// is reading is given up, and put together again should it be needed. So a tensor made of many
/// others, each with a slab of its own, takes no more memory than any other.
package final class Slab: Sendable {
  /// Bytes of a slab, at most; a multiple of 1 MiB. Set once, before anything is read.
  package static var size: Int {
    get { sizeInMiB.load(ordering: .relaxed) << 20 }
    set { sizeInMiB.store(max(minimumSize, newValue) >> 20, ordering: .relaxed) }
  }

  /// The smallest size; smaller ones would make scattered reading endless.
  package static let minimumSize = 2 << 20
  private static let sizeInMiB = Atomic(40)

  /// A slab is often made from another one.
  private static var budget: Int { 2 * size }
  /// Two at a time may read bytes that use slabs: more would take each other's.
  fileprivate static let firstTurn = Mutex(())
  fileprivate static let secondTurn = Mutex(())
  private static let registry = Mutex<[Holder]>([])

  private struct Holder {
    weak var slab: Slab?
    let count: Int
  }

  private let content = Mutex<(start: Int, bytes: [UInt8])>((0, []))

  package init() {}

  /// Fills `buffer` with the bytes from `offset` on.
  ///
  /// - Parameters:
  ///   - size: the most bytes that a slab will have.
  ///   - gather: puts the slab together that has a byte in it.
  package func read(
    at offset: Int, into buffer: inout MutableRawSpan, size: Int,
    gather: (Int) throws(CheckpointError) -> (start: Int, bytes: [UInt8])
  ) throws(CheckpointError) {
    try unsafe buffer.withUnsafeMutableBytes { target throws(CheckpointError) in
      try content.withLock { content throws(CheckpointError) in
        var done = 0
        while done < target.count {
          let position = offset + done
          if !(content.start..<content.start + content.bytes.count).contains(position) {
            content = (0, [])
            makeRoom(for: size)
            content = try gather(position)
            makeRoom(for: content.bytes.count)
          }
          let first = position - content.start
          let count = min(target.count - done, content.bytes.count - first)
          unsafe content.bytes.withUnsafeBytes { source in
            unsafe UnsafeMutableRawBufferPointer(rebasing: target[done..<done + count])
              .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[first..<first + count]))
          }
          done += count
          // Read to its end, a slab is not needed any more, and a model has many of them.
          if first + count == content.bytes.count { content = (0, []) }
        }
      }
    }
  }

  /// Enters this slab as the newest, and gives up old ones that are too many.
  private func makeRoom(for count: Int) {
    Self.registry.withLock { holders in
      holders.removeAll { $0.slab == nil || $0.slab === self }
      var total = count + holders.reduce(0) { $0 + $1.count }
      holders.removeAll { holder in
        guard total > Self.budget, holder.slab?.giveUp() != false else { return false }
        total -= holder.count
        return true
      }
      holders.append(Holder(slab: self, count: count))
    }
  }

  /// Forgets the bytes, unless somebody is reading them.
  private func giveUp() -> Bool {
    content.withLockIfAvailable { $0 = (0, []) } != nil
  }
}

extension TensorBytes {
  /// Runs `body`, which reads these bytes from the first to the last; beside one other at most, if they use
  /// slabs.
  package func inTurn<Result: Sendable>(
    _ body: () throws(CheckpointError) -> Result
  ) throws(CheckpointError) -> Result {
    guard usesSlab else { return try body() }
    let result = try Slab.firstTurn.withLockIfAvailable { _ throws(CheckpointError) in try body() }
    if let result { return result }
    return try Slab.secondTurn.withLock { _ throws(CheckpointError) in try body() }
  }
}
