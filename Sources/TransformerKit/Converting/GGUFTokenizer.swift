import Containers
import TensorCore

/// The words of a tokenizer.json that pairs bytes (BPE), as the key-values of a GGUF file say them.
///
/// Keys: gguf-py 0.19, `constants.py`, `Keys.Tokenizer`; what they hold: llama.cpp, conversion/base.py,
/// `get_vocab_base`.
struct GGUFTokenizer {
  /// The key-values.
  private(set) var values: [JSONValue.Member] = []

  /// Types of words (`gguf.TokenType`).
  private enum WordType: Int {
    case normal = 1
    case control = 3
    case userDefined = 4
    case unused = 5
  }

  /// - Parameters:
  ///   - tokenizer: tokenizer.json.
  ///   - settings: tokenizer_config.json, if there is one.
  ///   - config: the model's.
  ///   - count: how many words the model has; those without a word get a name.
  /// - Returns: `nil` if it is a tokenizer of another kind, or cuts texts in a way that is not known.
  init?(
    tokenizer: JSONValue, settings: JSONValue?, config: JSONValue, wordCount count: Int
  ) {
    guard let model = tokenizer["model"], model["type"]?.string == "BPE",
      let way = Self.cutting(tokenizer), let vocabulary = model["vocab"]?.members,
      let merges = Self.merges(model["merges"])
    else { return nil }
    var words = (0..<count).map { "[PAD\($0)]" }
    var types = [Int](repeating: WordType.unused.rawValue, count: count)
    for member in vocabulary {
      guard let id = member.value.int, words.indices.contains(id) else { return nil }
      (words[id], types[id]) = (member.key, WordType.normal.rawValue)
    }
    for word in tokenizer["added_tokens"]?.elements ?? [] {
      guard let id = word["id"]?.int, let text = word["content"]?.string,
        words.indices.contains(id)
      else { return nil }
      let isControl = word["special"]?.bool == true || Self.looksSpecial(text)
      (words[id], types[id]) = (text, (isControl ? WordType.control : .userDefined).rawValue)
    }
    values = [
      .init("tokenizer.ggml.model", "gpt2"), .init("tokenizer.ggml.pre", .string(way)),
      .init("tokenizer.ggml.tokens", .array(words.map { .string($0) })),
      .init("tokenizer.ggml.token_type", .array(types.map { .number($0) })),
      .init("tokenizer.ggml.merges", .array(merges.map { .string($0) })),
    ]
    addMarks(settings, config, count)
  }

  /// Whether a word that was added is taken for a control token by its looks (`does_token_look_special`).
  private static func looksSpecial(_ word: String) -> Bool {
    if ["<pad>", "<mask>", "<2mass>", "[@BOS@]"].contains(word) { return true }
    return word.hasPrefix("<|") && word.hasSuffix("|>")
      || word.hasPrefix("<｜") && word.hasSuffix("｜>")
      || word.hasPrefix("<unused") && word.hasSuffix(">")
  }

  /// The tokens that texts begin and end with, and the template of conversations.
  private mutating func addMarks(_ settings: JSONValue?, _ config: JSONValue, _ count: Int) {
    for (key, name) in [("bos", "bos"), ("eos", "eos"), ("pad", "padding")] {
      let value = config["\(key)_token_id"]
      guard let id = value?.int ?? value?.elements?.first?.int, (0..<count).contains(id) else {
        continue
      }
      values.append(.init("tokenizer.ggml.\(name)_token_id", .number(id)))
    }
    for mark in ["bos", "eos"] {
      if let isAdded = settings?["add_\(mark)_token"], isAdded.bool != nil {
        values.append(.init("tokenizer.ggml.add_\(mark)_token", isAdded))
      }
    }
    if let template = settings?["chat_template"], template.string != nil {
      values.append(.init("tokenizer.chat_template", template))
    }
  }

  /// Pairs, each as two words with a space between.
  private static func merges(_ list: JSONValue?) -> [String]? {
    guard let elements = list?.elements else { return nil }
    let merges = elements.compactMap { pair -> String? in
      if let text = pair.string { return text }
      guard let parts = pair.elements?.compactMap(\.string), parts.count == 2 else { return nil }
      // A space in a word is written as another character there.
      return parts.map { $0.replacing(" ", with: "\u{120}") }.joined(separator: " ")
    }
    return merges.count == elements.count ? merges : nil
  }

  /// What llama.cpp calls the way in which texts are cut before bytes are paired; `nil` if it is none of those
  /// that are known here.
  private static func cutting(_ tokenizer: JSONValue) -> String? {
    let steps =
      tokenizer["pre_tokenizer"].map { $0["pretokenizers"]?.elements ?? [$0] } ?? []
    let ignoresMerges = tokenizer["model"]?["ignore_merges"]?.bool ?? false
    guard steps.last?["type"]?.string == "ByteLevel" else { return nil }
    if steps.count == 1 {
      return steps[0]["use_regex"]?.bool != false && !ignoresMerges ? "gpt-2" : nil
    }
    guard steps.count == 2, steps[0]["type"]?.string == "Split",
      let pattern = steps[0]["pattern"]?["Regex"]?.string
    else { return nil }
    let isNormalised = tokenizer["normalizer"]?["type"]?.string == "NFC"
    switch pattern {
    case expression(digits: "{1,3}") where ignoresMerges: return "llama-bpe"
    case expression(digits: "") where isNormalised && !ignoresMerges: return "qwen2"
    default: return nil
    }
  }

  /// An expression of which there are several kinds: they differ in how many digits stay together.
  private static func expression(digits: String) -> String {
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"# + digits
      + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  }
}

extension GGUFTokenizer {
  /// The tokenizer among the files of a folder.
  ///
  /// - Returns: `nil` if there is none that can be translated.
  init?(
    in files: [CompanionFile], config: JSONValue, wordCount: Int
  ) throws(CheckpointError) {
    func object(_ name: String) throws(CheckpointError) -> JSONValue? {
      guard let file = files.first(where: { $0.name.elementsEqual(name.utf8) }),
        file.bytes.count <= Self.largestFile
      else { return nil }
      return try? JSONValue(parsing: try file.bytes.read(0..<file.bytes.count), grammar: .python)
    }
    guard let tokenizer = try object("tokenizer.json") else { return nil }
    self.init(
      tokenizer: tokenizer, settings: try object("tokenizer_config.json"), config: config,
      wordCount: wordCount)
  }

  /// Bytes of a file that is looked at: a byte can take 35 of memory.
  private static let largestFile = 32 << 20
}
