import Dispatch
import Synchronization
import TensorCore

/// Stretches of a remote file that have come: headers are read in small pieces, and a request takes longer than its bytes.
///
/// Who reads on where a stretch ends gets twice as much with the next request. All files together keep 64 MiB; what goes first is what
/// was not read for the longest time.
final class RemoteWindows: Sendable {
  /// What to do for bytes that are wanted.
  enum Step {
    /// So many were there.
    case copied(Int)
    /// Somebody asks for them already.
    case wait(DispatchGroup)
    /// Ask for these, and keep them.
    case fetch(Range<Int>, DispatchGroup)
    /// Ask for so many without keeping them.
    case direct(Int)
  }

  private struct Window {
    let start: Int
    let bytes: [UInt8]
    var use: Int
    var end: Int { start + bytes.count }
  }

  /// What is there of all files.
  private struct Shelf {
    var windows: [ObjectIdentifier: [Window]] = [:]
    var byteCount = 0
    var clock = 0

    mutating func tick() -> Int {
      clock += 1
      return clock
    }

    mutating func removeOldest() {
      let oldest = windows.min { ($0.value.first?.use ?? .max) < ($1.value.first?.use ?? .max) }
      guard let oldest, let window = oldest.value.first else { return }
      byteCount -= window.bytes.count
      windows[oldest.key] = oldest.value.count > 1 ? Array(oldest.value.dropFirst()) : nil
    }
  }

  private static let shelf = Mutex(Shelf())
  private static let most = 64 << 20
  private static let unit = 1 << 16
  /// Bytes of a stretch.
  private static let longest = 4 << 20

  /// What has been asked for.
  private let coming = Mutex<[(range: Range<Int>, group: DispatchGroup)]>([])

  deinit {
    let id = ObjectIdentifier(self)
    Self.shelf.withLock { shelf in
      let windows = shelf.windows.removeValue(forKey: id) ?? []
      shelf.byteCount -= windows.reduce(0) { $0 + $1.bytes.count }
    }
  }

  /// Keeps bytes.
  func keep(_ bytes: [UInt8], at start: Int) {
    guard !bytes.isEmpty else { return }
    let id = ObjectIdentifier(self)
    Self.shelf.withLock { shelf in
      shelf.byteCount += bytes.count
      while shelf.byteCount > Self.most, !shelf.windows.isEmpty { shelf.removeOldest() }
      // In the order of their last use.
      shelf.windows[id, default: []].append(
        Window(start: start, bytes: bytes, use: shelf.tick()))
    }
  }

  /// Says that what somebody has asked for has come, or will not.
  func forget(_ group: DispatchGroup) {
    coming.withLock { $0.removeAll { $0.group === group } }
    group.leave()
  }

  /// Copies what is there from `place` on, or says what to do for it.
  func copy(
    from place: Int, into buffer: UnsafeMutableRawBufferPointer, fileSize: Int
  ) -> Step {
    let id = ObjectIdentifier(self)
    let wanted = buffer.count
    nonisolated(unsafe) let buffer = unsafe buffer
    return coming.withLock { coming in
      let (copied, before) = Self.shelf.withLock { shelf -> (Int, Int?) in
        let windows = shelf.windows[id] ?? []
        guard let index = windows.firstIndex(where: { $0.start <= place && place < $0.end }) else {
          return (0, windows.filter { $0.end == place }.map(\.bytes.count).max())
        }
        var window = windows[index]
        let count = min(wanted, window.end - place)
        unsafe window.bytes.withUnsafeBytes { bytes in
          let first = place - window.start
          unsafe buffer.copyMemory(
            from: UnsafeRawBufferPointer(rebasing: bytes[first..<first + count]))
        }
        window.use = shelf.tick()
        shelf.windows[id]?.remove(at: index)
        shelf.windows[id]?.append(window)
        return (count, nil)
      }
      if copied > 0 { return .copied(copied) }
      if let other = coming.first(where: { $0.range.contains(place) }) { return .wait(other.group) }
      if wanted >= Self.longest { return .direct(wanted) }
      let start = before == nil ? place / Self.unit * Self.unit : place
      let count = max(
        place - start + wanted, before.map { min(2 * $0, Self.longest) } ?? Self.unit)
      let end = min(fileSize, (start + count + Self.unit - 1) / Self.unit * Self.unit)
      let group = DispatchGroup()
      group.enter()
      coming.append((start..<end, group))
      return .fetch(start..<end, group)
    }
  }
}
