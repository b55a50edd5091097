import TensorCore

/// The table of replacements of a sentencepiece model, compiled: a trie over bytes and the texts that it
/// leads to.
///
/// Format: sentencepiece, `normalizer.cc` (`DecodePrecompiledCharsMap`): the size of the trie in bytes, the
/// trie as a double array of darts-clone, then texts that end with NUL.
struct Charsmap: Sendable {
  private let units: [UInt32]
  private let texts: [UInt8]

  /// - Throws: `CheckpointError` if it is cut short.
  init(_ blob: [UInt8]) throws(CheckpointError) {
    guard blob.count >= 4 else { throw Self.fault("is cut short") }
    func word(_ start: Int) -> UInt32 {
      (0..<4).reduce(0) { $0 | UInt32(blob[start + $1]) << UInt32(8 * $1) }
    }
    let size = Int(word(0))
    guard size % 4 == 0, size >= 4, size <= blob.count - 4 else {
      throw Self.fault("has a trie of \(size) bytes in \(blob.count)")
    }
    units = stride(from: 4, to: 4 + size, by: 4).map { word($0) }
    texts = Array(blob[(4 + size)...])
  }

  private static func fault(_ reason: String) -> CheckpointError {
    CheckpointError(.malformed("the precompiled table of characters \(reason)"))
  }

  /// Shows where texts stand to which beginnings of a part lead, the shortest first.
  ///
  /// - Returns: `false` from `visit` ends the search.
  private func visitPrefixes(
    of bytes: [UInt8], _ range: Range<Int>, _ visit: (_ length: Int, _ text: Int) -> Bool
  ) {
    var node = offset(units[0])
    for index in range {
      let byte = UInt32(bytes[index])
      if byte == 0 { return }
      node ^= Int(byte)
      guard units.indices.contains(node) else { return }
      let unit = units[node]
      guard unit & (1 << 31 | 0xFF) == byte else { return }
      node ^= offset(unit)
      if unit >> 8 & 1 == 1 {
        guard units.indices.contains(node) else { return }
        let text = Int(units[node] & 0x7FFF_FFFF)
        guard visit(index + 1 - range.lowerBound, text) else { return }
      }
    }
  }

  private func offset(_ unit: UInt32) -> Int {
    Int(unit >> 10) << Int((unit & 1 << 9) >> 6)
  }

  /// The text that begins somewhere, up to its NUL.
  private func text(at start: Int) -> [UInt8]? {
    guard start <= texts.count else { return nil }
    let text = Array(texts[start...].prefix { $0 != 0 })
    return (try? UTF8Span(validating: text.span)) == nil ? nil : text
  }

  /// What tokenizers puts in the place of a part: the text to which its shortest known beginning leads.
  func replacement(of bytes: [UInt8], _ range: Range<Int>) -> [UInt8]? {
    var found: Int?
    visitPrefixes(of: bytes, range) { _, text in
      found = text
      return false
    }
    return found.flatMap { text(at: $0) }
  }

  /// What sentencepiece puts in the place of the beginning of a part: the longest that is known.
  func longest(of bytes: [UInt8], _ range: Range<Int>) -> (length: Int, text: [UInt8])? {
    var found: (length: Int, text: Int)?
    visitPrefixes(of: bytes, range) { length, text in
      found = (length, text)
      return true
    }
    guard let found, let text = text(at: found.text) else { return nil }
    return (found.length, text)
  }

  /// Normalises as tokenizers does: short clusters of characters first, then character by character.
  func apply(_ text: inout CutText) throws(CheckpointError) {
    try text.rewrite(where: { _, part in !part.range.isEmpty }) { text, part, new in
      var characters: [(scalar: UInt32, change: Int)] = []
      var index = part.range.lowerBound
      for cluster in String(text.bytes, part.range) {
        let end = index + cluster.utf8.count
        if end - index < 6, let replacement = replacement(of: text.bytes, index..<end) {
          Self.add(replacement, insteadOf: cluster.unicodeScalars.count, to: &characters)
          index = end
          continue
        }
        while index < end {
          let (scalar, length) = decodeScalar(text.bytes, at: index)
          if let replacement = replacement(of: text.bytes, index..<index + length) {
            Self.add(replacement, insteadOf: 1, to: &characters)
          } else {
            characters.append((scalar, 0))
          }
          index += length
        }
      }
      new.append(characters, insteadOf: part.range, of: text, shift: part.shift)
    }
  }

  private static func add(
    _ replacement: [UInt8], insteadOf count: Int,
    to characters: inout [(scalar: UInt32, change: Int)]
  ) {
    let new = scalars(replacement, 0..<replacement.count)
    let difference = new.count - count
    characters += new.map { ($0, 0) }
    if difference > 0 {
      let end = characters.count
      for index in max(0, end - difference)..<end { characters[index].change = 1 }
    } else if difference < 0, !characters.isEmpty {
      characters[characters.count - 1].change += difference
    }
  }
}
