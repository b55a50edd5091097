import TensorCore

/// How many tokens there may be at most.
struct Truncation: Sendable {
  enum Strategy: String, Sendable {
    case longestFirst = "LongestFirst"
    case onlyFirst = "OnlyFirst"
    case onlySecond = "OnlySecond"
  }

  let length: Int
  let strategy: Strategy
  let isLeft: Bool

  /// Cuts one encoding or two to the length, less the tokens that will be added.
  ///
  /// - Throws: `CheckpointError` if that is not possible.
  func apply(_ encodings: inout [TokenizedText], added: Int) throws(CheckpointError) {
    let counts = encodings.map(\.tokens.count)
    let total = counts.reduce(0, +)
    guard added <= length else {
      throw CheckpointError(.refused("\(added) tokens are added, and \(length) are allowed"))
    }
    let most = length - added
    guard total > most else { return }
    if most == 0 {
      for index in encodings.indices { encodings[index].keep(0..<0) }
      return
    }
    if strategy == .longestFirst {
      let kept = counts.count == 1 ? [most] : Self.shares(counts[0], counts[1], most)
      for index in encodings.indices { cut(&encodings[index], to: kept[index]) }
      return
    }
    let index = strategy == .onlyFirst ? 0 : 1
    guard index < encodings.count, counts[index] > total - most else {
      throw CheckpointError(
        .refused("the text is too long, and cannot be cut to \(length) tokens as the file says"))
    }
    cut(&encodings[index], to: counts[index] - (total - most))
  }

  /// How many tokens of two texts are kept.
  private static func shares(_ first: Int, _ second: Int, _ most: Int) -> [Int] {
    var (shorter, longer) = (min(first, second), 0)
    longer = shorter > most ? shorter : max(shorter, most - shorter)
    if shorter + longer > most { (shorter, longer) = (most / 2, most / 2 + most % 2) }
    return first > second ? [longer, shorter] : [shorter, longer]
  }

  private func cut(_ encoding: inout TokenizedText, to count: Int) {
    let total = encoding.tokens.count
    guard count < total else { return }
    encoding.keep(isLeft ? total - count..<total : 0..<count)
  }
}

/// How many tokens there are at least.
struct Padding: Sendable {
  /// The length; `nil` for that of the longest of several texts.
  let length: Int?
  let multiple: Int?
  let isLeft: Bool
  let id: Int
  let type: Int
  let text: String

  /// The most tokens that are made of padding.
  static let limit = 1 << 16

  func apply(_ encoding: inout TokenizedText) {
    let count = encoding.tokens.count
    var target = length ?? count
    if let multiple, multiple > 0, target % multiple > 0 { target += multiple - target % multiple }
    guard target > count else { return }
    var padding = TokenizedText(tokens: [])
    for index in 0..<min(target, Self.limit) - min(count, Self.limit) {
      padding.append(special: id, type: type, text: text)
      padding.tokens[index].isPadding = true
    }
    if isLeft {
      padding.append(encoding)
      encoding = padding
    } else {
      encoding.append(padding)
    }
  }
}
