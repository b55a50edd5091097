/// A set of characters, as a pattern names it.
///
/// Answers for ASCII come from a table of bits, others from `CharacterTable` and the ranges.
struct CharacterSet: Sendable {
  private(set) var categories: UInt32 = 0
  private(set) var sets: UInt16 = 0
  private(set) var ranges: [ClosedRange<UInt32>] = []
  /// Sets of which one has to contain the character, too.
  private(set) var nested: [CharacterSet] = []
  /// Sets that all have to contain it.
  private(set) var required: [CharacterSet] = []
  private(set) var isInverted = false
  private var ascii: (UInt64, UInt64) = (0, 0)

  init() {}

  init(_ scalar: UInt32) {
    ranges = [scalar...scalar]
    finish()
  }

  init(_ set: CharacterTable.Set) {
    sets = set.rawValue
    finish()
  }

  init(categories: UInt32) {
    self.categories = categories
    finish()
  }

  mutating func add(_ range: ClosedRange<UInt32>) { ranges.append(range) }

  mutating func add(_ set: CharacterSet) {
    guard !set.isInverted, set.required.isEmpty else { return nested.append(set) }
    categories |= set.categories
    sets |= set.sets
    ranges += set.ranges
    nested += set.nested
  }

  mutating func require(_ set: CharacterSet) { required.append(set) }

  mutating func invert() { isInverted.toggle() }

  /// Prepares the answers for ASCII; to be called when nothing is added any more.
  mutating func finish() {
    ascii = (0, 0)
    for scalar in UInt32(0)..<128 where find(scalar) {
      if scalar < 64 { ascii.0 |= 1 << UInt64(scalar) } else { ascii.1 |= 1 << UInt64(scalar - 64) }
    }
  }

  @inline(__always)
  func containsASCII(_ byte: UInt8) -> Bool {
    (byte < 64 ? ascii.0 >> UInt64(byte) : ascii.1 >> UInt64(byte & 63)) & 1 == 1
  }

  @inline(__always)
  func contains(_ scalar: UInt32) -> Bool {
    scalar < 128 ? containsASCII(UInt8(truncatingIfNeeded: scalar)) : find(scalar)
  }

  private func find(_ scalar: UInt32) -> Bool {
    let properties = CharacterTable.shared[scalar]
    var found =
      properties.category & categories != 0 || properties.bits & sets != 0
      || ranges.contains { $0.contains(scalar) } || nested.contains { $0.find(scalar) }
    if found, !required.isEmpty { found = required.allSatisfy { $0.find(scalar) } }
    return found != isInverted
  }
}
