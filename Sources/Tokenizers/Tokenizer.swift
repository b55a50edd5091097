public import TensorCore

/// Makes tokens of texts, and texts of tokens, as the library does whose files it reads.
public struct Tokenizer: Sendable {
  /// The vocabulary and how words are divided.
  enum Model: Sendable {
    case bytePairs(BytePairModel)
    case wordPiece(WordPieceModel)
    case wordLevel(WordLevelModel)
    case unigram(UnigramModel)
  }

  /// What it was read from: `tokenizer.json`, `vocab.txt` …
  public package(set) var format: String
  var normalizer: Normalizer?
  var preTokenizer: PreTokenizer?
  var model: Model
  var added = AddedTokens()
  var postProcessor: PostProcessor?
  var decoder: Decoder?
  var truncation: Truncation?
  var padding: Padding?

  init(format: String, model: Model) {
    self.format = format
    self.model = model
  }

  /// The longest text that is taken, in bytes.
  public static let longestText = 1 << 30

  // MARK: Encoding

  /// The tokens of a text, or of a pair of texts.
  ///
  /// - Parameters:
  ///   - text: the text.
  ///   - pair: the second text.
  ///   - addsSpecial: whether tokens are put around the texts.
  /// - Throws: `CheckpointError`: refused if the text cannot be said in these tokens.
  public func encode(
    _ text: String, pair: String? = nil, addsSpecial: Bool = true
  ) throws(CheckpointError) -> TokenizedText {
    var memory = Memory()
    return try encode(text, pair: pair, addsSpecial: addsSpecial, &memory)
  }

  /// What is kept of words from one text to the next: many short texts are encoded faster with it.
  public struct Memory: Sendable {
    var words = BytePairModel.Memory()

    public init() {}
  }

  /// The same with what this tokenizer has kept of other texts.
  public func encode(
    _ text: String, pair: String? = nil, addsSpecial: Bool = true, _ memory: inout Memory
  ) throws(CheckpointError) -> TokenizedText {
    var encodings = [try encode(text, sequence: 0, &memory)]
    if let pair { encodings.append(try encode(pair, sequence: 1, &memory)) }
    let added = addsSpecial ? postProcessor?.addedCount(isPair: pair != nil) ?? 0 : 0
    try truncation?.apply(&encodings, added: added)
    if let postProcessor {
      let texts = [text.bytes] + (pair.map { [$0.bytes] } ?? [])
      encodings = postProcessor.apply(encodings, of: texts, addsSpecial: addsSpecial) {
        encoding, index in word(index, of: encoding)
      }
    }
    var whole = TokenizedText(tokens: [])
    if encodings.count == 1 {
      whole = encodings[0]
    } else {
      for encoding in encodings { whole.append(encoding) }
    }
    padding?.apply(&whole)
    return whole
  }

  private func encode(
    _ text: String, sequence: Int, _ memory: inout Memory
  ) throws(CheckpointError) -> TokenizedText {
    let bytes = Array(text.utf8)
    guard bytes.count <= Self.longestText else {
      throw CheckpointError(
        .limitExceeded("the length of the text", limit: Self.longestText, found: bytes.count))
    }
    var text = CutText(bytes)
    try added.extract(from: &text, normalizer)
    try cut(&text)
    return try tokens(text, sequence: Int8(sequence), &memory.words)
  }

  /// Cuts a text into words. Where a word is bytes to the model, they are left as they are, instead of being
  /// written as characters and read back.
  private func cut(_ text: inout CutText) throws(CheckpointError) {
    guard case .bytePairs(let model) = model, model.isBytes else {
      try preTokenizer?.apply(&text)
      return
    }
    guard case .sequence(let steps) = preTokenizer else {
      try preTokenizer?.cutBytes(&text)
      return
    }
    for step in steps.dropLast() { try step.apply(&text) }
    try steps.last?.cutBytes(&text)
  }

