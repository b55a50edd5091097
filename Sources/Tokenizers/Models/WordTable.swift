/// The words of a vocabulary: their bytes one after the other, and where each is found by its bytes.
///
/// Ids need not be without gaps, and several words may have one id; then the last one is the id's word.
package struct WordTable: Sendable {
  /// The most bytes of a word in a file.
  static let longestWord = 1 << 16

  private var bytes: [UInt8] = []
  /// Where each word ends in `bytes`, in the order of adding.
  private var ends: [UInt32] = []
  private var ids: [Int32] = []
  /// The index of a word by its hash: open addressing, -1 where nothing is.
  private var slots: [Int32]
  private var wordsByID: [Int32: Int32] = [:]
  /// Indices by id, where ids have no gaps.
  private var indices: [Int32] = []

  /// How many words there are.
  package var count: Int { ids.count }

  /// An empty table for about so many words.
  init(capacity: Int = 0) {
    var size = 16
    while size < capacity * 2 { size *= 2 }
    slots = [Int32](repeating: -1, count: size)
  }

  /// Adds a word. One that is there already keeps its id.
  ///
  /// - Returns: whether it was new.
  @discardableResult
  mutating func add(_ word: [UInt8], id: Int) -> Bool {
    if (ids.count + 1) * 2 > slots.count { grow() }
    let slot = slot(of: word, 0..<word.count)
    guard slots[slot] < 0 else { return false }
    let index = Int32(ids.count)
    slots[slot] = index
    bytes += word
    ends.append(UInt32(truncatingIfNeeded: bytes.count))
    ids.append(Int32(truncatingIfNeeded: id))
    if id == indices.count { indices.append(index) } else { wordsByID[Int32(id)] = index }
    return true
  }

  /// The id of a word.
  @inline(__always)
  package func id(of word: [UInt8], _ range: Range<Int>) -> Int? {
    let index = slots[slot(of: word, range)]
    return index < 0 ? nil : Int(ids[Int(index)])
  }

  /// The id of a word.
  package func id(of word: [UInt8]) -> Int? { id(of: word, 0..<word.count) }

  /// The word of an id.
  package func word(_ id: Int) -> [UInt8]? {
    if let index = wordsByID[Int32(truncatingIfNeeded: id)] { return word(at: Int(index)) }
    return indices.indices.contains(id) ? word(at: Int(indices[id])) : nil
  }

  /// The word that was added as that one, and its id.
  func entry(_ index: Int) -> (word: [UInt8], id: Int) { (word(at: index), Int(ids[index])) }

  /// The largest id.
  package var largestID: Int { ids.max().map(Int.init) ?? -1 }

  private func word(at index: Int) -> [UInt8] { Array(bytes[range(index)]) }

  @inline(__always)
  private func range(_ index: Int) -> Range<Int> {
    (index == 0 ? 0 : Int(ends[index - 1]))..<Int(ends[index])
  }

  @inline(__always)
  private func slot(of word: [UInt8], _ range: Range<Int>) -> Int {
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: hash(word, range)) & mask
    while slots[slot] >= 0, !isEqual(Int(slots[slot]), word, range) { slot = (slot + 1) & mask }
    return slot
  }

  @inline(__always)
  private func isEqual(_ index: Int, _ word: [UInt8], _ range: Range<Int>) -> Bool {
    let own = self.range(index)
    guard own.count == range.count else { return false }
    for offset in 0..<own.count
    where bytes[own.lowerBound + offset] != word[range.lowerBound + offset] {
      return false
    }
    return true
  }

  private mutating func grow() {
    slots = [Int32](repeating: -1, count: slots.count * 2)
    for index in ids.indices {
      slots[slot(of: bytes, range(index))] = Int32(index)
    }
  }
}

/// A hash of bytes: FNV-1a with its bits mixed once more.
@inline(__always)
func hash(_ bytes: [UInt8], _ range: Range<Int>) -> UInt64 {
  var hash: UInt64 = 0xCBF2_9CE4_8422_2325
  for index in range { hash = (hash ^ UInt64(bytes[index])) &* 0x100_0000_01B3 }
  return hash ^ hash >> 29
}
