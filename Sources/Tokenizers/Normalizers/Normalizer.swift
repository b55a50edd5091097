import TensorCore

/// What is done to a text before it is cut.
indirect enum Normalizer: Sendable {
  case sequence([Normalizer])
  case bert(BERTNormalizer)
  case form(NormalForm)
  case lowercase
  case strip(left: Bool, right: Bool)
  case stripAccents
  case replace(Pattern, with: [UInt32])
  case prepend([UInt32])
  case nmt
  case charsmap(Charsmap)
  case byteLevel
  case sentencePiece(SentencePieceNormalizer)

  /// Normalises every part that is no token.
  func apply(_ text: inout CutText) throws(CheckpointError) {
    switch self {
    case .sequence(let steps): for step in steps { try step.apply(&text) }
    case .bert(let normalizer): try normalizer.apply(&text)
    case .form(let form): try apply(form, &text)
    case .lowercase: try Self.lowercase(&text)
    case .strip(let left, let right): try strip(left, right, &text)
    case .stripAccents:
      try text.remove { CharacterTable.shared.contains($0, .combiningMark) }
    case .replace(let pattern, let content): try text.replace(pattern, with: content)
    case .prepend(let content):
      try text.rewrite(where: { !$1.range.isEmpty }) { $2.append($1, of: $0, prepending: content) }
    case .nmt:
      try text.remove(Self.isRemovedByNMT)
      try text.map(Self.mappedByNMT)
    case .charsmap(let map): try map.apply(&text)
    case .sentencePiece(let normalizer): try normalizer.apply(&text)
    case .byteLevel:
      try text.rewrite(where: { _, _ in true }) { $2.append(bytesOf: $1, of: $0) }
    }
  }

  private func apply(_ form: NormalForm, _ text: inout CutText) throws(CheckpointError) {
    try text.rewrite(where: { !$0.isASCII($1.range) }) { text, part, new in
      let characters = NormalForms.shared.characters(of: scalars(text.bytes, part.range), in: form)
      new.append(characters, insteadOf: part.range, of: text, shift: part.shift)
    }
  }

  /// Lowers every character.
  static func lowercase(_ text: inout CutText) throws(CheckpointError) {
    if text.allParts({ $0.isASCII($1.range) }) {
      return text.replaceBytes { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }
    }
    try text.rewrite(where: { _, _ in true }) { text, part, new in
      var characters: [(scalar: UInt32, change: Int)] = []
      for scalar in scalars(text.bytes, part.range) {
        guard scalar >= 0x80, let character = Unicode.Scalar(scalar) else {
          characters.append((scalar >= 0x41 && scalar <= 0x5A ? scalar | 0x20 : scalar, 0))
          continue
        }
        for (index, lower) in character.properties.lowercaseMapping.unicodeScalars.enumerated() {
          characters.append((lower.value, index > 0 ? 1 : 0))
        }
      }
      new.append(characters, insteadOf: part.range, of: text, shift: part.shift)
    }
  }

  private func strip(
    _ left: Bool, _ right: Bool, _ text: inout CutText
  ) throws(CheckpointError) {
    func isSpace(_ scalar: UInt32) -> Bool { CharacterTable.shared.contains(scalar, .space) }
    func counts(_ text: AlignedText, _ part: CutText.Part) -> (Int, Int) {
      let all = scalars(text.bytes, part.range)
      let leading = left ? all.prefix(while: isSpace).count : 0
      let trailing = right ? all.reversed().prefix(while: isSpace).count : 0
      return (leading, trailing)
    }
    try text.rewrite(where: { counts($0, $1) != (0, 0) }) { text, part, new in
      let all = scalars(text.bytes, part.range)
      let (leading, trailing) = counts(text, part)
      guard leading + trailing < all.count else { return }
      let kept = all[leading..<all.count - trailing].map { (scalar: $0, change: 0) }
      new.append(kept, insteadOf: part.range, of: text, removed: leading, shift: part.shift)
    }
  }

  private static func isRemovedByNMT(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 1...8, 0xB, 0xE...0x1F, 0x7F, 0x8F, 0x9F: true
    default: false
    }
  }

  private static func mappedByNMT(_ scalar: UInt32) -> UInt32 {
    switch scalar {
    case 9, 0xA, 0xC, 0xD, 0x1680, 0x200B...0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD: 0x20
    default: scalar
    }
  }
}

extension AlignedText {
  /// Whether a part is ASCII.
  func isASCII(_ range: Range<Int>) -> Bool {
    bytes[range].allSatisfy { $0 < 0x80 }
  }

  /// Adds a part of another text after a text before its first character, whose origin all of it gets.
  mutating func append(_ part: CutText.Part, of text: AlignedText, prepending content: [UInt32]) {
    guard !part.range.isEmpty else { return }
    let origin = text.origin(part.range.lowerBound)
    for scalar in content { append(scalar, origin) }
    append(part.range, of: text)
  }

  /// Adds the characters that stand for the bytes of a part of another text.
  mutating func append(bytesOf part: CutText.Part, of text: AlignedText) {
    for index in part.range {
      append(ByteCharacters.scalar(of: text.bytes[index]), text.origin(index))
    }
  }
}

extension CutText {
  /// Removes characters.
  mutating func remove(_ isRemoved: (UInt32) -> Bool) throws(CheckpointError) {
    try rewrite(where: { text, part in scalars(text.bytes, part.range).contains(where: isRemoved) })
    {
      text, part, new in
      var index = part.range.lowerBound
      while index < part.range.upperBound {
        let (scalar, length) = decodeScalar(text.bytes, at: index)
        if !isRemoved(scalar) { new.append(scalar, text.origin(index)) }
        index += length
      }
    }
  }

  /// Replaces characters by others, one by one.
  mutating func map(_ change: (UInt32) -> UInt32) throws(CheckpointError) {
    try rewrite(where: { text, part in
      scalars(text.bytes, part.range).contains { change($0) != $0 }
    }) { text, part, new in
      var index = part.range.lowerBound
      while index < part.range.upperBound {
        let (scalar, length) = decodeScalar(text.bytes, at: index)
        new.append(change(scalar), text.origin(index))
        index += length
      }
    }
  }

  /// Replaces what a pattern matches. The new text has the origin of the last byte of the old one.
  mutating func replace(_ pattern: Pattern, with content: [UInt32]) throws(CheckpointError) {
    let whole = self
    try rewrite(where: { _, _ in true }) { (text, part, new) throws(CheckpointError) in
      for piece in try pattern.parts(of: text.bytes, part.range) {
        guard piece.isMatch else {
          new.append(piece.range, of: text)
          continue
        }
        let end = piece.range.upperBound
        let origin =
          end > part.range.lowerBound
          ? text.origin(end - 1)
          : AlignedText.Origin(start: UInt32(part.shift), end: UInt32(part.shift))
        for scalar in content { new.append(scalar, origin) }
        try whole.check(new)
      }
    }
  }
}
