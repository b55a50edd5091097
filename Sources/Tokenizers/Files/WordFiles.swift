public import TensorCore

extension Tokenizer {
  /// Reads a vocab.txt of BERT: a word a line, its id the line's number from 0.
  ///
  /// - Parameters:
  ///   - bytes: the file.
  ///   - settings: tokenizer_config.json, if there is one: `do_lower_case`, `strip_accents`,
  ///     `tokenize_chinese_chars` and the special tokens.
  /// - Throws: `CheckpointError` if it is not valid UTF-8.
  public init(wordPieces bytes: [UInt8], settings: JSONValue?) throws(CheckpointError) {
    var words = WordTable(capacity: min(bytes.count / 8, VocabularyLimit.mostWords))
    guard (try? UTF8Span(validating: bytes.span)) != nil else {
      throw CheckpointError(.malformed("not valid UTF-8"))
    }
    var limit = VocabularyLimit()
    var id = 0
    try VocabularyReader.visitLines(bytes) { (line) throws(CheckpointError) in
      var word = bytes[line]
      while let last = word.last, last == 32 || (9...13).contains(last) { word.removeLast() }
      try limit.add(word.count, "word", line.lowerBound)
      words.add(Array(word), id: id)
      id += 1
    }
    func name(_ key: String, _ fallback: String) -> String {
      settings?[key]?.string ?? settings?[key]?["content"]?.string ?? fallback
    }
    let (start, separator) = (name("cls_token", "[CLS]"), name("sep_token", "[SEP]"))
    let unknown = name("unk_token", "[UNK]")
    self.init(
      format: "vocab.txt",
      model: .wordPiece(
        WordPieceModel(words: words, unknownWord: unknown, prefix: "##", longestWord: 100)))
    let lowers = settings?["do_lower_case"]?.bool ?? true
    normalizer = .bert(
      BERTNormalizer(
        cleansText: true, separatesChinese: settings?["tokenize_chinese_chars"]?.bool ?? true,
        stripsAccents: settings?["strip_accents"]?.bool ?? lowers, lowers: lowers))
    preTokenizer = .bert
    decoder = .wordPiece(prefix: "##".bytes, cleansUp: true)
    let special = [
      unknown, separator, start, name("pad_token", "[PAD]"), name("mask_token", "[MASK]"),
    ]
    added = try AddedTokens(
      special.compactMap { text in
        words.id(of: text.bytes).map { AddedToken(text, id: $0, isSpecial: true) }
      }, normalizer)
    if let startID = words.id(of: start.bytes), let separatorID = words.id(of: separator.bytes) {
      postProcessor = .bert(
        separator: .init(text: separator, id: separatorID), start: .init(text: start, id: startID))
    }
  }

  /// Reads a vocab.json and a merges.txt: GPT-2's, or RoBERTa's where the vocabulary has `<s>` and `</s>`.
  ///
  /// - Parameters:
  ///   - words: vocab.json, words and their ids.
  ///   - merges: merges.txt, a pair of words a line.
  ///   - settings: tokenizer_config.json, if there is one: `add_prefix_space`.
  /// - Throws: `CheckpointError`: malformed, or unsupported if words end in `</w>`.
  public init(
    words bytes: [UInt8], merges: [UInt8], settings: JSONValue?
  ) throws(CheckpointError) {
    let words = try WordTable(json: bytes)
    var pairs = PairTable(capacity: min(merges.count / 8, PairTable.most))
    var rank: Int32 = 0
    try VocabularyReader.visitLines(merges) { (range) throws(CheckpointError) in
      let position = range.lowerBound
      let line = merges[range].last == 13 ? merges[range].dropLast() : merges[range]
      guard !line.isEmpty, !line.starts(with: "#version".utf8) else { return }
      try PairTable.check(rank, position)
      guard let (left, right) = VocabularyReader.split(Array(line)) else {
        throw CheckpointError(
          .malformed("a line of merges.txt is no pair of words"), offset: position)
      }
      guard pairs.add(left, right, rank: rank, words) else {
        let ends = right.suffix(4) == Array("</w>".utf8)[...]
        throw CheckpointError(
          ends
            ? .unsupported("a vocabulary whose words end in </w>, without a tokenizer.json")
            : .malformed("a merge of words that are not in the vocabulary"), offset: position)
      }
      rank += 1
    }
    self.init(
      format: "vocab.json and merges.txt",
      model: .bytePairs(
        BytePairModel(
          words: words.asBytes, written: words, pairs: .listed(pairs), isBytes: true)))
    let addsSpace = settings?["add_prefix_space"]?.bool ?? false
    preTokenizer = .byteLevel(addsSpace: addsSpace, pattern: try Pattern(PreTokenizer.gpt2))
    decoder = .byteLevel
    let special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "<|endoftext|>"]
    added = try AddedTokens(
      special.compactMap { text in
        words.id(of: text.bytes).map {
          AddedToken(text, id: $0, isSpecial: true)
        }
      }, nil)
    if let start = words.id(of: "<s>".bytes), let end = words.id(of: "</s>".bytes) {
      postProcessor = .roberta(
        separator: .init(text: "</s>", id: end), start: .init(text: "<s>", id: start),
        trim: ByteTrimming(addsSpace: addsSpace))
    } else {
      postProcessor = .byteLevel(nil)
    }
  }
}

extension [UInt8] {
  /// Where a JSON text begins, after its spaces.
  fileprivate var startOfValue: Int { firstIndex { $0 > 0x20 } ?? 0 }
}

extension WordTable {
  /// Reads a vocab.json: an object of words and their ids.
  ///
  /// - Throws: `CheckpointError` if it is none.
  package init(json bytes: [UInt8]) throws(CheckpointError) {
    do {
      try JSONScanner.visitMembers(of: bytes, grammar: .strict) { _ in }
    } catch {
      throw TokenizerFile.error(error)
    }
    self = try VocabularyReader(CheckedJSON(bytes: bytes)).words(
      bytes.startOfValue..<bytes.count)
  }
}
