import TensorCore

/// How one ecosystem names and lays out the weights of one architecture: a table of rules.
///
/// Adding a dialect is one new file and one line in `all`.
public struct Dialect: Sendable {
  /// The name on the command line: `huggingface`.
  public let name: String
  /// The architecture's name.
  public let architecture: String
  /// Which stored name each canonical path has.
  let rules: [Rule]
  /// Prefixes that may stand before a stored name, or be missing there.
  let optionalPrefixes: [String]
  /// Endings that older versions of the ecosystem wrote, and what they are today.
  let oldEndings: [(old: String, new: String)]
  /// Buffers that stand for no weight.
  let buffers: [ConstantBuffer]
  /// A stored name that shows the dialect, before prefixes are added or removed.
  let evidence: [String]

  /// All dialects, of all architectures.
  public static let all: [Dialect] = [.huggingFaceBERT]

  /// The dialects of an architecture.
  static func all(of architecture: String) -> [Dialect] {
    all.filter { $0.architecture == architecture }
  }
}

/// One line of a dialect's table.
///
/// `{i}` stands for a layer's number, the same on both sides.
struct Rule: Sendable {
  /// The stored name.
  let stored: String
  /// The canonical path.
  let canonical: String

  /// A weight or a whole module under another name.
  static func rename(_ stored: String, _ canonical: String) -> Rule {
    Rule(stored: stored, canonical: canonical)
  }
}

/// A buffer that a framework stored although it is the same in every model.
struct ConstantBuffer: Sendable {
  /// What it must hold.
  enum Content: Sendable {
    /// 0, 1, 2, … as many as the weight of that path has rows.
    case positions(of: String)
  }

  let stored: String
  let content: Content
}

extension Dialect {
  /// The name under which the dialect writes the weight of a canonical path, or `nil` if it has no
  /// place for it.
  func storedName(of path: String) -> String? {
    let (template, numbers) = abstracted(path)
    // The rule may name the weight itself or a module that contains it.
    var end = template.endIndex
    while true {
      if let rule = rules.first(where: { $0.canonical == template[..<end] }) {
        return filled(rule.stored, with: numbers) + template[end...]
      }
      guard let dot = template[..<end].lastIndex(of: ".") else { return nil }
      end = dot
    }
  }

  /// Every spelling of a stored name that readers of the dialect accept, the written one first.
  func spellings(of stored: String) -> [TensorName] {
    var names = [stored]
    for prefix in optionalPrefixes {
      names.append(
        stored.hasPrefix(prefix) ? String(stored.dropFirst(prefix.count)) : prefix + stored)
    }
    for ending in oldEndings {
      names += names.filter { $0.hasSuffix(ending.new) }
        .map { $0.dropLast(ending.new.count) + ending.old }
    }
    return names.map { TensorName($0) }
  }
}

/// A path with `{i}` for each component that is a number, and these numbers.
private func abstracted(_ path: String) -> (template: String, numbers: [Substring]) {
  var numbers: [Substring] = []
  let components = path.split(separator: ".").map { component -> Substring in
    guard component.allSatisfy(\.isNumber) else { return component }
    numbers.append(component)
    return "{i}"
  }
  return (components.joined(separator: "."), numbers)
}

/// A template with its holes filled, in order.
private func filled(_ template: String, with numbers: [Substring]) -> String {
  var numbers = numbers[...]
  var texts = template.split(separator: "{i}", omittingEmptySubsequences: false)[...]
  var result = String(texts.removeFirst())
  for text in texts { result += (numbers.popFirst() ?? "") + text }
  return result
}
