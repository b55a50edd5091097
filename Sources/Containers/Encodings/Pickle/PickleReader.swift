import TensorCore

/// Reads the bytes of a pickle one after the other, through a window.
struct PickleReader {
  /// What the pickle stands in.
  let source: any TensorBytes
  /// Where `source` begins in the file, for errors.
  let base: Int
  private var window: [UInt8] = []
  private var windowStart: Int
  private var next = 0
  /// How many bytes before the window have been looked at.
  private var seen = 0

  private static let windowSize = 64 << 10
  /// Texts up to this are read, longer ones are left where they are.
  static let shortText = 4096

  /// Begins at byte `start` of `source`, which begins at byte `base` of a file.
  init(_ source: any TensorBytes, at start: Int = 0, base: Int) {
    self.source = source
    self.base = base
    windowStart = start
  }

  /// Where the next byte is in `source`.
  var position: Int { windowStart + next }
  /// Where the next byte is in the file.
  var offset: Int { base + position }
  private var left: Int { source.count - position }

  /// Sees to it that the next `count` bytes are in the window.
  private mutating func need(_ count: Int) throws(CheckpointError) {
    if window.count - next >= count { return }
    guard count <= left else {
      throw CheckpointError(.truncated(needed: count, available: left), offset: offset)
    }
    leave(for: position)
    guard seen <= Limits.pickle else {
      throw CheckpointError(
        .limitExceeded("the length of a pickle", limit: Limits.pickle, found: seen))
    }
    let end = min(source.count, windowStart + max(count, Self.windowSize))
    window = try source.read(windowStart..<end)
  }

  /// Gives the window up, for one that begins at `start`.
  private mutating func leave(for start: Int) {
    seen += next
    windowStart = start
    window = []
    next = 0
  }

  mutating func byte() throws(CheckpointError) -> UInt8 {
    if next == window.count { try need(1) }
    defer { next += 1 }
    return window[next]
  }

  /// The next `count` bytes, which are few.
  mutating func bytes(_ count: Int) throws(CheckpointError) -> ArraySlice<UInt8> {
    try need(count)
    defer { next += count }
    return window[next..<next + count]
  }

  /// A number of 1 to 8 bytes, least significant first, without a sign.
  mutating func number(_ size: Int) throws(CheckpointError) -> UInt64 {
    littleEndian(try bytes(size))
  }

  /// A number of bytes that follow, of which there must be as many.
  mutating func count(_ size: Int) throws(CheckpointError) -> Int {
    let start = offset
    let number = try number(size)
    guard let count = Int(exactly: number), count <= left else {
      throw CheckpointError(
        .truncated(needed: Int(clamping: number), available: left), offset: start)
    }
    return count
  }

  /// Passes over the next `count` bytes, and says where they are in `source`.
  mutating func skip(_ count: Int) throws(CheckpointError) -> Range<Int> {
    guard count <= left else {
      throw CheckpointError(.truncated(needed: count, available: left), offset: offset)
    }
    let range = position..<position + count
    if count <= window.count - next {
      next += count
    } else {
      leave(for: range.upperBound)
    }
    return range
  }

  /// The bytes up to the end of the line, without it.
  mutating func line() throws(CheckpointError) -> [UInt8] {
    var line: [UInt8] = []
    while true {
      let byte = try byte()
      if byte == UInt8(ascii: "\n") { return line }
      line.append(byte)
      guard line.count <= Limits.pickleLine else {
        throw CheckpointError(
          .limitExceeded("the length of a line", limit: Limits.pickleLine, found: line.count))
      }
    }
  }
}
