import TensorCore

/// What OpenNMT-py keeps beside the weights (onmt/models/model_saver.py, 3.5.1): the options of the run that trained them,
/// which alone are a namespace of Python's argparse, and the words that the model knows, `vocab`.
///
/// Of the options those are said that are plain, or lists of what is plain; of a list of words, where marks of texts are.
extension PickleHeap {
  /// More options than the program has.
  private static let mostOptions = 1024
  /// Longer lists are no setting of a model.
  private static let longestList = 64
  /// Bytes: longer texts are no setting of a model, and begin no text.
  private static let longestText = 256
  /// The marks that the program puts before the words of texts.
  private static let marks: Set<String> = ["<unk>", "<blank>", "<s>", "</s>"]

  /// The options in a file, and what they and its words say; `nil` if there are not both beside weights.
  func trainedOptions(in root: PickleValue) -> (value: PickleValue, said: JSONValue)? {
    guard let pairs = dictionary(root) else { return nil }
    func value(_ key: String) -> PickleValue? {
      stride(from: 0, to: pairs.count - 1, by: 2).first { string(pairs[$0]) == key }
        .map { pairs[$0 + 1] }
    }
    let values = stride(from: 1, to: pairs.count, by: 2).lazy.map { pairs[$0] }
    guard value("model") != nil, let words = value("vocab"), let lists = dictionary(words),
      let options = values.first(where: { namespace($0) != nil }), let given = namespace(options)
    else { return nil }
    // What begins a text may be any word: that is said beside the lists.
    let named = stride(from: 1, to: min(lists.count, 16), by: 2)
      .compactMap { brief(lists[$0])?.string }
    let marks = Self.marks.union(named)
    return (options, ["options": members(given, setting), "vocab": places(of: marks, in: lists)])
  }

  /// What a namespace of Python's has, keys and values in turn.
  private func namespace(_ value: PickleValue) -> [PickleValue]? {
    guard let call = call(value), name(call.function) == "argparse.Namespace",
      let pairs = dictionary(call.state), pairs.count <= 2 * Self.mostOptions
    else { return nil }
    return pairs
  }

  /// An object of what has a meaning; of two with the same name the last one, as in Python.
  private func members(
    _ pairs: [PickleValue], _ meaning: (PickleValue) -> JSONValue?
  ) -> JSONValue {
    var places: [String: Int] = [:]
    var members: [JSONValue.Member] = []
    for index in stride(from: 0, to: min(pairs.count, 2 * Self.mostOptions) - 1, by: 2) {
      guard let key = string(pairs[index]), let value = meaning(pairs[index + 1]) else { continue }
      if let place = places[key] {
        members[place] = .init(key, value)
      } else {
        places[key] = members.count
        members.append(.init(key, value))
      }
    }
    return .object(members)
  }

  private func setting(_ value: PickleValue) -> JSONValue? {
    guard let elements = elements(value) else { return brief(value) }
    guard elements.count <= Self.longestList else { return nil }
    let values = elements.compactMap(brief)
    return values.count == elements.count ? .array(values) : nil
  }

  /// What is plain, and no long text.
  private func brief(_ value: PickleValue) -> JSONValue? {
    guard let plain = plain(value), plain.string?.utf8.count ?? 0 <= Self.longestText
    else { return nil }
    return plain
  }

  /// Where lists of words have marks. One that stands under many names is looked through once.
  private func places(of marks: Set<String>, in lists: [PickleValue]) -> JSONValue {
    var known: [Int32: JSONValue?] = [:]
    return members(lists) { list in
      guard case .object(let number) = list else { return brief(list) }
      if let places = known[number] { return places }
      let places = places(of: marks, in: list)
      known[number] = .some(places)
      return places
    }
  }

  /// Where a list of words has marks; `nil` if it is none.
  private func places(of marks: Set<String>, in list: PickleValue) -> JSONValue? {
    guard let words = elements(list) else { return nil }
    var found: [JSONValue.Member] = []
    for (place, word) in words.enumerated() where found.count < marks.count {
      guard let word = string(word), marks.contains(word),
        !found.contains(where: { $0.key == word })
      else { continue }
      found.append(.init(word, .number(place)))
    }
    return .object(found)
  }
}
