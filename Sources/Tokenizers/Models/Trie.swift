/// Words in a tree of bytes.
///
/// The children of a node stand next to each other, in the order of their bytes.
struct Trie: Sendable {
  private var bytes: [UInt8] = [0]
  private var ids: [Int32] = [-1]
  /// Where the children of each node begin; those of the next one begin where they end.
  private var firstChildren: [Int32] = []
  private var rootChildren = [Int32](repeating: -1, count: 256)

  /// The tree of some words, of which the last of equal ones counts.
  init(_ words: [(word: [UInt8], id: Int)]) {
    let sorted = words.enumerated().sorted {
      $0.element.word == $1.element.word
        ? $0.offset < $1.offset : $0.element.word.lexicographicallyPrecedes($1.element.word)
    }.map(\.element)
    // Level by level: each node with the words that go through it.
    var level: [Range<Int>] = [0..<sorted.count]
    var depth = 0
    while !level.isEmpty {
      var next: [Range<Int>] = []
      for words in level {
        firstChildren.append(Int32(bytes.count))
        var index = words.lowerBound
        while index < words.upperBound, sorted[index].word.count == depth { index += 1 }
        while index < words.upperBound {
          let byte = sorted[index].word[depth]
          let start = index
          var id = -1
          while index < words.upperBound, sorted[index].word[depth] == byte {
            if sorted[index].word.count == depth + 1 { id = sorted[index].id }
            index += 1
          }
          if depth == 0 { rootChildren[Int(byte)] = Int32(bytes.count) }
          bytes.append(byte)
          ids.append(Int32(truncatingIfNeeded: id))
          next.append(start..<index)
        }
      }
      level = next
      depth += 1
    }
    firstChildren.append(Int32(bytes.count))
  }

  /// The child of a node; 0 is the root.
  @inline(__always)
  func child(of node: Int, _ byte: UInt8) -> Int? {
    if node == 0 {
      let child = rootChildren[Int(byte)]
      return child < 0 ? nil : Int(child)
    }
    var (low, high) = (Int(firstChildren[node]), Int(firstChildren[node + 1]))
    while low < high {
      let middle = (low + high) >> 1
      if bytes[middle] < byte { low = middle + 1 } else { high = middle }
    }
    return low < Int(firstChildren[node + 1]) && bytes[low] == byte ? low : nil
  }

  /// The id of the word that ends at a node.
  @inline(__always)
  func id(_ node: Int) -> Int? { ids[node] < 0 ? nil : Int(ids[node]) }

  /// The longest word that a part of a text begins with: where it ends, and its id.
  func longest(of text: [UInt8], _ range: Range<Int>) -> (end: Int, id: Int)? {
    var (node, found): (Int, (Int, Int)?) = (0, nil)
    for index in range {
      guard let child = child(of: node, text[index]) else { break }
      node = child
      if let id = id(node) { found = (index + 1, id) }
    }
    return found
  }
}
