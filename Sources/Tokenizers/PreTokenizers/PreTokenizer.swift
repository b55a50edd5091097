import TensorCore

/// How a text is cut into words.
indirect enum PreTokenizer: Sendable {
  case sequence([PreTokenizer])
  /// GPT-2's words, if `pattern` is there; then every byte as a character.
  case byteLevel(addsSpace: Bool, pattern: Pattern?)
  /// At spaces, which go, and at punctuation.
  case bert
  /// Runs of letters, digits and underscores, and runs of the rest.
  case whitespace
  case whitespaceSplit
  case metaspace(Metaspace)
  case punctuation(CutBehavior)
  case digits(isEach: Bool)
  case split(Pattern, CutBehavior, isInverted: Bool)
  case delimiter(UInt32)
  case fixedLength(Int)

  /// GPT-2's words.
  static let gpt2 =
    #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

  /// Cuts every part that is no token.
  func apply(_ text: inout CutText) throws(CheckpointError) {
    switch self {
    case .sequence(let steps): for step in steps { try step.apply(&text) }
    case .byteLevel:
      try cutBytes(&text)
      try text.rewrite(where: { _, _ in true }) { $2.append(bytesOf: $1, of: $0) }
    case .bert:
      try cut(&text, .removed) { CharacterTable.shared.contains($0, .space) }
      try cut(&text, .isolated) { CharacterTable.shared.contains($0, .punctuation) }
    case .whitespace: try text.cut { text, part in Self.words(text.bytes, part.range) }
    case .whitespaceSplit:
      try cut(&text, .removed) { CharacterTable.shared.contains($0, .space) }
    case .metaspace(let metaspace): try metaspace.apply(&text)
    case .punctuation(let behavior):
      try cut(&text, behavior) { CharacterTable.shared.contains($0, .punctuation) }
    case .digits(let isEach):
      try cut(&text, isEach ? .isolated : .contiguous) {
        CharacterTable.shared.contains($0, .numeric)
      }
    case .split(let pattern, let behavior, let isInverted):
      try text.cut { (text, part) throws(CheckpointError) in
        var parts = try pattern.parts(of: text.bytes, part.range)
        if isInverted { parts = parts.map { ($0.range, !$0.isMatch) } }
        return behavior.parts(parts)
      }
    case .delimiter(let scalar): try cut(&text, .removed) { $0 == scalar }
    case .fixedLength(let length):
      try text.cut { text, part in Self.pieces(text.bytes, part.range, of: length) }
    }
  }

  /// What `byteLevel` does before it puts characters in the place of bytes.
  func cutBytes(_ text: inout CutText) throws(CheckpointError) {
    guard case .byteLevel(let addsSpace, let pattern) = self else { return }
    if addsSpace {
      try text.rewrite(where: { text, part in
        !part.range.isEmpty && text.bytes[part.range.lowerBound] != 0x20
      }) { $2.append($1, of: $0, prepending: [0x20]) }
    }
    guard let pattern else { return }
    try text.cut { (text, part) throws(CheckpointError) in
      try pattern.parts(of: text.bytes, part.range).map { ($0.range, nil) }
    }
  }

  private func cut(
    _ text: inout CutText, _ behavior: CutBehavior, where isMatch: (UInt32) -> Bool
  ) throws(CheckpointError) {
    try text.cut { text, part in behavior.parts(text.bytes.parts(part.range, where: isMatch)) }
  }

  private static func words(
    _ bytes: [UInt8], _ range: Range<Int>
  ) -> [(range: Range<Int>, token: Int?)] {
    var words: [(range: Range<Int>, token: Int?)] = []
    var (index, previous): (Int, Int) = (range.lowerBound, 0)
    while index < range.upperBound {
      let (scalar, length) = decodeScalar(bytes, at: index)
      let properties = CharacterTable.shared[scalar]
      let kind = properties.has(.word) ? 1 : properties.has(.space) ? 0 : 2
      if kind != 0 {
        if kind == previous {
          words[words.count - 1].range = words[words.count - 1].range.lowerBound..<index + length
        } else {
          words.append((index..<index + length, nil))
        }
      }
      previous = kind
      index += length
    }
    return words
  }

  private static func pieces(
    _ bytes: [UInt8], _ range: Range<Int>, of length: Int
  ) -> [(range: Range<Int>, token: Int?)] {
    var pieces: [(range: Range<Int>, token: Int?)] = []
    var (start, count, index) = (range.lowerBound, 0, range.lowerBound)
    while index < range.upperBound {
      index += scalarLength(bytes[index])
      count += 1
      if count == length || index >= range.upperBound {
        pieces.append((start..<index, nil))
        (start, count) = (index, 0)
      }
    }
    return pieces
  }
}

/// Spaces written as a character of their own, at which a text is cut.
struct Metaspace: Sendable {
  /// Where one is put before a text that begins without.
  enum Prepending: String, Sendable {
    case always
    case first
    case never
  }

  var replacement: UInt32 = 0x2581
  var prepending = Prepending.always
  var splits = true

  func apply(_ text: inout CutText) throws(CheckpointError) {
    var mark: [UInt8] = []
    append(replacement, to: &mark)
    let space = try Pattern(text: " ")
    try text.rewrite(where: { text, part in text.bytes[part.range].contains(0x20) }) {
      (text, part, new) throws(CheckpointError) in
      for piece in try space.parts(of: text.bytes, part.range) {
        if piece.isMatch {
          new.append(replacement, text.origin(piece.range.lowerBound))
        } else {
          new.append(piece.range, of: text)
        }
      }
    }
    try text.rewrite(where: { text, part in
      !part.range.isEmpty && prepends(to: part)
        && !text.bytes[part.range].starts(with: mark)
    }) { $2.append($1, of: $0, prepending: [replacement]) }
    guard splits else { return }
    try text.cut { text, part in
      CutBehavior.mergedWithNext.parts(text.bytes.parts(part.range) { $0 == replacement })
    }
  }

  private func prepends(to part: CutText.Part) -> Bool {
    switch prepending {
    case .always: true
    case .first: part.shift == 0
    case .never: false
    }
  }
}

extension [UInt8] {
  /// The characters of a part of a text that match, each alone, and what is between them.
  func parts(
    _ range: Range<Int>, where isMatch: (UInt32) -> Bool
  ) -> [(range: Range<Int>, isMatch: Bool)] {
    var parts: [(range: Range<Int>, isMatch: Bool)] = []
    var (index, end) = (range.lowerBound, range.lowerBound)
    while index < range.upperBound {
      let (scalar, length) = decodeScalar(self, at: index)
      if isMatch(scalar) {
        if index > end { parts.append((end..<index, false)) }
        parts.append((index..<index + length, true))
        end = index + length
      }
      index += length
    }
    if end < range.upperBound { parts.append((end..<range.upperBound, false)) }
    return parts
  }
}
