import TensorCore

/// What is put around the tokens of a text, or of two.
indirect enum PostProcessor: Sendable {
  case sequence([PostProcessor])
  case template(Template)
  case bert(separator: Special, start: Special)
  case roberta(separator: Special, start: Special, trim: ByteTrimming?)
  case byteLevel(ByteTrimming?)
  /// Makes what has no id below a count unknown.
  case limited(count: Int, unknown: Special)

  /// A token with its id, as the file has both.
  struct Special: Sendable {
    let text: String
    let id: Int
  }

  /// How many tokens are added to a text, or to two.
  func addedCount(isPair: Bool) -> Int {
    switch self {
    case .sequence(let steps): steps.reduce(0) { $0 + $1.addedCount(isPair: isPair) }
    case .template(let template): template.addedCount(isPair: isPair)
    case .bert: isPair ? 3 : 2
    case .roberta: isPair ? 4 : 2
    case .byteLevel, .limited: 0
    }
  }

  /// Puts tokens around one encoding or two.
  func apply(
    _ encodings: [TokenizedText], of texts: [[UInt8]], addsSpecial: Bool,
    _ word: (TokenizedText, Int) -> [UInt8]
  ) -> [TokenizedText] {
    var encodings = encodings
    switch self {
    case .sequence(let steps):
      for step in steps {
        encodings = step.apply(encodings, of: texts, addsSpecial: addsSpecial, word)
      }
      return encodings
    case .template(let template): return template.apply(encodings, addsSpecial: addsSpecial)
    case .bert(let separator, let start):
      guard addsSpecial else { return encodings }
      return encodings.enumerated().map { index, encoding in
        Self.wrapped(encoding, index == 0 ? start : nil, separator, type: index)
      }
    case .roberta(let separator, let start, let trim):
      for index in encodings.indices {
        trim?.apply(&encodings[index], of: texts, word)
        for token in encodings[index].tokens.indices { encodings[index].tokens[token].type = 0 }
      }
      guard addsSpecial else { return encodings }
      return encodings.enumerated().map { index, encoding in
        Self.wrapped(encoding, index == 0 ? start : separator, separator, type: 0)
      }
    case .limited(let count, let unknown):
      for index in encodings.indices {
        for token in encodings[index].tokens.indices
        where encodings[index].tokens[token].id >= count {
          encodings[index].tokens[token].token = Int32(truncatingIfNeeded: unknown.id)
        }
      }
      return encodings
    case .byteLevel(let trim):
      for index in encodings.indices { trim?.apply(&encodings[index], of: texts, word) }
      return encodings
    }
  }

  private static func wrapped(
    _ encoding: TokenizedText, _ first: Special?, _ last: Special, type: Int
  ) -> TokenizedText {
    var result = TokenizedText(tokens: [])
    if let first { result.append(special: first.id, type: type, text: first.text) }
    result.append(encoding)
    result.append(special: last.id, type: type, text: last.text)
    return result
  }
}

/// The tokens around texts as a list of parts.
struct Template: Sendable {
  enum Part: Sendable {
    /// The tokens of a text, 0 or 1, and the type that they get.
    case text(Int, type: Int)
    /// Tokens, by their name in the file.
    case special([PostProcessor.Special], type: Int)
  }

  let single: [Part]
  let pair: [Part]

  func addedCount(isPair: Bool) -> Int {
    (isPair ? pair : single).reduce(0) {
      if case .special(let tokens, _) = $1 { $0 + tokens.count } else { $0 }
    }
  }

  func apply(_ encodings: [TokenizedText], addsSpecial: Bool) -> [TokenizedText] {
    var result: [TokenizedText] = []
    for part in encodings.count == 2 ? pair : single {
      switch part {
      case .text(let index, let type):
        guard encodings.indices.contains(index) else { continue }
        var encoding = encodings[index]
        for token in encoding.tokens.indices {
          encoding.tokens[token].type = Int32(truncatingIfNeeded: type)
        }
        result.append(encoding)
      case .special(let tokens, let type):
        guard addsSpecial else { continue }
        var encoding = TokenizedText(tokens: [])
        for token in tokens { encoding.append(special: token.id, type: type, text: token.text) }
        result.append(encoding)
      }
    }
    return result
  }
}

/// Takes the spaces at the ends of tokens out of the bytes that they stand for.
struct ByteTrimming: Sendable {
  /// Whether a space was put before the text: it is no part of the first token's bytes.
  let addsSpace: Bool

  func apply(
    _ encoding: inout TokenizedText, of texts: [[UInt8]], _ word: (TokenizedText, Int) -> [UInt8]
  ) {
    for index in encoding.tokens.indices {
      let word = word(encoding, index)
      guard let first = word.first, let last = word.last,
        Self.canBeSpace(first) || Self.canBeSpace(last) || last >= 0x80
      else { continue }
      let characters = scalars(word, 0..<word.count)
      let leading = characters.prefix(while: Self.isSpace).count
      let trailing = characters.reversed().prefix(while: Self.isSpace).count
      let source = encoding.tokens[index].sequence ?? 0
      guard leading + trailing > 0, texts.indices.contains(source) else { continue }
      trim(&encoding.tokens[index], leading, trailing, isFirst: index == 0, texts[source])
    }
  }

  /// Takes so many characters off both ends, of those that there are.
  private func trim(
    _ token: inout TokenizedText.Token, _ leading: Int, _ trailing: Int, isFirst: Bool,
    _ text: [UInt8]
  ) {
    let isAdded = (isFirst || token.from == 0) && addsSpace && leading == 1
    for _ in 0..<(isAdded ? 0 : leading) where token.from < token.to {
      token.from = min(token.from + UInt32(scalarLength(text[Int(token.from)])), token.to)
    }
    for _ in 0..<trailing where token.to > token.from {
      token.to = max(UInt32(scalarStart(text, before: Int(token.to))), token.from)
    }
  }

  /// Whether a character that begins, or a word that ends, with this byte can be a space.
  private static func canBeSpace(_ byte: UInt8) -> Bool { byte <= 0x20 || byte >= 0xC2 }

  private static func isSpace(_ scalar: UInt32) -> Bool {
    scalar == 0x120 || CharacterTable.shared.contains(scalar, .space)
  }
}
