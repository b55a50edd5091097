import Containers
import Families
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What docs/adding.md promises: one folder, and one line in a list.
@Suite struct ExtensionTests {
  private let sources = Self.sources
  private static let sources = fixture().removingLastComponent().appending("Sources")

  /// Whether a file is one of a family's folder.
  private static func isOfFamily(_ path: FilePath) -> Bool {
    houses.contains { path.string.contains("/\($0)/Families/") }
  }

  /// A line of a source file outside of families' folders.
  private struct Line {
    let file: FilePath
    let text: String
    /// The same in small letters and without hyphens, and only in small letters.
    let bare: String, lowercased: String

    init(_ file: FilePath, _ text: Substring) {
      (self.file, self.text) = (file, String(text))
      lowercased = text.lowercased()
      bare = lowercased.replacing("-", with: "")
    }
  }

  private static let lines = swiftFiles(in: sources).filter { !isOfFamily($0) }.flatMap { file in
    String(decoding: readFile(file), as: UTF8.self).split(separator: "\n").map { Line(file, $0) }
  }

  /// The lines that contain a word.
  private func lines(with word: String, isCaseSensitive: Bool = true) -> [String] {
    let lowercased = word.lowercased()
    return Self.lines.filter { line in
      unsafe strstr(line.lowercased, lowercased) != nil
        && (!isCaseSensitive || line.text.contains(word))
    }.map(\.text)
  }

  private static func swiftFiles(in folder: FilePath) -> [FilePath] {
    fileNames(in: folder).flatMap { name -> [FilePath] in
      let path = folder.appending(name)
      if name.hasSuffix(".swift") { return [path] }
      return (try? path.stat())?.type == .directory ? swiftFiles(in: path) : []
    }
  }

  @Test(arguments: familyFolders)
  func `a family is known to its folder and one line`(_ name: String) {
    let value = ".\(name.lowercased()),"
    let lines = lines(with: value, isCaseSensitive: false)
    #expect(lines.map { $0.filter { $0 != " " }.lowercased() } == [value])
    #expect(self.lines(with: "\(name).self") == [])
    let members = self.lines(with: "\(name).")
      .filter { $0.contains(" \(name).") || $0.contains("(\(name).") }
      .filter { !$0.contains("//") }
    #expect(members == [])
  }

  @Test func `every folder is a family, and every family has cases with a golden`() {
    #expect(familyFolders.count == Family.all.count)
    for folder in familyFolders {
      #expect(goldenCases.contains { $0.hasPrefix("\(folder.lowercased())/") }, "\(folder)")
    }
    // Each member has some of its own.
    let found = Set(
      goldenCases.compactMap { try? openModel($0).graph.architecture }.map { type(of: $0).name })
    #expect(found == Set(Family.all.architectures.map { $0.name }))
  }

  /// What has a name of a family in it and is none: a program, a way to scale rotary positions, the state of
  /// an optimizer, and what that program calls ways to cut texts.
  private static let otherThings = [
    "llama.cpp", "llama3", "opt_state", "llama.h", "llama_ftype", "llama-vocab.cpp",
    "LlamaConverter",
    #"model: "gpt2""#, #"model: "llama""#, #"case "gpt2":"#, #"case "llama":"#,
    #"case "t5":"#, #"case "bert":"#, "conversion/bert.py", "BertNormalizer", "BertPreTokenizer",
    #"model: "t5""#, #"model: "bert""#, "conversion/t5.py", "BertProcessing", "RobertaProcessing",
    "whisper.cpp", "whisper-cpp", "whisper_model_load", "openai-whisper", "models/whisper/",
    "feature_extraction_whisper.py", "WhisperFeatureExtractor", "Wav2Vec2FeatureExtractor",
    "feature_extraction_parakeet.py", "models/parakeet/", "ParakeetFeatureExtractor",
    "Wav2Vec2CTCTokenizer", "gpt2.tiktoken", "(Whisper: 30 s)", "what Whisper writes",
    "generation_whisper.py", "(wav2vec 2.0, HuBERT, W2V-BERT, Parakeet)", "\"fp_quant\", \"gemma\"",
  ]

