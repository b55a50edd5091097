/// A pattern for whole names, in the shell's spelling.
///
/// `*` stands for any text, dots and slashes included; `?` for one character; `[abc]`, `[0-9]` and
/// `[!a]` (or `[^a]`) for one character of a set, or outside of it, where `]` may come first; `\`
/// takes the next character as it is, and `\u{1f}` is the one that names are printed with. Everything else stands for itself, in this case.
///
/// Characters are Unicode scalars, so that a name matches exactly when its bytes do.
public struct Glob: Sendable, Equatable {
  /// The pattern as it was written.
  public let text: String
  private let parts: [Part]

  /// What stands for a stretch of a name.
  enum Part: Equatable {
    case anyText
    case anyCharacter
    case character(Unicode.Scalar)
    case set([ClosedRange<Unicode.Scalar>], isNegated: Bool)

    func matches(_ scalar: Unicode.Scalar) -> Bool {
      switch self {
      case .anyText, .anyCharacter: true
      case .character(let own): own == scalar
      case .set(let ranges, let isNegated):
        ranges.contains { $0.contains(scalar) } != isNegated
      }
    }
  }

  /// Reads a pattern, or returns `nil` if a set is not closed or empty, a range runs backwards, or a
  /// `\` takes nothing.
  public init?(_ text: String) {
    var rest = text.unicodeScalars[...]
    var parts: [Part] = []
    while let scalar = rest.popFirst() {
      guard let part = Self.part(scalar, &rest) else { return nil }
      if part != .anyText || parts.last != .anyText { parts.append(part) }
    }
    self.text = text
    self.parts = parts
  }

  /// The part that begins with the character that has been read.
  static func part(_ scalar: Unicode.Scalar, _ rest: inout Substring.UnicodeScalarView) -> Part? {
    switch scalar {
    case "*": .anyText
    case "?": .anyCharacter
    case "[": set(&rest)
    case "\\": (printed(&rest) ?? rest.popFirst()).map { .character($0) }
    default: .character(scalar)
    }
  }

  /// The character that is printed as `\u{HEX}`, if that follows the `\` that has been read.
  private static func printed(_ rest: inout Substring.UnicodeScalarView) -> Unicode.Scalar? {
    guard rest.starts(with: "u{".unicodeScalars), let end = rest.firstIndex(of: "}"),
      let code = UInt32(String(rest[..<end].dropFirst(2)), radix: 16),
      let scalar = Unicode.Scalar(code)
    else { return nil }
    rest = rest[rest.index(after: end)...]
    return scalar
  }

  /// The set whose `[` has been read.
  private static func set(_ rest: inout Substring.UnicodeScalarView) -> Part? {
    let isNegated = rest.first == "!" || rest.first == "^"
    if isNegated { rest.removeFirst() }
    var ranges: [ClosedRange<Unicode.Scalar>] = []
    while let scalar = rest.popFirst() {
      if scalar == "]", !ranges.isEmpty { return .set(ranges, isNegated: isNegated) }
      guard let low = scalar == "\\" ? rest.popFirst() : scalar else { return nil }
      var high = low
      if rest.first == "-", let end = rest.dropFirst().first, end != "]" {
        rest.removeFirst(2)
        guard let last = end == "\\" ? rest.popFirst() : end else { return nil }
        high = last
      }
      guard low <= high else { return nil }
      ranges.append(low...high)
    }
    return nil
  }

  /// Whether the pattern stands for `name`, in time proportional to the product of their lengths.
  public func matches(_ name: TensorName) -> Bool {
    let scalars = Array(name.text.unicodeScalars)
    var (part, position) = (0, 0)
    // Where to go on after a mismatch: behind the last `*`, which takes one character more.
    var retry: (part: Int, position: Int)?
    while position < scalars.count || part < parts.count {
      if part < parts.count, parts[part] == .anyText {
        retry = (part, position)
        part += 1
      } else if part < parts.count, position < scalars.count, parts[part].matches(scalars[position])
      {
        part += 1
        position += 1
      } else if let last = retry, last.position < scalars.count {
        retry = (last.part, last.position + 1)
        (part, position) = (last.part + 1, last.position + 1)
      } else {
        return false
      }
    }
    return true
  }
}

/// Which tensors are meant: those that any pattern of `include` matches, all if there is none,
/// without those that any of `exclude` matches.
public struct TensorSelection: Sendable, Equatable {
  /// What is wanted.
  public var include: [Glob]
  /// What is not wanted, even if it is included.
  public var exclude: [Glob]

  /// Without patterns, everything.
  public init(include: [Glob] = [], exclude: [Glob] = []) {
    self.include = include
    self.exclude = exclude
  }

  /// Whether nothing is left out.
  public var isEverything: Bool { include.isEmpty && exclude.isEmpty }

  /// Whether the tensor is meant.
  ///
  /// - Parameter aliases: other names that it goes by.
  public func contains(_ name: TensorName, aliases: [TensorName] = []) -> Bool {
    func isMatched(_ glob: Glob) -> Bool { ([name] + aliases).contains(where: glob.matches) }
    return (include.isEmpty || include.contains(where: isMatched))
      && !exclude.contains(where: isMatched)
  }

  /// The patterns that match none of some names.
  public func unmatched(by names: [TensorName]) -> [Glob] {
    (include + exclude).filter { glob in !names.contains(where: glob.matches) }
  }

  /// The tensors that are meant, in their order.
  ///
  /// - Parameter aliases: other names that tensors go by.
  /// - Throws: `CheckpointError` if a pattern of `include` matches no name, or nothing is left: a
  ///   misspelt pattern must not pass for an empty answer.
  public func chosen(
    from tensors: [Tensor], aliases: [TensorName: [TensorName]] = [:]
  ) throws(CheckpointError) -> [Tensor] {
    let names = tensors.flatMap { [$0.name] + (aliases[$0.name] ?? []) }
    for glob in include where !names.contains(where: glob.matches) {
      throw CheckpointError(.malformed("has no tensor that --include '\(glob.text)' matches"))
    }
    let chosen = tensors.filter { contains($0.name, aliases: aliases[$0.name] ?? []) }
    guard !chosen.isEmpty || tensors.isEmpty else {
      throw CheckpointError(.malformed("--exclude leaves none of the \(tensors.count) tensors"))
    }
    return chosen
  }
}
