import TensorCore

/// Reads a stretch of a source forwards, and passes over what is not needed without reading it.
///
/// Every read is checked against what is left of the stretch. No more is held than a window of bytes,
/// which is small where much is passed over.
struct SourceCursor {
  /// Where the next byte is in the source.
  private(set) var position: Int
  /// Where the stretch ends.
  let end: Int

  private let source: any ByteSource
  private var window: ArraySlice<UInt8> = []
  private var nextSize = Self.smallWindow

  private static let smallWindow = 512
  private static let largeWindow = 64 << 10

  /// Reads `range` of `source`.
  init(_ source: any ByteSource, _ range: Range<Int>) {
    self.source = source
    position = range.lowerBound
    end = range.upperBound
  }

  /// Reads a source from its first byte to the last.
  init(_ source: any ByteSource) { self.init(source, 0..<source.size) }

  /// How many bytes have not been read.
  var left: Int { end - position }

  /// Whether everything has been read.
  var isAtEnd: Bool { left == 0 }

  /// The same source, of which another stretch is read.
  func over(_ range: Range<Int>) -> SourceCursor { SourceCursor(source, range) }

  /// The next byte.
  mutating func uint8() throws(CheckpointError) -> UInt8 {
    try fill(1)
    position += 1
    return window.removeFirst()
  }

  /// The next `count` bytes, of which there are few.
  mutating func bytes(_ count: Int) throws(CheckpointError) -> [UInt8] {
    try fill(count)
    position += count
    defer { window = window.dropFirst(count) }
    return Array(window.prefix(count))
  }

  /// Passes over the next `count` bytes, and says where they are in the source.
  mutating func skip(_ count: Int) throws(CheckpointError) -> Range<Int> {
    try check(count)
    if count >= window.count {
      window = []
      nextSize = Self.smallWindow
    } else {
      window = window.dropFirst(count)
    }
    defer { position += count }
    return position..<position + count
  }

  /// A number of `count` bytes, most significant first.
  mutating func bigEndian(_ count: Int) throws(CheckpointError) -> UInt64 {
    try bytes(count).reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// A number of `count` bytes, least significant first.
  mutating func littleEndian(_ count: Int) throws(CheckpointError) -> UInt64 {
    try bytes(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  private func check(_ count: Int) throws(CheckpointError) {
    guard count >= 0, count <= left else {
      throw CheckpointError(.truncated(needed: count, available: left), offset: position)
    }
  }

  /// Sees to it that the next `count` bytes are in the window.
  private mutating func fill(_ count: Int) throws(CheckpointError) {
    try check(count)
    guard window.count < count else { return }
    let size = min(left, max(count, nextSize))
    window = try source.read(position..<position + size)[...]
    nextSize = min(nextSize * 2, Self.largeWindow)
  }
}