  private func tokens(
    _ text: CutText, sequence: Int8, _ memory: inout BytePairModel.Memory
  ) throws(CheckpointError) -> TokenizedText {
    var encoding = TokenizedText(tokens: [])
    encoding.tokens.reserveCapacity(text.text.bytes.count / 3)
    var symbols: [Symbol] = []
    var pieces: [UnigramModel.Piece] = []
    var word: Int32 = 0
    func add(_ id: Int, _ range: Range<Int>, _ own: [UInt8]?) {
      let origin = text.text.origin(of: range)
      if let own { encoding.texts[encoding.tokens.count] = own }
      encoding.tokens.append(
        TokenizedText.Token(
          token: Int32(truncatingIfNeeded: id), from: UInt32(origin.lowerBound),
          to: UInt32(origin.upperBound), wordIndex: word, type: Int32(sequence), source: sequence,
          isSpecialToken: false))
    }
    let bytes = text.text.bytes
    for part in text.parts where !part.range.isEmpty {
      defer { word += 1 }
      if let token = part.token {
        add(token, part.range, Array(bytes[part.range]))
        continue
      }
      symbols.removeAll(keepingCapacity: true)
      switch model {
      case .bytePairs(let model): try model.encode(bytes, part.range, into: &symbols, &memory)
      case .wordPiece(let model): try model.encode(bytes, part.range, into: &symbols)
      case .wordLevel(let model): try model.encode(bytes, part.range, into: &symbols)
      case .unigram(let model):
        pieces.removeAll(keepingCapacity: true)
        try model.encode(bytes, part.range, into: &pieces)
        for piece in pieces {
          add(piece.token, piece.range, piece.isUnknown ? Array(bytes[piece.range]) : nil)
        }
      }
      var position = part.range.lowerBound
      for symbol in symbols {
        let end = min(position + Int(symbol.length), part.range.upperBound)
        add(Int(symbol.token), position..<end, nil)
        position = end
      }
    }
    return encoding
  }

  // MARK: Tokens

  /// How many ids there can be: one more than the largest.
  public var idCount: Int {
    let own =
      switch model {
      case .bytePairs(let model): (model.written ?? model.words).largestID
      case .wordPiece(let model): model.words.largestID
      case .wordLevel(let model): model.words.largestID
      case .unigram(let model): model.count - 1
      }
    return max(own, added.tokens.keys.max() ?? -1) + 1
  }

  /// The added tokens, by id.
  public var addedTokens: [AddedToken] { added.tokens.values.sorted { $0.id < $1.id } }

  /// The word of an id as the vocabulary writes it: bytes as GPT-2's characters where it does so.
  public func word(_ id: Int) -> String? {
    (added.text(id) ?? modelWord(id)).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The id of a word as the vocabulary writes it.
  public func id(of word: String) -> Int? {
    let word = word.bytes
    if let id = added.ids[word] { return id }
    switch model {
    case .bytePairs(let model):
      if let written = model.written { return written.id(of: word) }
      if model.isBytes {
        guard let bytes = ByteCharacters.bytes(of: word) else { return nil }
        return model.words.id(of: bytes)
      }
      return model.words.id(of: word)
    case .wordPiece(let model): return model.words.id(of: word)
    case .wordLevel(let model): return model.words.id(of: word)
    case .unigram(let model): return model.id(of: word)
    }
  }

  /// The bytes of the words before the first added or missing id, where the vocabulary is one of bytes.
  public var wordsOfBytes: [[UInt8]] {
    guard case .bytePairs = model else { return [] }
    var words: [[UInt8]] = []
    while added.text(words.count) == nil, let word = modelWord(words.count),
      let bytes = ByteCharacters.bytes(of: word)
    {
      words.append(bytes)
    }
    return words
  }

  private func modelWord(_ id: Int) -> [UInt8]? {
    switch model {
    case .bytePairs(let model):
      if let written = model.written { return written.word(id) }
      let word = model.words.word(id)
      return model.isBytes ? word.map(ByteCharacters.word) : word
    case .wordPiece(let model): return model.words.word(id)
    case .wordLevel(let model): return model.words.word(id)
    case .unigram(let model): return model.pieces.indices.contains(id) ? model.pieces[id] : nil
    }
  }

  /// The text of a token of an encoding: the vocabulary's word, or what the text has where that is unknown.
  public func text(_ index: Int, of encoding: TokenizedText) -> String {
    String(decoding: word(index, of: encoding), as: UTF8.self)
  }

  private func word(_ index: Int, of encoding: TokenizedText) -> [UInt8] {
    if let text = encoding.texts[index] { return text }
    let id = encoding.tokens[index].id
    return modelWord(id) ?? added.text(id) ?? []
  }

  // MARK: Decoding

  /// The text of some tokens. Ids that there are not are left out.
  ///
  /// - Parameters:
  ///   - ids: the tokens.
  ///   - skipsSpecial: whether special tokens are left out.
  /// - Throws: `CheckpointError`: refused if a pattern of the file takes too long.
  public func decode(
    _ ids: [Int], skipsSpecial: Bool = true
  ) throws(CheckpointError) -> String {
    var words: [[UInt8]] = []
    for id in ids {
      guard let word = added.text(id) ?? modelWord(id) else { continue }
      if skipsSpecial, added.isSpecial(word) { continue }
      words.append(word)
    }
    guard let decoder else {
      return String(decoding: Array(words.joined(separator: [0x20])), as: UTF8.self)
    }
    return String(decoding: try decoder.apply(words).flatMap { $0 }, as: UTF8.self)
  }
}
