import Containers
import Models
import SystemPackage
import TestSupport
import Testing

/// What docs/adding.md promises: one folder, and one line in a list.
@Suite struct ExtensionTests {
  private let sources = fixture().removingLastComponent().appending("Sources")

  /// The lines of all source files outside of `folder` that contain a word.
  private func lines(with word: String, outsideOf folder: String) -> [String] {
    var found: [String] = []
    for path in swiftFiles(in: sources) where !path.string.contains(folder) {
      let text = String(decoding: readFile(path), as: UTF8.self)
      found += text.split(separator: "\n").filter { $0.contains(word) }.map(String.init)
    }
    return found
  }

  private func swiftFiles(in folder: FilePath) -> [FilePath] {
    fileNames(in: folder).flatMap { name -> [FilePath] in
      let path = folder.appending(name)
      if name.hasSuffix(".swift") { return [path] }
      return (try? path.stat())?.type == .directory ? swiftFiles(in: path) : []
    }
  }

  /// The types of all architectures, by the names of their families' folders.
  private static let families = fileNames(
    in: fixture().removingLastComponent().appending("Sources/Models/Families"))

  @Test(arguments: families)
  func `a family is known to its folder and one line`(_ name: String) {
    let value = lines(with: ".\(name.lowercased()),", outsideOf: "Models/Families/")
    #expect(value.map { $0.filter { $0 != " " } } == [".\(name.lowercased()),"])
    #expect(lines(with: "\(name).self", outsideOf: "Models/Families/") == [])
    let members = lines(with: "\(name).", outsideOf: "Models/Families/")
      .filter { $0.contains(" \(name).") || $0.contains("(\(name).") }
      .filter { !$0.contains("//") }
    #expect(members == [])
  }

  @Test func `a dialect is known to its family alone`() {
    #expect(lines(with: "static let huggingFace", outsideOf: "Models/Families/") == [])
    #expect(lines(with: ": Dialect {", outsideOf: "Models/Families/") == [])
    #expect(Self.families.count == Family.all.count)
  }

  @Test func `every dialect belongs to a known architecture`() {
    let names = Family.all.architectures.map { $0.name }
    for dialect in Family.all.dialects { #expect(names.contains(dialect.architecture)) }
    let full = Family.all.dialects.map { "\($0.architecture) \($0.fullName)" }
    #expect(Set(full).count == full.count)
  }
}
