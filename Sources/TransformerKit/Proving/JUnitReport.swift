import TensorCore

/// A test report in the XML that JUnit began and CI systems read: GitHub's actions, GitLab, Jenkins.
///
/// It keeps to Jenkins' schema `junit-10.xsd`. Of what readers disagree about it uses what all show:
/// `classname` and `name` together are unique, and a failure's message stands in the attribute and in
/// the text.
public struct JUnitReport: Sendable {
  /// A test.
  public struct Case: Sendable {
    /// What came of it.
    public enum Outcome: Sendable {
      case passed
      /// It ran, and the answer is no; the lines say why.
      case failed([String])
      /// It could not run.
      case error(String)
    }

    /// What kind of test it is: `weights`, `outputs`, `claims`.
    public let group: String
    /// Its name, unique in its group.
    public let name: String
    /// What came of it.
    public let outcome: Outcome

    /// Says what came of a test.
    public init(_ group: String, _ name: String, _ outcome: Outcome) {
      self.group = group
      self.name = name
      self.outcome = outcome
    }
  }

  /// What was tested.
  public let name: String
  /// The tests.
  public let cases: [Case]
  private let package: String

  /// A report.
  ///
  /// - Parameters:
  ///   - name: what was tested, for people.
  ///   - package: what tells these tests from those of another report. In each part, dots and
  ///     everything else that readers take apart become `_`.
  public init(_ name: String, package: [String], cases: [Case]) {
    self.name = name
    self.package = (["tfverify"] + package.map { String($0.map { isPlain($0) ? $0 : "_" }) })
      .joined(separator: ".")
    self.cases = cases
  }

  /// The file.
  public var xml: String {
    let counts = "tests=\"\(cases.count)\" failures=\"\(failures)\" errors=\"\(errors)\""
    let lines = cases.flatMap(lines)
    return """
      <?xml version="1.0" encoding="UTF-8"?>
      <testsuites \(counts)>
        <testsuite name=\(quoted(name)) \(counts)>
      \(lines.map { "    \($0)\n" }.joined())  </testsuite>
      </testsuites>

      """
  }

  private var failures: Int {
    cases.count { if case .failed = $0.outcome { true } else { false } }
  }

  private var errors: Int {
    cases.count { if case .error = $0.outcome { true } else { false } }
  }

  private func lines(_ test: Case) -> [String] {
    let start =
      "<testcase classname=\(quoted("\(package).\(test.group)")) name=\(quoted(test.name))"
    let (element, messages): (String, [String]) =
      switch test.outcome {
      case .passed: ("", [])
      case .failed(let lines): ("failure", lines)
      case .error(let line): ("error", [line])
      }
    if element.isEmpty { return [start + "/>"] }
    let text = messages.map(markup).joined(separator: "\n")
    let type = element == "failure" ? "different" : "error"
    return [
      start + ">",
      "  <\(element) type=\"\(type)\" message=\(quoted(messages.first ?? ""))>\(text)</\(element)>",
      "</testcase>",
    ]
  }
}

private func isPlain(_ character: Character) -> Bool {
  character.isASCII && (character.isLetter || character.isNumber || "-_".contains(character))
}

/// An attribute's value, quotes included.
private func quoted(_ text: String) -> String { "\"\(markup(text))\"" }
