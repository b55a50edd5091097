import TensorCore

/// A text and the parts that it is cut into, on the way from a text as it is given to tokens.
struct CutText: Sendable {
  /// A part of the text.
  struct Part: Sendable {
    /// Its bytes.
    var range: Range<Int>
    /// Where it begins in the text as it was given.
    var shift: Int
    /// The added token that it is.
    var token: Int?
  }

  /// The most bytes that steps may make of a text: Unicode's longest decomposition has eleven for one.
  private let longest: Int
  private(set) var text: AlignedText
  private(set) var parts: [Part]

  /// A text as it is given, in one part.
  init(_ bytes: [UInt8]) {
    text = AlignedText(bytes)
    longest = 1 << 20 + 64 * bytes.count
    parts = [Part(range: 0..<bytes.count, shift: 0, token: nil)]
  }

  /// Cuts every part that is no token. Empty parts are dropped.
  mutating func cut(
    _ cuts: (AlignedText, Part) throws(CheckpointError) -> [(range: Range<Int>, token: Int?)]?
  ) throws(CheckpointError) {
    var result: [Part] = []
    result.reserveCapacity(parts.count)
    for part in parts {
      guard part.token == nil, let pieces = try cuts(text, part) else {
        if part.token != nil || !part.range.isEmpty { result.append(part) }
        continue
      }
      for piece in pieces where !piece.range.isEmpty {
        let shift = Int(text.origin(piece.range.lowerBound).start)
        result.append(Part(range: piece.range, shift: shift, token: piece.token))
      }
    }
    parts = result
  }

  /// Writes the text anew where a part of it is changed. `change` adds what becomes of a part to the new
  /// text, or says `false` if the part stays.
  mutating func rewrite(
    where isChanged: (AlignedText, Part) -> Bool,
    _ change: (AlignedText, Part, inout AlignedText) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    guard parts.contains(where: { $0.token == nil && isChanged(text, $0) }) else { return }
    var new = AlignedText(filledFrom: text)
    for index in parts.indices {
      let part = parts[index]
      let start = new.bytes.count
      if part.token == nil, isChanged(text, part) {
        try change(text, part, &new)
      } else {
        new.append(part.range, of: text)
      }
      try check(new)
      parts[index].range = start..<new.bytes.count
    }
    text = new
  }

  /// - Throws: `CheckpointError`: refused if a text has become longer than any tokenizer makes it.
  func check(_ text: AlignedText) throws(CheckpointError) {
    guard text.bytes.count <= longest else {
      throw CheckpointError(
        .refused("the steps of the file make more than \(longest) bytes of the text"))
    }
  }

  /// Replaces bytes of every part that is no token by as many others.
  mutating func replaceBytes(_ change: (UInt8) -> UInt8) {
    for part in parts where part.token == nil {
      text.replaceBytes(in: part.range, change)
    }
  }

  /// Whether something is true of all parts that are no tokens.
  func allParts(_ isTrue: (AlignedText, Part) -> Bool) -> Bool {
    parts.allSatisfy { $0.token != nil || isTrue(text, $0) }
  }
}

/// What becomes of what a pattern matches where a text is cut.
enum CutBehavior: String, Sendable {
  case removed = "Removed"
  case isolated = "Isolated"
  case mergedWithPrevious = "MergedWithPrevious"
  case mergedWithNext = "MergedWithNext"
  case contiguous = "Contiguous"

  /// The parts of a text that are left of those that match and those between.
  func parts(
    _ parts: [(range: Range<Int>, isMatch: Bool)]
  ) -> [(range: Range<Int>, token: Int?)] {
    switch self {
    case .isolated: return parts.map { ($0.range, nil) }
    case .removed: return parts.filter { !$0.isMatch }.map { ($0.range, nil) }
    case .contiguous: return joined(parts) { $0 == $1 }
    case .mergedWithPrevious: return joined(parts) { !$0 && $1 }
    case .mergedWithNext:
      let mirrored = parts.reversed().map {
        (range: -$0.range.upperBound..<(-$0.range.lowerBound), isMatch: $0.isMatch)
      }
      return joined(mirrored) { !$0 && $1 }.reversed()
        .map { (-$0.range.upperBound..<(-$0.range.lowerBound), nil) }
    }
  }

  /// Joins a part with the one before where both kinds say so.
  private func joined(
    _ parts: [(range: Range<Int>, isMatch: Bool)], _ joins: (Bool, Bool) -> Bool
  ) -> [(range: Range<Int>, token: Int?)] {
    var result: [(range: Range<Int>, token: Int?)] = []
    var previous = false
    for part in parts {
      if let last = result.last, joins(previous, part.isMatch) {
        result[result.count - 1].range = last.range.lowerBound..<part.range.upperBound
      } else {
        result.append((part.range, nil))
      }
      previous = part.isMatch
    }
    return result
  }
}
