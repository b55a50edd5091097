import TensorCore

/// What a word of a tokenizer is for (gguf-py 0.19, `gguf.TokenType`).
enum WordKind: Int {
  case normal = 1
  case unknown = 2
  case control = 3
  case userDefined = 4
  case unused = 5
  case byte = 6

  /// Whether it is found in texts before they are cut.
  var isAdded: Bool { self == .unknown || self == .control || self == .userDefined }
}

/// A word with a place of its own, as a config and as key-values name it.
struct MarkName {
  /// `bos`, as in `bos_token`.
  let usual: String
  /// As in `tokenizer.ggml.padding_token_id`.
  let native: String

  var idKey: String { "tokenizer.ggml.\(native)_token_id" }

  static let all: [MarkName] = [
    MarkName(usual: "bos", native: "bos"), MarkName(usual: "eos", native: "eos"),
    MarkName(usual: "unk", native: "unknown"), MarkName(usual: "sep", native: "seperator"),
    MarkName(usual: "pad", native: "padding"), MarkName(usual: "cls", native: "cls"),
    MarkName(usual: "mask", native: "mask"),
  ]
}

/// What stands for a number that has no word.
func padWord(_ id: Int) -> String { "[PAD\(id)]" }

/// The character that stands for a space in words of SentencePiece.
let spaceMark = "\u{2581}"
