import TensorCore

/// Byte-pair encoding: a word begins as its characters, or bytes, and pairs become one by rank.
struct BytePairModel: Sendable {
  /// Where ranks come from.
  enum Pairs: Sendable {
    /// A list of pairs, in order.
    case listed(PairTable)
    /// Any two neighbours that are a word together: its rank by id, as a sentencepiece model's scores and a
    /// list of ranks give it.
    case words(ranks: [Int32])
  }

  let words: WordTable
  /// The words as the file writes them, where that is not what is looked up.
  let written: WordTable?
  let pairs: Pairs
  /// Whether words are bytes, and not text: what GPT-2's characters stand for.
  let isBytes: Bool
  var unknown: Int?
  /// The word for what is unknown, where the vocabulary does not have it.
  var missingUnknown: String?
  var fusesUnknown = false
  /// The token of each byte, for characters that are no words.
  var byteTokens: [Int?] = []
  var ignoresMerges = false
  /// Words that are found before anything else, and stay whole.
  var wholes: Set<Int> = []
  var wholeWords: Trie?
  /// Words that are divided again into what they were made of.
  var unused: Set<Int> = []
  var prefix: [UInt8] = []
  var suffix: [UInt8] = []

  init(words: WordTable, written: WordTable? = nil, pairs: Pairs, isBytes: Bool) {
    self.words = words
    self.written = written
    self.pairs = pairs
    self.isBytes = isBytes
  }

  /// Adds the tokens of a part of a text to a list.
  ///
  /// - Throws: `CheckpointError` if something is unknown, and there is no token for that.
  func encode(
    _ bytes: [UInt8], _ range: Range<Int>, into result: inout [Symbol], _ memory: inout Memory
  ) throws(CheckpointError) {
    if ignoresMerges, let id = words.id(of: bytes, range) {
      return result.append(Symbol(token: Int32(id), length: Int32(range.count)))
    }
    if memory.cache.find(bytes, range, into: &result) { return }
    let first = result.count
    memory.symbols.removeAll(keepingCapacity: true)
    try start(bytes, range, &memory.symbols)
    switch pairs {
    case .listed(let table):
      memory.chain.merge(memory.symbols, into: &result) { left, right, _ in
        table[left.token, right.token]
      }
    case .words(let ranks):
      var merged: [Symbol] = []
      memory.chain.merge(memory.symbols, into: &merged) { left, right, start in
        if !wholes.isEmpty, wholes.contains(Int(left.token)) || wholes.contains(Int(right.token)) {
          return nil
        }
        let start = range.lowerBound + start
        let whole = start..<start + Int(left.length) + Int(right.length)
        guard let id = words.id(of: bytes, whole), ranks[id] != .max else { return nil }
        return PairTable.Merge(rank: ranks[id], token: Int32(id))
      }
      try finish(merged, bytes, range, into: &result)
    }
    memory.cache.keep(bytes, range, result[first...])
  }

  /// What is used again from word to word.
  struct Memory {
    var cache = WordCache()
    var chain = SymbolChain()
    var symbols: [Symbol] = []
  }

  /// The characters of a word as tokens.
  private func start(
    _ bytes: [UInt8], _ range: Range<Int>, _ symbols: inout [Symbol]
  ) throws(CheckpointError) {
    var pending: Symbol?
    var index = range.lowerBound
    while index < range.upperBound {
      if case .words = pairs {
        let (symbol, end) = first(bytes, index..<range.upperBound)
        symbols.append(symbol)
        index = end
        continue
      }
      let length = isBytes ? 1 : min(scalarLength(bytes[index]), range.upperBound - index)
      let end = index + length
      if let id = id(ofCharacter: bytes, index..<end, in: range) {
        if let unknown = pending { symbols.append(unknown) }
        pending = nil
        symbols.append(Symbol(token: Int32(id), length: Int32(length)))
      } else if let tokens = tokens(ofBytes: bytes, index..<end, in: range) {
        symbols += tokens
      } else if let unknown {
        if var before = pending, fusesUnknown {
          before.length += Int32(length)
          pending = before
        } else {
          if let before = pending { symbols.append(before) }
          pending = Symbol(token: Int32(unknown), length: Int32(length))
        }
      } else if let missingUnknown {
        throw missing(missingUnknown)
      }
      index = end
    }
    if let unknown = pending { symbols.append(unknown) }
  }

