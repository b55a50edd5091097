public import TensorCore

extension Tokenizer {
  /// How texts are cut before ranks are used, which a file of ranks does not say: by how many it has.
  private static let cuttings: [(counts: [Int], name: String, expression: String)] = [
    ([50_256, 50_257, 50_280], "gpt2", PreTokenizer.gpt2),
    ([100_256], "cl100k", cl100k(digits: "{1,3}")),
    ([128_000], "llama3", cl100k(digits: "{1,3}")),
    ([151_643], "qwen", cl100k(digits: "")),
    ([199_998], "o200k", o200k),
  ]

  private static func cl100k(digits: String) -> String {
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"# + digits
      + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  }

  private static var o200k: String {
    let (upper, lower) = (#"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"#, #"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"#)
    let ending = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    return #"[^\r\n\p{L}\p{N}]?"# + upper + "*" + lower + "+" + ending
      + #"|[^\r\n\p{L}\p{N}]?"# + upper + "+" + lower + "*" + ending
      + #"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  }

  /// Reads a list of ranks as tiktoken has it: in each line a word in base64, and its rank.
  ///
  /// How texts are cut is known by the file's name or by how many ranks it has; special tokens are in the
  /// programs that use such files, and are not found in texts.
  ///
  /// - Parameters:
  ///   - bytes: the file.
  ///   - name: its name.
  /// - Throws: `CheckpointError`: malformed, or unsupported if it is not known how texts are cut.
  public init(ranks bytes: [UInt8], name: String) throws(CheckpointError) {
    var words = WordTable(capacity: min(bytes.count / 16, VocabularyLimit.mostWords))
    var ranks: [Int32] = []
    var limit = VocabularyLimit()
    try VocabularyReader.visitLines(bytes) { (range) throws(CheckpointError) in
      let (line, position) = (bytes[range], range.lowerBound)
      guard !line.isEmpty, line != [13] else { return }
      let parts = line.split(separator: 0x20)
      // A word of no bytes is in no text; openai-whisper's multilingual list ends with one.
      if parts.first?.elementsEqual("=".utf8) == true { return }
      guard parts.count == 2, let word = decodeBase64(Array(parts[0])), !word.isEmpty,
        let rank = Int(String(decoding: parts[1].filter { $0 != 13 }, as: UTF8.self)),
        (0..<1 << 24).contains(rank)
      else {
        throw CheckpointError(
          .malformed("a line is no word in base64 with its rank"), offset: position)
      }
      try limit.add(word.count, "word", position)
      guard words.add(word, id: rank) else {
        throw CheckpointError(.malformed("a word has two ranks"), offset: position)
      }
      while ranks.count <= rank { ranks.append(.max) }
      ranks[rank] = Int32(rank)
    }
    try self.init(words, ranks: ranks, name: name)
  }

  /// Takes words in the order of their ranks, for texts that are cut as GPT-2's; none of no bytes is in a text.
  ///
  /// - Throws: `CheckpointError`: malformed if a word is there twice.
  public init(words list: [[UInt8]]) throws(CheckpointError) {
    var words = WordTable(capacity: min(list.count, VocabularyLimit.mostWords))
    var limit = VocabularyLimit()
    for (rank, word) in list.enumerated() where !word.isEmpty {
      try limit.add(word.count, "word", rank)
      guard words.add(word, id: rank) else {
        throw CheckpointError(.malformed("a word has two ranks"))
      }
    }
    try self.init(
      words, ranks: list.indices.map { list[$0].isEmpty ? .max : Int32($0) }, name: "gpt2")
  }

  private init(_ words: WordTable, ranks: [Int32], name: String) throws(CheckpointError) {
    let count = words.count
    let cutting =
      Self.cuttings.first { name.hasPrefix($0.name) }
      ?? Self.cuttings.first { $0.counts.contains(count) }
    guard let cutting else {
      throw CheckpointError(
        .unsupported("\(count) ranks: how texts are cut for them is not known here"),
        advice: "a tokenizer.json says it")
    }
    let pattern = try Pattern(cutting.expression)
    self.init(
      format: "tiktoken \(cutting.name)",
      model: .bytePairs(BytePairModel(words: words, pairs: .words(ranks: ranks), isBytes: true)))
    preTokenizer = .byteLevel(addsSpace: false, pattern: pattern)
    decoder = .byteLevel
  }
}
