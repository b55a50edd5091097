import Models

/// Numbered modules of one kind, layers or experts, that stand for one another.
public struct Renumbering: Equatable, Sendable {
  /// For the number of a module of B the number of A's that it is, where these are not the same.
  public let origins: [Int: Int]
  /// How many A has.
  public let countOfA: Int
  /// How many B has.
  public let countOfB: Int

  /// For every module of B the number of A's that it is.
  private var order: [Int] { (0..<countOfB).map { origins[$0] ?? $0 } }

  /// Whether all that A has are there, each once.
  private var isPermutation: Bool {
    countOfA == countOfB && order.sorted() == Array(0..<countOfA)
  }

  /// The change in words, as a predicate of the modules in B.
  var text: String {
    if let lost { return "without \(lost.map(String.init).listed) in B, later ones moved up" }
    guard isPermutation else {
      let copies = origins.sorted { $0.key < $1.key }.map { "\($0.key) of \($0.value)" }
      return "copies of others in B: \(shortened(copies))"
    }
    if let (first, second) = exchanged {
      return "numbers \(first) and \(second) exchanged in B"
    }
    if order == (0..<countOfA).reversed() { return "in reverse order in B" }
    let list = shortened(order.map(String.init))
    if order == numbersAsText(countOfA) {
      return "in the order of their numbers as text in B: \(list)"
    }
    if let moved = rotation {
      let distance = "moved by \(abs(moved)) \(moved < 0 ? "down" : "up") in B"
      return distance + (moved < 0 ? ", the last ones to the front" : ", the first ones to the end")
    }
    return "in another order in B: \(list)"
  }

  /// What A has and B has not, if that is all.
  private var lost: [Int]? {
    guard countOfB < countOfA, zip(order, order.dropFirst()).allSatisfy(<) else { return nil }
    return (0..<countOfA).filter { !order.contains($0) }
  }

  private var exchanged: (Int, Int)? {
    let moved = origins.keys.sorted()
    return moved.count == 2 ? (moved[0], moved[1]) : nil
  }

  /// By how much each is further up, if all moved alike, round the end.
  private var rotation: Int? {
    guard let first = order.first,
      order.indices.allSatisfy({
        order[$0] == ($0 + first) % countOfA
      })
    else { return nil }
    return first <= countOfA / 2 ? first : first - countOfA
  }

  private func shortened(_ items: [String]) -> String {
    items.prefix(16).joined(separator: ", ") + (items.count > 16 ? ", …" : "")
  }
}

/// The numbers below `count` in the order of their digits as text: 0, 1, 10, 11, 2.
func numbersAsText(_ count: Int) -> [Int] {
  (0..<count).map(String.init).sorted().compactMap { Int($0) }
}

/// Two modules that differ in one number of their paths: `decoder.blocks.3` and `decoder.blocks.5`.
struct NumberedPair {
  /// Where two modules are that differ in a number.
  struct Place: Hashable {
    /// The path of both, with `*` for the number.
    let kind: String
    /// The components before the number.
    let parent: String
  }

  let place: Place
  /// The number of the first.
  let here: Int
  /// The number of the second.
  let there: Int

  /// `nil` if they differ in anything else, or in more.
  init?(_ here: String, _ there: String) {
    let (x, y) = (here.split(separator: "."), there.split(separator: "."))
    guard x.count == y.count else { return nil }
    let places = x.indices.filter { x[$0] != y[$0] }
    guard places.count == 1, let place = places.first, let first = Int(x[place]),
      let second = Int(y[place])
    else { return nil }
    var kind = x
    kind[place] = "*"
    self.place = Place(
      kind: kind.joined(separator: "."), parent: x[..<place].joined(separator: "."))
    (self.here, self.there) = (first, second)
  }
}

extension WeightGraph {
  /// How many numbered modules there are in one.
  func numberedModules(in parent: String) -> Int {
    slots.reduce(0) { most, slot in
      guard slot.path.hasPrefix(parent + ".") else { return most }
      let number = slot.path.dropFirst(parent.count + 1).prefix { $0 != "." }
      return max(most, (Int(number) ?? -1) + 1)
    }
  }
}
