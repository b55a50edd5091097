import Foundation
import SystemPackage
import TestSupport
import Testing

/// docs/tasks.md shows what the commands print.
@Suite struct TasksPageTests {
  @Test func `the page has the transcript's lines, and no others`() {
    let path = fixture().removingLastComponent().appending("docs/tasks.md")
    let page = String(decoding: readFile(path), as: UTF8.self)
    let blocks = page.components(separatedBy: "```").enumerated().filter { $0.offset % 2 == 1 }
    let shown = blocks.flatMap { lines($0.element) }
    #expect(shown == lines(Transcript(name: "tasks").recorded.stdout))
    #expect(shown.count { $0.hasPrefix("$ tfverify run ") } == 9)
  }

  private func lines(_ text: String) -> [Substring] {
    text.split(separator: "\n").filter { !$0.allSatisfy(\.isWhitespace) }
  }
}
