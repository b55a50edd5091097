/// Which pairs of tokens become one, in which order, and what they become.
struct PairTable: Sendable {
  /// What a pair becomes.
  struct Merge: Sendable {
    let rank: Int32
    let token: Int32
  }

  private var keys: [UInt64]
  private var merges: [Merge]
  private(set) var count = 0
  private static let empty = UInt64.max

  /// An empty table for about so many pairs.
  init(capacity: Int) {
    var size = 16
    while size < capacity * 2 { size *= 2 }
    keys = [UInt64](repeating: Self.empty, count: size)
    merges = [Merge](repeating: Merge(rank: 0, token: 0), count: size)
  }

  /// Adds a pair; one that is there already gets the new rank.
  mutating func add(_ left: Int, _ right: Int, _ merge: Merge) {
    if (count + 1) * 2 > keys.count { grow() }
    let slot = slot(Self.key(Int32(truncatingIfNeeded: left), Int32(truncatingIfNeeded: right)))
    if keys[slot] == Self.empty { count += 1 }
    keys[slot] = Self.key(Int32(truncatingIfNeeded: left), Int32(truncatingIfNeeded: right))
    merges[slot] = merge
  }

  private mutating func grow() {
    let (oldKeys, oldMerges) = (keys, merges)
    keys = [UInt64](repeating: Self.empty, count: oldKeys.count * 2)
    merges = [Merge](repeating: Merge(rank: 0, token: 0), count: keys.count)
    for (key, merge) in zip(oldKeys, oldMerges) where key != Self.empty {
      let slot = slot(key)
      keys[slot] = key
      merges[slot] = merge
    }
  }

  /// What two tokens become.
  @inline(__always)
  subscript(_ left: Int32, _ right: Int32) -> Merge? {
    let key = Self.key(left, right)
    let slot = slot(key)
    return keys[slot] == key ? merges[slot] : nil
  }

  @inline(__always)
  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  @inline(__always)
  private func slot(_ key: UInt64) -> Int {
    let mask = keys.count - 1
    var slot = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 20) & mask
    while keys[slot] != key, keys[slot] != Self.empty { slot = (slot + 1) & mask }
    return slot
  }
}
