import TensorCore

/// Bytes that stand in a file as a text in UTF-8: each as the letter of Latin-1 that has its number, those from 0x80 on
/// in two bytes.
struct Latin1Text: TensorBytes {
  let count: Int
  private let text: any TensorBytes
  /// How many letters begin before each window of the text.
  private let starts: [Int]

  private static let window = 64 << 10

  /// Looks through a text.
  ///
  /// - Throws: `CheckpointError` if it has other letters, or is not UTF-8.
  init(_ text: any TensorBytes) throws(CheckpointError) {
    var (count, starts, isOpen) = (0, [Int](), false)
    for start in stride(from: 0, to: text.count, by: Self.window) {
      starts.append(count)
      for byte in try text.read(start..<min(start + Self.window, text.count)) {
        let isEnd = byte & 0xC0 == 0x80
        guard isEnd == isOpen, isEnd || byte < 0x80 || byte == 0xC2 || byte == 0xC3 else {
          throw CheckpointError(
            .malformed("its bytes stand there as a text, which has other letters"))
        }
        isOpen = !isEnd && byte >= 0x80
        count += isEnd ? 0 : 1
      }
    }
    guard !isOpen else {
      throw CheckpointError(.malformed("its bytes stand there as a text, which is cut off"))
    }
    (self.count, self.text, self.starts) = (count, text, starts)
  }

  var workingMemory: Int { Self.window }

  /// All of it.
  func all() throws(CheckpointError) -> [UInt8] { try read(0..<count) }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    var filled = 0
    let wanted = buffer.byteCount
    // The last window that begins with that letter, or before it.
    var (low, high) = (0, starts.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= offset { low = middle } else { high = middle }
    }
    var skipped = wanted > 0 ? offset - starts[low] : 0
    var window = low
    while filled < wanted {
      // A letter that begins in a window may end behind it.
      let start = window * Self.window
      let end = min(start + Self.window, text.count)
      let bytes = try text.read(start..<min(end + 1, text.count))
      var place = 0
      while place < end - start, filled < wanted {
        let byte = bytes[place]
        place += 1
        if byte & 0xC0 == 0x80 { continue }
        if skipped > 0 {
          skipped -= 1
          continue
        }
        let letter = byte < 0x80 ? byte : byte << 6 | bytes[place] & 0x3F
        unsafe buffer.withUnsafeMutableBytes { unsafe $0[filled] = letter }
        filled += 1
      }
      window += 1
    }
  }
}
