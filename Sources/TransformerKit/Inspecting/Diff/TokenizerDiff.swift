import Containers
public import SystemPackage
import TensorCore
import Tokenizers

/// What two tokenizers do otherwise: the words of their ids, and what they make of some texts.
public struct TokenizerDiff: Sendable {
  /// A text that becomes other ids.
  struct OtherText: Sendable {
    let text: String
    let a: [Int]
    let b: [Int]

    /// The first token that is another one, if it is none that only one of both has.
    var place: Int? { zip(a, b).enumerated().first { $1.0 != $1.1 }?.offset }
  }

  /// How many ids A and B have.
  let idCounts: (a: Int, b: Int)
  /// The ids of both that are other words.
  let otherWords: [Int]
  /// The first of some texts that become other ids. None is looked for where ids are other words.
  let otherText: OtherText?
  private let words: (a: String, b: String)

  /// - Parameter withTexts: whether texts are compared.
  init(_ a: Tokenizer, _ b: Tokenizer, withTexts: Bool) {
    idCounts = (a.idCount, b.idCount)
    otherWords = (0..<min(a.idCount, b.idCount)).filter { a.word($0) != b.word($0) }
    words = otherWords.first.map { (a.word($0) ?? "", b.word($0) ?? "") } ?? ("", "")
    otherText = withTexts && otherWords.isEmpty ? Self.otherText(a, b) : nil
  }

  /// Compares what two folders have, or two files are; `nil` if one of both is or has no tokenizer that is read, or both have the
  /// same files.
  ///
  /// - Parameters:
  ///   - a: a folder, or a tokenizer's file.
  ///   - b: another one.
  public init?(_ a: FilePath, _ b: FilePath) {
    let areFiles = FoundTokenizer.isFile(a) && FoundTokenizer.isFile(b)
    guard areFiles || a.kind == .directory && b.kind == .directory && !Self.haveSameFiles(a, b),
      let x = try? FoundTokenizer(a), let y = try? FoundTokenizer(b)
    else { return nil }
    // A file of another kind, such as what is inside GGUF, may say less of how texts are made words.
    let isWhole = x.isOfKind(of: y) && x.caveat == nil && y.caveat == nil
    self.init(x.tokenizer, y.tokenizer, withTexts: areFiles || isWhole)
  }

  /// Compares the tokenizers that lie beside two models, or are in their files; `nil` if one has none that is read, both have the
  /// same files, or they are of two kinds, such as GGUF and tokenizer.json, of which one may say less than the other.
  public init?(_ a: Model, _ b: Model) {
    let (a, b) = (a.checkpoint.path, b.checkpoint.path)
    guard !Self.haveSameFiles(a, b), let x = try? FoundTokenizer(a), let y = try? FoundTokenizer(b),
      x.file != y.file, x.isOfKind(of: y)
    else { return nil }
    self.init(x.tokenizer, y.tokenizer, withTexts: x.caveat == nil && y.caveat == nil)
  }

  /// What differs, a sentence each; none if nothing was found.
  public var differences: [String] {
    var sentences: [String] = []
    if idCounts.a != idCounts.b { sentences.append("\(idCounts.a) ids in A, \(idCounts.b) in B") }
    if let first = otherWords.first {
      let count =
        otherWords.count == 1 ? "1 id is another word" : "\(otherWords.count) ids are other words"
      sentences.append(
        "\(count), the first \(first): \"\(escaped(words.a))\" in A, \"\(escaped(words.b))\" in B")
    }
    if let other = otherText {
      let place = other.place.map { "token \($0) is \(other.a[$0]) in A, \(other.b[$0]) in B" }
      sentences.append(
        "other ids of \"\(escaped(other.text))\": "
          + (place ?? "\(other.a.count) tokens in A, \(other.b.count) in B"))
    }
    return sentences
  }

  /// Texts on which what is done before words are looked up, and put around them, shows.
  private static let samples = [
    "The Quick brown fox", " two  spaces and\ta tab\n", "Zürich, 1234.5 naïve ﬁn", "x += 2; don't",
    "Привет, мир! 你好 こんにちは", "مرحبا हैलो 👩‍👩‍👧 e\u{301}", "http://a.b/c?d=e_f 10,000.00 $5",
    "\u{feff}line\r\nline\u{a0}\u{3000}end  ",
  ]

  private static func otherText(_ a: Tokenizer, _ b: Tokenizer) -> OtherText? {
    for text in samples {
      guard let x = try? a.encode(text).ids, let y = try? b.encode(text).ids, x != y else {
        continue
      }
      return OtherText(text: text, a: x, b: y)
    }
    return nil
  }

  /// The files that say what a tokenizer is.
  private static let files = [
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "spm.model", "source.spm",
    "vocab.json", "merges.txt", "vocab.txt",
  ]

  /// Whether two folders have the same of them, and some: then nothing needs to be made of them.
  private static func haveSameFiles(_ a: FilePath, _ b: FilePath) -> Bool {
    var count = 0
    for name in files {
      let sizes = [a, b].map { (try? $0.appending(name).present())??.size }
      if sizes[0] == nil, sizes[1] == nil { continue }
      guard sizes[0] == sizes[1], let first = try? FileDigest(a.appending(name)).sha256,
        let second = try? FileDigest(b.appending(name)).sha256, first == second
      else { return false }
      count += 1
    }
    return count > 0
  }
}
