internal import Containers
public import Kernels
internal import Models
public import TensorCore
internal import Tokenizers

/// What a model that scores characters at each place of a sound finds likeliest: at each place one, repeated ones once, and
/// those that stand for none left out.
public struct Transcript: Sendable, Equatable {
  /// The characters' ids.
  public let ids: [Int]
  /// The text, where there is a vocabulary.
  public let text: String?

  package init(ids: [Int], text: String?) { (self.ids, self.text) = (ids, text) }
}

/// The characters of a model, as Hugging Face's Wav2Vec2CTCTokenizer reads them from vocab.json and tokenizer_config.json.
private struct Characters {
  private var words: [Int: String] = [:]
  private let blank: String
  private let unknown: String
  private let delimiter: String
  private let space: String
  private let isLowered: Bool

  /// - Throws: `CheckpointError` if the vocabulary is one of several languages, and none is chosen.
  init(vocabulary: JSONValue, settings: JSONValue?, marks: JSONValue?) throws(CheckpointError) {
    func mark(_ name: String, _ usual: String) -> String {
      for file in [settings, marks] {
        let value = file?[name]
        if let text = value?.string ?? value?["content"]?.string { return text }
      }
      return usual
    }
    var vocabulary = vocabulary
    if let language = settings?["target_lang"]?.string {
      guard let own = vocabulary[language] else {
        throw CheckpointError(
          .malformed("vocab.json has no language \(escaped(language)), which is target_lang"))
      }
      vocabulary = own
    }
    for member in vocabulary.members ?? [] {
      guard let id = member.value.int else {
        throw CheckpointError(.malformed("vocab.json has no number for \(escaped(member.key))"))
      }
      words[id] = member.key
    }
    blank = mark("pad_token", "<pad>")
    unknown = mark("unk_token", "<unk>")
    delimiter = mark("word_delimiter_token", "|")
    space = mark("replace_word_delimiter_char", " ")
    isLowered = settings?["do_lower_case"]?.bool ?? false
  }

  /// The text of one id for each place.
  func text(_ ids: [Int]) -> String {
    var text = ""
    var last: String?
    for id in ids {
      let word = words[id] ?? unknown
      if word != last, word != blank { text += word == delimiter ? space : word }
      last = word
    }
    let trimmed = text.trimmed
    return isLowered ? trimmed.lowercased() : trimmed
  }

  /// Whether a word of that id is left out.
  func isBlank(_ id: Int) -> Bool { (words[id] ?? unknown) == blank }
}

extension String {
  /// Without white space at its beginning and end.
  fileprivate var trimmed: String {
    let first = unicodeScalars.firstIndex { !$0.properties.isWhitespace }
    guard let first, let last = unicodeScalars.lastIndex(where: { !$0.properties.isWhitespace })
    else { return "" }
    return String(unicodeScalars[first...last])
  }
}

extension Model {
  /// What is likeliest in sounds, one transcript for each; `nil` if the model scores no characters.
  ///
  /// - Throws: `CheckpointError` if the vocabulary or the tokenizer beside the weights is broken.
  public func transcripts<Scalar: ComputeScalar>(
    _ outputs: [NamedArray<Scalar>]
  ) throws(CheckpointError) -> [Transcript]? {
    guard let blank = graph.architecture.blank,
      let scores = outputs.first(where: { $0.name == "logits" })?.array, scores.shape.count == 3
    else { return nil }
    let characters = try characters()
    let tokenizer = characters == nil ? try tokenizer() : nil
    let (sounds, places, count) = (scores.shape[0], scores.shape[1], scores.shape[2])
    var transcripts: [Transcript] = []
    for sound in 0..<sounds {
      let ids = (0..<places).map { place -> Int in
        let start = (sound * places + place) * count
        var best = 0
        for id in 0..<count where scores.elements[start + id] > scores.elements[start + best] {
          best = id
        }
        return best
      }
      let kept = ids.indices.filter { $0 == 0 || ids[$0] != ids[$0 - 1] }.map { ids[$0] }
        .filter { !(characters?.isBlank($0) ?? ($0 == blank)) }
      let written = try tokenizer?.decode(kept, skipsSpecial: false)
      transcripts.append(Transcript(ids: kept, text: characters?.text(ids) ?? written))
    }
    return transcripts
  }

  /// The tokenizer beside the weights, if there is one.
  private func tokenizer() throws(CheckpointError) -> Tokenizer? {
    do {
      return try FoundTokenizer(checkpoint.path).tokenizer
    } catch  where error.problem.isMissing {
      return nil
    } catch {
      throw error
    }
  }

  /// The vocabulary beside the weights, if there is one.
  private func characters() throws(CheckpointError) -> Characters? {
    guard let vocabulary = try checkpoint.companionJSON("vocab.json") else { return nil }
    do throws(CheckpointError) {
      return try Characters(
        vocabulary: vocabulary, settings: try checkpoint.companionJSON("tokenizer_config.json"),
        marks: try checkpoint.companionJSON("special_tokens_map.json"))
    } catch {
      throw error.inFile(checkpoint.companionName("vocab.json"))
    }
  }
}
