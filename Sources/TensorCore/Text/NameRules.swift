/// What becomes of tensors by their names: the first rule that stands for a name says it, and what no rule stands for
/// stays as it is.
public struct NameRules: Sendable, Equatable {
  /// A rule.
  public struct Rule: Sendable, Equatable {
    /// For which names it is.
    public let pattern: NamePattern
    /// What they become; `nil` if the tensors are left out.
    public let name: NameTemplate?
    /// Whether matrices are transposed, too.
    public var isTransposed = false
    /// Where it is from, as errors say it: `--rename 'a=b'`.
    public let origin: String

    /// A rule.
    public init(
      _ pattern: NamePattern, _ name: NameTemplate?, isTransposed: Bool = false, origin: String
    ) {
      self.pattern = pattern
      self.name = name
      self.isTransposed = isTransposed
      self.origin = origin
    }

    /// What a name becomes, if the rule is for it and leaves something.
    public func name(for name: TensorName) -> TensorName? {
      pattern.match(name).flatMap { match in self.name?.filled(match) }.map { TensorName($0) }
    }

    /// Reads `PATTERN=NAME`, as `--rename` takes it; `\=` is no end of the pattern.
    public init?(renaming text: String) {
      var isEscaped = false
      let end = text.unicodeScalars.firstIndex { scalar in
        defer { isEscaped = scalar == "\\" && !isEscaped }
        return scalar == "=" && !isEscaped
      }
      guard let end, let pattern = NamePattern(String(text[..<end])),
        let name = NameTemplate(
          String(text[text.unicodeScalars.index(after: end)...]), for: pattern)
      else { return nil }
      self.init(pattern, name, origin: "--rename '\(text)'")
    }

    /// Reads a pattern of what is left out, as `--drop` takes it.
    public init?(dropping text: String) {
      guard let pattern = NamePattern(text) else { return nil }
      self.init(pattern, nil, origin: "--drop '\(text)'")
    }
  }

  /// The rules, the first ones first.
  public var rules: [Rule]

  /// Rules.
  public init(_ rules: [Rule] = []) { self.rules = rules }

  /// What became of a tensor.
  public struct Change: Sendable, Equatable {
    /// What it was called.
    public let from: TensorName
    /// What it is called; `nil` if it was left out.
    public let to: TensorName?
    /// Whether it was transposed.
    public let isTransposed: Bool
  }

  /// Tensors under the names that the rules give them, and what changed. Nothing is read of them.
  ///
  /// - Throws: `CheckpointError`: malformed if a rule stands for no name or does not fit a tensor, refused with all
  ///   of them if two tensors would have one name.
  public func applied(
    to tensors: [Tensor]
  ) throws(CheckpointError) -> (tensors: [Tensor], changes: [Change]) {
    var (result, changes): ([Tensor], [Change]) = ([], [])
    var used = [Bool](repeating: false, count: rules.count)
    let finder = RuleFinder(rules)
    for tensor in tensors {
      guard let found = finder.rule(for: tensor.name) else {
        result.append(tensor)
        continue
      }
      used[found.rule] = true
      let rule = rules[found.rule]
      guard let name = rule.name else {
        changes.append(Change(from: tensor.name, to: nil, isTransposed: false))
        continue
      }
      guard let text = name.filled(found.match), !text.isEmpty else {
        throw CheckpointError(
          .malformed("\(rule.origin) leaves nothing of the name"), tensor: tensor.name)
      }
      var changed = tensor.renamed(TensorName(text))
      if rule.isTransposed {
        guard let turned = changed.transposed() else {
          throw CheckpointError(
            .malformed("\(rule.origin) transposes it, and it is no matrix"), tensor: tensor.name)
        }
        changed = turned
      }
      if changed.name != tensor.name || rule.isTransposed {
        changes.append(
          Change(from: tensor.name, to: changed.name, isTransposed: rule.isTransposed))
      }
      result.append(changed)
    }
    if let idle = used.firstIndex(of: false) {
      throw CheckpointError(.malformed("has no tensor that \(rules[idle].origin) stands for"))
    }
    try checkCollisions(result, changes)
    return (result, changes)
  }

  /// Refuses two tensors of one name.
  private func checkCollisions(
    _ tensors: [Tensor], _ changes: [Change]
  ) throws(CheckpointError) {
    var counts: [TensorName: Int] = [:]
    for tensor in tensors { counts[tensor.name, default: 0] += 1 }
    let origins = Dictionary(grouping: changes.filter { $0.to != nil }) { $0.to ?? $0.from }
    let lines = counts.filter { $0.value > 1 }.keys.sorted().map { name in
      let renamed = (origins[name] ?? []).map { escaped($0.from.text) }
      let all = renamed.count < counts[name] ?? 0 ? [escaped(name.text)] + renamed : renamed
      return "\(all.joined(separator: " and ")) would both be \(escaped(name.text))"
    }
    guard lines.isEmpty else {
      throw CheckpointError(
        .refused(
          "of \(lines.count == 1 ? "a name" : "\(lines.count) names") there would be two tensors"),
        advice: "give them other names, or leave one out with --drop", details: lines)
    }
  }
}

/// Finds the first rule for a name. There may be as many as tensors, most of them for a single one.
private struct RuleFinder {
  private let rules: [NameRules.Rule]
  private var single: [TensorName: Int] = [:]
  private var others: [Int] = []

  init(_ rules: [NameRules.Rule]) {
    self.rules = rules
    for (number, rule) in rules.enumerated() {
      guard let name = rule.pattern.onlyName else {
        others.append(number)
        continue
      }
      if single[name] == nil { single[name] = number }
    }
  }

  func rule(for name: TensorName) -> (rule: Int, match: NamePattern.Match)? {
    let own = single[name]
    for number in others where number < own ?? rules.count {
      if let match = rules[number].pattern.match(name) { return (number, match) }
    }
    return own.map { ($0, NamePattern.Match()) }
  }
}

extension Tensor {
  /// The matrix with rows and columns exchanged, gathered when it is read; `nil` for what is no matrix of single
  /// elements.
  package func transposed() -> Tensor? {
    guard shape.count == 2, dtype.byteWidth != nil else { return nil }
    let turned = [shape[1], shape[0]]
    let move = Move(reading: Piece(shape: turned, strides: [1, shape[1]]))
    return Tensor(
      name: name, dtype: dtype, shape: turned,
      bytes: elementCount == 0 ? bytes : bytes.moved(move, dtype, count: elementCount))
  }
}
