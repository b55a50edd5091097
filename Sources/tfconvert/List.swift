import ArgumentParser
import CommandSupport
import Containers
import Families
import Models
import TensorCore

struct List: Verb {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List what there is: formats, dialects or architectures.",
    discussion: """
      Examples:
        tfconvert list formats
        tfconvert list dialects
        tfconvert list architectures --json
      """)

  enum Subject: String, ExpressibleByArgument, CaseIterable {
    case formats
    case dialects
    case architectures
  }

  @Argument(help: "formats, dialects or architectures.")
  var subject: Subject

  @Flag(help: "Print one JSON object instead of text.")
  var json = false

  func perform() throws -> ExitStatus {
    let rows: [[String]] =
      switch subject {
      case .formats: ContainerFormat.all.map { [$0.name, endings(of: $0), uses(of: $0)] }
      case .dialects: Family.all.dialects.map { [$0.fullName, $0.architecture] }
      case .architectures: Family.all.architectures.map { [$0.name] }
      }
    if json {
      let names: [JSONValue] = rows.map { .array($0.map { .string($0) }) }
      let report: JSONValue = [
        "schema": "tfconvert.list/1", "subject": .string(subject.rawValue), "rows": .array(names),
      ]
      standardOutput(report.text(pretty: true))
      return .success
    }
    var table = Table(rows.first.map { $0.map { _ in ("", .left) } } ?? [])
    for row in rows { table.add(row) }
    for line in table.lines(headings: false) { standardOutput(line) }
    return .success
  }

  private func endings(of format: ContainerFormat) -> String {
    ([format.fileExtension] + format.otherExtensions).map { ".\($0)" }.joined(separator: ", ")
  }

  private func uses(of format: ContainerFormat) -> String {
    format.isWritten ? "read, written" : "read"
  }
}
