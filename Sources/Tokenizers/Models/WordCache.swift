/// The tokens of words that were seen in a text: most words of a text are a few.
struct WordCache {
  /// The most bytes of words, and the longest word, that are kept.
  private static let capacity = 4 << 20
  private static let longest = 64

  private var slots = [Int32](repeating: -1, count: 1 << 15)
  private var words: [UInt8] = []
  private var entries: [(word: Range<Int>, symbols: Range<Int>)] = []
  private var symbols: [Symbol] = []

  /// Adds the tokens of a word to a list, if it is known.
  mutating func find(
    _ bytes: [UInt8], _ range: Range<Int>, into result: inout [Symbol]
  ) -> Bool {
    guard range.count <= Self.longest else { return false }
    let slot = slots[slot(of: bytes, range)]
    guard slot >= 0 else { return false }
    for index in entries[Int(slot)].symbols { result.append(symbols[index]) }
    return true
  }

  /// Keeps the tokens of a word.
  mutating func keep(_ bytes: [UInt8], _ range: Range<Int>, _ tokens: ArraySlice<Symbol>) {
    guard range.count <= Self.longest, words.count < Self.capacity else { return }
    if entries.count * 2 > slots.count { grow() }
    let slot = slot(of: bytes, range)
    guard slots[slot] < 0 else { return }
    slots[slot] = Int32(entries.count)
    let (word, list) = (words.count, symbols.count)
    words += bytes[range]
    symbols += tokens
    entries.append((word..<words.count, list..<symbols.count))
  }

  @inline(__always)
  private func slot(of bytes: [UInt8], _ range: Range<Int>) -> Int {
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: hash(bytes, range)) & mask
    while slots[slot] >= 0, !isEqual(entries[Int(slots[slot])].word, bytes, range) {
      slot = (slot + 1) & mask
    }
    return slot
  }

  @inline(__always)
  private func isEqual(_ own: Range<Int>, _ bytes: [UInt8], _ range: Range<Int>) -> Bool {
    guard own.count == range.count else { return false }
    for offset in 0..<own.count
    where words[own.lowerBound + offset] != bytes[range.lowerBound + offset] {
      return false
    }
    return true
  }

  private mutating func grow() {
    slots = [Int32](repeating: -1, count: slots.count * 2)
    for index in entries.indices {
      slots[slot(of: words, entries[index].word)] = Int32(index)
    }
  }
}