  /// What a text begins with where any two neighbours may become a word: a word that stays whole, or a
  /// character, known or not.
  private func first(_ bytes: [UInt8], _ range: Range<Int>) -> (Symbol, Int) {
    if let (end, id) = wholeWords?.longest(of: bytes, range) {
      return (Symbol(token: Int32(id), length: Int32(end - range.lowerBound)), end)
    }
    let length = isBytes ? 1 : min(scalarLength(bytes[range.lowerBound]), range.count)
    let end = range.lowerBound + length
    let id = words.id(of: bytes, range.lowerBound..<end) ?? -1
    return (Symbol(token: Int32(id), length: Int32(length)), end)
  }

  /// Puts tokens in the place of what is unknown: those of its bytes, of which the last stands for all of it,
  /// or one for all neighbours that are unknown.
  private func finish(
    _ symbols: [Symbol], _ bytes: [UInt8], _ range: Range<Int>, into result: inout [Symbol]
  ) throws(CheckpointError) {
    var (start, isAfterUnknown) = (range.lowerBound, false)
    for symbol in symbols {
      let end = min(start + Int(symbol.length), range.upperBound)
      defer { start = end }
      guard symbol.token < 0 else {
        isAfterUnknown = false
        append(symbol, bytes, start..<end, into: &result)
        continue
      }
      let tokens = byteTokens.isEmpty ? [] : bytes[start..<end].compactMap { byteTokens[Int($0)] }
      if tokens.count == end - start, !tokens.isEmpty {
        for (index, token) in tokens.enumerated() {
          let length = index == tokens.count - 1 ? symbol.length : 0
          result.append(Symbol(token: Int32(token), length: length))
        }
      } else if let unknown {
        if isAfterUnknown {
          result[result.count - 1].length += symbol.length
        } else {
          result.append(Symbol(token: Int32(unknown), length: symbol.length))
        }
        isAfterUnknown = true
      } else {
        throw missing("a token for the unknown")
      }
    }
  }

  /// Adds a word; one that is not to be used as the words that it was made of.
  private func append(
    _ symbol: Symbol, _ bytes: [UInt8], _ range: Range<Int>, into result: inout [Symbol]
  ) {
    guard unused.contains(Int(symbol.token)), let (left, right) = halves(bytes, range) else {
      return result.append(symbol)
    }
    append(left, bytes, range.lowerBound..<range.lowerBound + Int(left.length), into: &result)
    append(right, bytes, range.lowerBound + Int(left.length)..<range.upperBound, into: &result)
  }

  /// The two words that a word was made of.
  private func halves(_ bytes: [UInt8], _ range: Range<Int>) -> (Symbol, Symbol)? {
    var (symbols, index): ([Symbol], Int) = ([], range.lowerBound)
    while index < range.upperBound {
      let (symbol, end) = first(bytes, index..<range.upperBound)
      symbols.append(symbol)
      index = end
    }
    guard case .words(let ranks) = pairs, symbols.count > 1 else { return nil }
    var merged: [Symbol] = []
    var chain = SymbolChain()
    chain.merge(symbols, into: &merged) { left, right, start in
      let whole =
        range.lowerBound + start..<range.lowerBound + start + Int(left.length) + Int(right.length)
      guard whole != range, let id = words.id(of: bytes, whole), ranks[id] != .max else {
        return nil
      }
      return PairTable.Merge(rank: ranks[id], token: Int32(id))
    }
    return merged.count == 2 ? (merged[0], merged[1]) : nil
  }

  /// The token of a character, with what the vocabulary writes before those within a word and after the last.
  private func id(
    ofCharacter bytes: [UInt8], _ character: Range<Int>, in word: Range<Int>
  ) -> Int? {
    if prefix.isEmpty, suffix.isEmpty { return words.id(of: bytes, character) }
    return words.id(of: marked(bytes, character, in: word))
  }

  private func marked(
    _ bytes: [UInt8], _ character: Range<Int>, in word: Range<Int>
  ) -> [UInt8] {
    var marked = character.lowerBound == word.lowerBound ? [] : prefix
    marked += bytes[character]
    if character.upperBound == word.upperBound { marked += suffix }
    return marked
  }

  private func tokens(
    ofBytes bytes: [UInt8], _ character: Range<Int>, in word: Range<Int>
  ) -> [Symbol]? {
    guard !byteTokens.isEmpty else { return nil }
    var tokens: [Symbol] = []
    for byte in marked(bytes, character, in: word) {
      guard let token = byteTokens[Int(byte)] else { return nil }
      tokens.append(Symbol(token: Int32(token), length: 1))
    }
    return tokens
  }
}

/// The tokens `<0x00>` to `<0xFF>` of a vocabulary, those that it has.
func byteTokens(in words: WordTable) -> [Int?] {
  let digits = Array("0123456789ABCDEF".utf8)
  return (0..<256).map { byte in
    words.id(of: Array("<0x".utf8) + [digits[byte >> 4], digits[byte & 15]] + Array(">".utf8))
  }
}
