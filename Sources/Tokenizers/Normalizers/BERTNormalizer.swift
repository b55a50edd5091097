import TensorCore

/// What BERT does to a text: control characters go, every space is the same, Chinese characters stand alone,
/// letters are lowered and lose their accents.
struct BERTNormalizer: Sendable {
  var cleansText = true
  var separatesChinese = true
  var stripsAccents = true
  var lowers = true

  func apply(_ text: inout CutText) throws(CheckpointError) {
    if text.allParts({ text, part in Self.isPlain(text.bytes[part.range]) }) {
      if cleansText { text.replaceBytes { $0 == 9 || $0 == 10 || $0 == 13 ? 0x20 : $0 } }
      if lowers { try Normalizer.lowercase(&text) }
      return
    }
    if cleansText {
      try text.remove { CharacterTable.shared.contains($0, .removedByBERT) }
      try text.map { CharacterTable.shared.contains($0, .space) ? 0x20 : $0 }
    }
    if separatesChinese { try separateChinese(&text) }
    if stripsAccents {
      try Normalizer.form(.nfd).apply(&text)
      try text.remove { CharacterTable.shared.contains($0, .nonspacingMark) }
    }
    if lowers { try Normalizer.lowercase(&text) }
  }

  /// Whether a text has nothing but what is printed of ASCII, and its spaces.
  private static func isPlain(_ bytes: ArraySlice<UInt8>) -> Bool {
    bytes.allSatisfy { (0x20..<0x7F).contains($0) || $0 == 10 || $0 == 9 || $0 == 13 }
  }

  private func separateChinese(_ text: inout CutText) throws(CheckpointError) {
    try text.rewrite(where: { text, part in
      scalars(text.bytes, part.range).contains(where: Self.isChinese)
    }) { text, part, new in
      var index = part.range.lowerBound
      while index < part.range.upperBound {
        let (scalar, length) = decodeScalar(text.bytes, at: index)
        let origin = text.origin(index)
        if Self.isChinese(scalar) {
          for scalar in [0x20, scalar, 0x20] { new.append(scalar, origin) }
        } else {
          new.append(scalar, origin)
        }
        index += length
      }
    }
  }

  private static func isChinese(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0x20000...0x2A6DF, 0x2A700...0x2B73F,
      0x2B740...0x2B81F, 0x2B920...0x2CEAF, 0xF900...0xFAFF, 0x2F800...0x2FA1F:
      true
    default: false
    }
  }
}
