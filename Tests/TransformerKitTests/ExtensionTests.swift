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

  @Test(arguments: [
    "huggingFaceBERT", "googleBERT", "ggufBERT", "huggingFaceGPT2", "openAIGPT2", "nanoGPT",
    "ggufGPT2", "huggingFaceT5", "t5xScanned", "meshTF", "ggufT5",
  ])
  func `a dialect is known to its file and one list`(_ name: String) {
    let lines = lines(with: ".\(name)", outsideOf: "Models/Families/")
    #expect(lines.count == 1, "\(lines)")
  }

  @Test(arguments: ["BERT", "GPT2", "T5"])
  func `an architecture is known to its files, its dialects and one list`(_ name: String) {
    let lines = lines(with: "\(name).self", outsideOf: "Models/Families/")
    #expect(lines.count == 1, "\(lines)")
    let others = self.lines(with: "\(name).", outsideOf: "Models/Families/")
      .filter { !$0.contains("\(name).name") && !$0.contains("\(name).self") && !$0.contains("//") }
      .filter { $0.contains(" \(name).") || $0.contains("(\(name).") }
    #expect(others == [])
  }

  @Test func `every dialect belongs to a known architecture`() {
    let names = Family.all.architectures.map { $0.name }
    for dialect in Family.all.dialects { #expect(names.contains(dialect.architecture)) }
    let full = Family.all.dialects.map { "\($0.architecture) \($0.fullName)" }
    #expect(Set(full).count == full.count)
  }
}