  /// Files that are about all families, and the one that lists that program's names of ways to cut texts. Files of
  /// tokenizers call steps after models, so that all of Sources/Tokenizers is left out.
  private static let lists = ["Families.swift", "MissingPieces.swift", "TextCutting.swift"]

  /// An example in a command's help.
  private func isExample(_ line: Substring) -> Bool {
    let text = line.drop { $0 == " " }
    return ["tfconvert ", "tfinspect ", "tfverify "].contains { text.hasPrefix($0) }
  }

  /// `BertForMaskedLM` begins with a name, and goes on with a capital; `GPT-2` has a hyphen. `OPTIONS` is a word.
  private func isNamed(_ line: String, _ name: String) -> Bool {
    [line, line.replacing("-", with: "")].contains { text in
      text.split { !$0.isLetter && !$0.isNumber }.contains { word in
        word.lowercased().hasPrefix(name)
          && word.dropFirst(name.count).first.map { $0.isUppercase } ?? true
          && (word.count == name.count || word.contains { $0.isLowercase })
      }
    }
  }

  /// Not as a type, as a string, or in a comment.
  @Test func `no name of a member stands outside of its family`() {
    let names = Set(
      Family.all.architectures.map { $0.name } + familyFolders.map { $0.lowercased() })
    #expect(names.count >= 7)
    var found: [String] = []
    for line in Self.lines
    where !line.file.string.contains("/Sources/Tokenizers/")
      && !Self.lists.contains(line.file.lastComponent?.string ?? "")
    {
      let near = names.filter {
        unsafe strstr(line.bare, $0) != nil && isNamed(line.text, $0)
      }
      if near.isEmpty || isExample(line.text[...]) { continue }
      let words = Self.otherThings.reduce(line.text) { $0.replacing($1, with: "") }
      for name in near where isNamed(words, name) {
        found.append("\(line.file.lastComponent?.string ?? ""): \(line.text)")
      }
    }
    #expect(found == [])
  }

  /// Keys that only one architecture reads are no business of anybody else. Key-values of GGUF have names of their own,
  /// of which some are such keys.
  @Test func `no key of a single architecture stands outside of its family`() throws {
    var readers: [String: Set<String>] = [:]
    // Words of weights' paths and of the mathematics are everybody's.
    var words: Set<String> = []
    for name in goldenCases {
      let graph = try openModel(name).graph
      for slot in graph.slots { words.formUnion(slot.path.split(separator: ".").map(String.init)) }
      words.formUnion(graph.mathematics.map(\.key).filter { graph.config[$0] == nil })
      for fact in graph.facts {
        readers[fact.key, default: []].insert(type(of: graph.architecture).name)
      }
    }
    let own = Set(readers.filter { $0.value.count == 1 }.keys).subtracting(words)
    #expect(own.count > 10)
    var found: [String] = []
    for path in Self.swiftFiles(in: sources)
    where !Self.isOfFamily(path) && !path.string.contains("/Models/Config/")
      && path.lastComponent?.string.hasPrefix("GGUF") == false
    {
      let text = String(decoding: readFile(path), as: UTF8.self)
      for key in own where text.contains("\"\(key)\"") {
        found.append("\(path.lastComponent?.string ?? ""): \(key)")
      }
    }
    #expect(found == [])
  }

  @Test func `a dialect is known to its family alone`() {
    #expect(lines(with: "static let huggingFace") == [])
    #expect(lines(with: ": Dialect {") == [])
  }

