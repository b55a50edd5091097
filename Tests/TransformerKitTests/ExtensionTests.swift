import Containers
import Models
import SystemPackage
import TestSupport
import Testing
import TransformerKit

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

  /// The library, in which no architecture has a word outside its family; commands may have one in an
  /// example of their help.
  private static let library = [
    "CommandSupport", "Containers", "Kernels", "Models", "TensorCore", "TransformerKit",
  ]

  /// The words of a line's code and strings, without a comment.
  private func words(_ line: Substring) -> [Substring] {
    let code = line.firstRange(of: "//").map { line[..<$0.lowerBound] } ?? line
    return code.split { !$0.isLetter && !$0.isNumber }
  }

  @Test func `no word of an architecture stands outside of its family`() {
    let names = Set(
      Family.all.architectures.map { $0.name } + Self.families.map { $0.lowercased() })
    var found: [String] = []
    for folder in Self.library {
      for path in swiftFiles(in: sources.appending(folder))
      where !path.string.contains("/Families/") && path.lastComponent != "Families.swift" {
        let text = String(decoding: readFile(path), as: UTF8.self)
        for line in text.split(separator: "\n") {
          // A program is not a model.
          for word in words(Substring(line.replacing("llama.cpp", with: ""))) {
            // `BertForMaskedLM` begins with a name, and goes on with a capital.
            let isNamed = names.contains { name in
              word.lowercased().hasPrefix(name)
                && word.dropFirst(name.count).first?.isUppercase != false
            }
            if isNamed { found.append("\(path.lastComponent?.string ?? ""): \(word)") }
          }
        }
      }
    }
    #expect(found == [])
  }

  /// Keys that only one architecture reads are no business of anybody else.
  @Test func `no key of a single architecture stands outside of its family`() throws {
    var readers: [String: Set<String>] = [:]
    for name in goldenCases {
      let graph = try openModel(name).graph
      for fact in graph.facts {
        readers[fact.key, default: []].insert(type(of: graph.architecture).name)
      }
    }
    let own = Set(readers.filter { $0.value.count == 1 }.keys)
    #expect(own.count > 10)
    var found: [String] = []
    for folder in Self.library {
      for path in swiftFiles(in: sources.appending(folder))
      where !path.string.contains("/Families/") && !path.string.contains("/Models/Config/") {
        let text = String(decoding: readFile(path), as: UTF8.self)
        for key in own where text.contains("\"\(key)\"") {
          found.append("\(path.lastComponent?.string ?? ""): \(key)")
        }
      }
    }
    #expect(found == [])
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
