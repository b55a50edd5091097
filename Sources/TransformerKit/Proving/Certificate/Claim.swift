/// Something that a certificate says, and whether it is so.
public struct Claim: Sendable {
  /// Whether it is so.
  public enum Outcome: Equatable, Sendable {
    /// It is; the note says more, if there is more to say.
    case holds(note: String?)
    /// It is not.
    case fails(expected: String, found: String)
  }

  /// What it is about: `A id`, `B file model.safetensors`.
  public let subject: String
  /// Whether it is so.
  public let outcome: Outcome

  /// Whether it is so.
  public var holds: Bool {
    if case .holds = outcome { true } else { false }
  }

  /// What was found instead, or the note.
  public var text: String {
    switch outcome {
    case .holds(let note): note.map { "ok, \($0)" } ?? "ok"
    case .fails(let expected, let found):
      "does not match: expected \(expected), found \(found)"
    }
  }

  /// A claim that holds.
  static func holds(_ subject: String, _ note: String? = nil) -> Claim {
    Claim(subject: subject, outcome: .holds(note: note))
  }

  /// A claim that does not.
  static func fails(_ subject: String, expected: String, found: String) -> Claim {
    Claim(subject: subject, outcome: .fails(expected: expected, found: found))
  }

  /// A text that must be the same, byte for byte.
  init(_ subject: String, expected: String, found: String, note: String? = nil) {
    let holds = expected.utf8.elementsEqual(found.utf8)
    self = holds ? .holds(subject, note) : .fails(subject, expected: expected, found: found)
  }

  private init(subject: String, outcome: Outcome) {
    self.subject = subject
    self.outcome = outcome
  }

  /// Lists that must be the same, element by element; the first difference is told.
  init(_ subject: String, expected: [String], found: [String]) {
    let pairs = zip(expected, found)
    if let (x, y) = pairs.first(where: { !$0.utf8.elementsEqual($1.utf8) }) {
      self = .fails(subject, expected: x, found: y)
    } else if expected.count != found.count {
      let shared = min(expected.count, found.count)
      self = .fails(
        subject, expected: expected.dropFirst(shared).first ?? "no more than \(expected.count)",
        found: found.dropFirst(shared).first ?? "no more than \(found.count)")
    } else {
      self = .holds(subject)
    }
  }
}

/// What came of checking a certificate.
public struct CertificateReport: Sendable {
  /// Everything that the certificate says.
  public let claims: [Claim]
  /// What it certifies.
  public let verdict: Certificate.Verdict
  /// What made it.
  public let machine: Certificate.Machine
  /// Whether A is what the certificate calls B, and B what it calls A.
  public let isExchanged: Bool

  /// Whether everything is so.
  public var holds: Bool { claims.allSatisfy(\.holds) }
}
