import TensorCore

/// What tokenizers of pieces do with spaces: each is written as a character of its own, and a text may get one before it.
enum PieceSpaces {
  /// Whether a tokenizer.json puts a space before each text; `nil` if it does something else.
  ///
  /// Older ones of `transformers` do it when texts are normalised, newer ones when they are cut.
  static func before(_ tokenizer: JSONValue) -> Bool? {
    let normalizer = steps(tokenizer["normalizer"], "normalizers")
    let cutting = steps(tokenizer["pre_tokenizer"], "pretokenizers")
    if normalizer.isEmpty {
      guard cutting.count == 1, cutting[0]["type"]?.string == "Metaspace",
        cutting[0]["replacement"]?.string == spaceMark, cutting[0]["split"]?.bool == false
      else { return nil }
      switch cutting[0]["prepend_scheme"]?.string {
      case "never": return false
      case "first", "always": return true
      default: return nil
      }
    }
    // Words that end with a space are none of these: cutting there changes nothing.
    guard
      cutting.allSatisfy({
        $0["type"]?.string == "Split" && $0["pattern"]?["String"]?.string == " "
      }), normalizer.last == replacing
    else { return nil }
    switch normalizer.dropLast().first {
    case nil: return false
    case prepending? where normalizer.count == 2: return true
    default: return nil
    }
  }

  private static func steps(_ value: JSONValue?, _ list: String) -> [JSONValue] {
    guard let value, value != .null else { return [] }
    return value[list]?.elements ?? [value]
  }

  private static let prepending: JSONValue = ["type": "Prepend", "prepend": .string(spaceMark)]
  private static let replacing: JSONValue = [
    "type": "Replace", "pattern": ["String": " "], "content": .string(spaceMark),
  ]

  /// What a tokenizer.json does to texts first.
  static func normalizer(before hasSpace: Bool) -> JSONValue {
    hasSpace ? ["type": "Sequence", "normalizers": [prepending, replacing]] : replacing
  }

  /// What a tokenizer.json does to make a text of words.
  static func decoder(before hasSpace: Bool) -> JSONValue {
    let steps: [JSONValue] = [
      ["type": "Replace", "pattern": ["String": .string(spaceMark)], "content": " "],
      ["type": "ByteFallback"], ["type": "Fuse"],
    ]
    let strip: JSONValue = ["type": "Strip", "content": " ", "start": 1, "stop": 0]
    return ["type": "Sequence", "decoders": .array(hasSpace ? steps + [strip] : steps)]
  }
}