  @Test func `every dialect belongs to a known architecture`() {
    let names = Family.all.architectures.map { $0.name }
    for dialect in Family.all.dialects { #expect(names.contains(dialect.architecture)) }
    let full = Family.all.dialects.map { "\($0.architecture) \($0.fullName)" }
    #expect(Set(full).count == full.count)
  }

  /// They are told without the dialects, whose tables a command makes only for models.
  @Test func `a family names the configs that its dialects read`() {
    var count = 0
    for family in Family.all {
      var names: [String] = []
      for dialect in family.dialects where !dialect.name.hasPrefix("litgpt") {
        if case .file(let name)? = dialect.nativeConfig?.place, !names.contains(name) {
          names.append(name)
        }
      }
      #expect(family.configNames == names)
      count += names.count
    }
    #expect(count >= 3)
  }

  /// The names that declarations in a folder or file give: what stands behind `start`, for lines that have
  /// `mark` too.
  private func declared(_ place: String, _ start: String, having mark: String = "") -> [String] {
    let path = sources.pushing(FilePath(place))
    let files = place.hasSuffix(".swift") ? [path] : Self.swiftFiles(in: path)
    return files.filter { !Self.isOfFamily($0) }.flatMap { file in
      String(decoding: readFile(file), as: UTF8.self).split(separator: "\n").compactMap { line in
        guard line.hasPrefix(start), line.contains(mark) else { return nil }
        return String(line.dropFirst(start.count).prefix { $0.isLetter || $0.isNumber })
      }
    }
  }

  @Test func `docs name all that there is to build with`() throws {
    let path = sources.removingLastComponent().pushing(FilePath("docs/adding.md"))
    let page = String(decoding: readFile(path), as: UTF8.self)
    let section = try #require(page.firstRange(of: "## What there is to build with"))
    let words = Set(
      page[section.upperBound...].prefix { _ in true }.split {
        !$0.isLetter && !$0.isNumber
      })
    let kernels = ["Products", "Attention", "Elementwise", "Shaping", "Convolution"]
      .flatMap { declared("Kernels/\($0)", "public func ", having: "<") }
    let things: [(String, [String])] = [
      ("layers", declared("Models/Layers", "public struct ", having: "<Scalar")),
      ("blocks", declared("Models/Blocks", "public struct ", having: "Form")),
      ("decoders", declared("Decoders", "public struct ", having: "Form")),
      ("encoders", declared("Encoders", "public struct ", having: "Form")),
      ("pictures", declared("Vision", "public struct ", having: "Form")),
      ("sounds", declared("Hearing", "public struct ", having: "Form")),
      ("heads", declared("Models/Heads", "  package static func ")),
      ("kernels", kernels),
      ("roles", declared("Models/Weights/WeightSlot.swift", "  case ")),
      ("layouts", declared("Models/Dialects/Layout.swift", "  case ", having: "(")),
      ("rules", declared("Models/Dialects/Dialect.swift", "  package static func ")),
      ("inputs", declared("Models/Inputs/InputSlot.swift", "  package static func ")),
      ("facts", declared("Models/Config", "  public mutating func ")),
      ("states", declared("Models/Running/KeptArrays.swift", "  package mutating func ")),
    ]
    for (kind, names) in things {
      #expect(names.count >= 3, "\(kind): \(names)")
      for name in names {
        #expect(words.contains(name[...]), "docs/adding.md lacks \(name) of the \(kind)")
      }
    }
  }

  /// A text with one space between words, and none inside of parentheses.
  private func onOneLine(_ text: some StringProtocol) -> String {
    text.split { $0 == " " || $0 == "\n" }.joined(separator: " ")
      .replacing("( ", with: "(").replacing(" )", with: ")")
  }

  @Test func `docs say what the forms take`() throws {
    let path = sources.removingLastComponent().pushing(FilePath("docs/adding.md"))
    let page = String(decoding: readFile(path), as: UTF8.self)
    let start = try #require(page.firstRange(of: "```text\nDecoderForm("))
    let end = try #require(page[start.upperBound...].firstRange(of: "```"))
    let block = page[start.lowerBound..<end.lowerBound].dropFirst("```text\n".count)
    let calls = block.replacing("\n  ", with: " ").split(separator: "\n").map(onOneLine)
    #expect(calls.count >= 15)
    let code = ["Decoders", "Models/Blocks", "Models/Layers", "Models/Config"]
      .flatMap { Self.swiftFiles(in: sources.pushing(FilePath($0))) }
      .map { onOneLine(String(decoding: readFile($0), as: UTF8.self)) }
    for call in calls {
      let name = call.prefix { $0 != "(" }
      let arguments = call.dropFirst(name.count)
      let isFunction = name.contains(".")
      let declaration =
        isFunction
        ? "func \(name.split(separator: ".").last ?? "")\(arguments)" : "init\(arguments)"
      #expect(
        code.contains { text in
          text.contains(declaration) && (isFunction || text.contains("struct \(name):"))
        }, "docs/adding.md: \(call)")
    }
  }
}
