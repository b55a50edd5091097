/// A token in a word, and how many bytes of the word it takes.
struct Symbol: Equatable, Sendable {
  var token: Int32
  var length: Int32
}

/// The tokens of one word while pairs of them become one.
///
/// The pair of the lowest rank is merged first, of those the leftmost: what Sennrich, Haddow and Birch
/// (arXiv 1508.07909) do, and with ranks by score what sentencepiece does.
struct SymbolChain {
  /// Up to so many symbols the lowest rank is looked for in all of them; longer words have a heap.
  private static let shortest = 48

  private var symbols: [Symbol] = []
  private var ranks: [Int32] = []
  private var merged: [Int32] = []

  /// Takes symbols in, merges them, and adds what is left to a list.
  ///
  /// - Parameter merge: what two neighbours become; `start` is where the left one begins in the word.
  mutating func merge(
    _ word: [Symbol], into result: inout [Symbol],
    _ merge: (_ left: Symbol, _ right: Symbol, _ start: Int) -> PairTable.Merge?
  ) {
    if word.count < 2 { return result += word }
    if word.count > Self.shortest { return mergeLong(word, into: &result, merge) }
    symbols = word
    ranks.removeAll(keepingCapacity: true)
    merged.removeAll(keepingCapacity: true)
    var start = 0
    for index in 0..<symbols.count - 1 {
      let found = merge(symbols[index], symbols[index + 1], start)
      ranks.append(found?.rank ?? .max)
      merged.append(found?.token ?? -1)
      start += Int(symbols[index].length)
    }
    while true {
      var (lowest, place) = (Int32.max, -1)
      for index in ranks.indices where ranks[index] < lowest {
        (lowest, place) = (ranks[index], index)
      }
      guard place >= 0 else { break }
      symbols[place].token = merged[place]
      symbols[place].length += symbols[place + 1].length
      symbols.remove(at: place + 1)
      ranks.remove(at: place)
      merged.remove(at: place)
      let start = symbols[..<place].reduce(0) { $0 + Int($1.length) }
      if place > 0 {
        let before = start - Int(symbols[place - 1].length)
        update(place - 1, merge(symbols[place - 1], symbols[place], before))
      }
      if place < ranks.count { update(place, merge(symbols[place], symbols[place + 1], start)) }
    }
    result += symbols
  }

  @inline(__always)
  private mutating func update(_ index: Int, _ merge: PairTable.Merge?) {
    ranks[index] = merge?.rank ?? .max
    merged[index] = merge?.token ?? -1
  }

  // MARK: Long words

  private struct Candidate {
    let rank: Int32
    let token: Int32
    let left: Int
    /// The lengths of both when it was found: another one means that it is out of date.
    let lengths: (Int32, Int32)

    func isBefore(_ other: Candidate) -> Bool {
      rank == other.rank ? left < other.left : rank < other.rank
    }
  }

  private func mergeLong(
    _ word: [Symbol], into result: inout [Symbol],
    _ merge: (_ left: Symbol, _ right: Symbol, _ start: Int) -> PairTable.Merge?
  ) {
    var symbols = word
    var next = Array(1...word.count)
    var previous = Array(-1..<word.count - 1)
    var starts: [Int] = []
    var start = 0
    for symbol in word {
      starts.append(start)
      start += Int(symbol.length)
    }
    var heap = Heap<Candidate> { $0.isBefore($1) }
    func offer(_ left: Int) {
      guard left >= 0, next[left] < symbols.count else { return }
      let (a, b) = (symbols[left], symbols[next[left]])
      guard let found = merge(a, b, starts[left]) else { return }
      heap.push(
        Candidate(
          rank: found.rank, token: found.token, left: left, lengths: (a.length, b.length)))
    }
    for index in 0..<word.count - 1 { offer(index) }
    while let best = heap.pop() {
      let left = best.left
      let right = next[left]
      guard right < symbols.count, symbols[left].length == best.lengths.0,
        symbols[right].length == best.lengths.1
      else { continue }
      symbols[left] = Symbol(
        token: best.token, length: symbols[left].length + symbols[right].length)
      symbols[right].length = 0
      next[left] = next[right]
      if next[left] < symbols.count { previous[next[left]] = left }
      offer(previous[left])
      offer(left)
    }
    result += symbols.filter { $0.length > 0 }
  }
}

/// A heap whose top comes before all others.
struct Heap<Element> {
  private var elements: [Element] = []
  private let isBefore: (Element, Element) -> Bool

  init(_ isBefore: @escaping (Element, Element) -> Bool) {
    self.isBefore = isBefore
  }

  mutating func push(_ element: Element) {
    elements.append(element)
    var index = elements.count - 1
    while index > 0, isBefore(elements[index], elements[(index - 1) / 2]) {
      elements.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  mutating func pop() -> Element? {
    guard let top = elements.first, let last = elements.popLast() else { return nil }
    guard !elements.isEmpty else { return top }
    elements[0] = last
    var index = 0
    while true {
      var smallest = index
      for child in [2 * index + 1, 2 * index + 2]
      where child < elements.count && isBefore(elements[child], elements[smallest]) {
        smallest = child
      }
      guard smallest != index else { return top }
      elements.swapAt(index, smallest)
      index = smallest
    }
  }
}
