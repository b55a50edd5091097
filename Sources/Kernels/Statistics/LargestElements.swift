/// The elements of the largest magnitude, and where they are.
public struct LargestElements: Equatable, Sendable {
  /// An element.
  public struct Entry: Equatable, Sendable {
    /// Its number in the tensor, in C order.
    public let index: Int
    /// Its value; finite, and rounded if it is an integer that no double is.
    public let value: Double
    /// Its value, if it is an integer.
    public let integer: Int128?

    init(index: Int, value: Double, integer: Int128? = nil) {
      (self.index, self.value, self.integer) = (index, value, integer)
    }
  }

  /// How many are kept.
  public let limit: Int
  /// The elements, the largest magnitude first; of equal ones, the first in the tensor.
  public private(set) var entries: [Entry] = []

  /// None yet.
  public init(limit: Int) {
    self.limit = limit
  }

  /// Whether an element of that magnitude could be among them.
  func mayHave(_ magnitude: Double) -> Bool {
    guard limit > 0 else { return false }
    guard entries.count == limit, let last = entries.last else { return true }
    return magnitude >= abs(last.value)
  }

  /// Adds an element, if it is finite and large enough.
  public mutating func add(_ value: Double, at index: Int) {
    guard value.isFinite, mayHave(abs(value)) else { return }
    add(Entry(index: index, value: value))
  }

  /// Adds an integer, if it is large enough.
  public mutating func add(_ value: some BinaryInteger, at index: Int) {
    guard mayHave(abs(Double(value))) else { return }
    add(Entry(index: index, value: Double(value), integer: Int128(value)))
  }

  private mutating func add(_ entry: Entry) {
    let place = entries.firstIndex { isBefore(entry, $0) } ?? entries.count
    entries.insert(entry, at: place)
    if entries.count > limit { entries.removeLast() }
  }

  /// Adds those of another one.
  public mutating func merge(_ other: LargestElements) {
    for entry in other.entries where mayHave(abs(entry.value)) { add(entry) }
  }

  private func isBefore(_ a: Entry, _ b: Entry) -> Bool {
    if let x = a.integer?.magnitude, let y = b.integer?.magnitude, x != y { return x > y }
    return abs(a.value) == abs(b.value) ? a.index < b.index : abs(a.value) > abs(b.value)
  }
}
