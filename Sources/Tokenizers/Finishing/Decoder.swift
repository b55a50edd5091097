import TensorCore

/// How tokens become a text again: each step maps the list of words to another one.
indirect enum Decoder: Sendable {
  case sequence([Decoder])
  case byteLevel
  case bytePairs(suffix: [UInt8])
  case wordPiece(prefix: [UInt8], cleansUp: Bool)
  case metaspace(Metaspace)
  case ctc(padding: [UInt8], delimiter: [UInt8], cleansUp: Bool)
  case replace(Pattern, with: [UInt8])
  case fuse
  case strip(UInt32, start: Int, end: Int)
  case byteFallback
  case sentencePiece(SentencePieceDecoder)

  /// The most bytes that steps may make of a token.
  private static let longestWord = 1 << 24

  func apply(_ words: [[UInt8]]) throws(CheckpointError) -> [[UInt8]] {
    switch self {
    case .sequence(let steps):
      var words = words
      for step in steps { words = try step.apply(words) }
      return words
    case .byteLevel: return [validText(words.flatMap { ByteCharacters.bytes(of: $0) ?? $0 })]
    case .bytePairs(let suffix):
      return words.enumerated().map { index, word in
        replacing(suffix, in: word, with: index == words.count - 1 ? "" : " ")
      }
    case .wordPiece(let prefix, let cleansUp):
      return words.enumerated().map { index, word in
        var word = word
        if index > 0 {
          word = word.starts(with: prefix) ? Array(word.dropFirst(prefix.count)) : [0x20] + word
        }
        return cleansUp ? Self.cleanedUp(word) : word
      }
    case .metaspace(let metaspace):
      return words.enumerated().map { index, word in
        spaced(word, metaspace, dropsFirst: index == 0 && metaspace.prepending != .never)
      }
    case .ctc(let padding, let delimiter, let cleansUp):
      return ctc(words, padding, delimiter, cleansUp)
    case .replace(let pattern, let content):
      var result: [[UInt8]] = []
      for word in words { result.append(try replaced(word, pattern, content)) }
      return result
    case .fuse: return [words.flatMap { $0 }]
    case .strip(let scalar, let start, let end):
      return words.map { stripped($0, scalar, start, end) }
    case .byteFallback: return joiningBytes(words)
    case .sentencePiece(let decoder): return [decoder.text(words)]
    }
  }

  private func spaced(_ word: [UInt8], _ metaspace: Metaspace, dropsFirst: Bool) -> [UInt8] {
    var result: [UInt8] = []
    for scalar in scalars(word, 0..<word.count) {
      if scalar != metaspace.replacement {
        append(scalar, to: &result)
      } else if !dropsFirst {
        result.append(0x20)
      }
    }
    return result
  }

  private func replaced(
    _ word: [UInt8], _ pattern: Pattern, _ content: [UInt8]
  ) throws(CheckpointError) -> [UInt8] {
    var result: [UInt8] = []
    for part in try pattern.parts(of: word, 0..<word.count) {
      result += part.isMatch ? content[...] : word[part.range]
      guard result.count <= Self.longestWord else {
        throw CheckpointError(
          .refused("the steps of the file make more than \(Self.longestWord) bytes of a token"))
      }
    }
    return result
  }

  private func stripped(
    _ word: [UInt8], _ scalar: UInt32, _ start: Int, _ end: Int
  ) -> [UInt8] {
    let characters = scalars(word, 0..<word.count)
    let leading = characters.prefix(start).prefix { $0 == scalar }.count
    let trailing = characters.suffix(end).reversed().prefix { $0 == scalar }.count
    var result: [UInt8] = []
    for character in characters.dropFirst(leading)
      .prefix(max(0, characters.count - leading - trailing))
    {
      append(character, to: &result)
    }
    return result
  }

  /// Joins tokens of single bytes to characters; those that are none become U+FFFD, one each.
  private func joiningBytes(_ words: [[UInt8]]) -> [[UInt8]] {
    var (result, bytes): ([[UInt8]], [UInt8]) = ([], [])
    func finish() {
      guard !bytes.isEmpty else { return }
      if (try? UTF8Span(validating: bytes.span)) != nil {
        result.append(bytes)
      } else {
        result += bytes.map { _ in "\u{FFFD}".bytes }
      }
      bytes = []
    }
    for word in words {
      if let byte = Self.byte(of: word) {
        bytes.append(byte)
      } else {
        finish()
        result.append(word)
      }
    }
    finish()
    return result
  }

  static func byte(of word: [UInt8]) -> UInt8? {
    guard word.count == 6, word.starts(with: "<0x".utf8), word[5] == UInt8(ascii: ">") else {
      return nil
    }
    return UInt8(String(word, 3..<5), radix: 16)
  }

  private func ctc(
    _ words: [[UInt8]], _ padding: [UInt8], _ delimiter: [UInt8], _ cleansUp: Bool
  ) -> [[UInt8]] {
    var (result, previous): ([[UInt8]], [UInt8]?) = ([], nil)
    for word in words where word != previous {
      previous = word
      var text = replacing(padding, in: word, with: "")
      if cleansUp { text = replacing(delimiter, in: Self.cleanedUp(text), with: " ") }
      if !text.isEmpty { result.append(text) }
    }
    return result
  }

  /// Takes spaces away that stand before punctuation and English endings.
  private static func cleanedUp(_ text: [UInt8]) -> [UInt8] {
    let changes = [
      (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"),
      (" 'm", "'m"), (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ]
    return changes.reduce(text) { replacing($1.0.bytes, in: $0, with: $1.1) }
  }
}

/// A text in which others stand for all places of a part.
func replacing(_ part: [UInt8], in text: [UInt8], with new: String) -> [UInt8] {
  guard !part.isEmpty, text.count >= part.count else { return text }
  var (result, index): ([UInt8], Int) = ([], 0)
  while index < text.count {
    if text[index...].starts(with: part) {
      result += new.utf8
      index += part.count
    } else {
      result.append(text[index])
      index += 1
    }
  }
  return result
}

/// Bytes as text: what is no character is U+FFFD.
func validText(_ bytes: [UInt8]) -> [UInt8] { Array(String(decoding: bytes, as: UTF8.self).utf8) }
