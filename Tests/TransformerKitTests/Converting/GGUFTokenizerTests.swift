import Containers
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import Tokenizers
import TransformerKit

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Tokenizers go into GGUF files and come out of them: of each kind there is what it was, and the file that llama.cpp's own
/// converter made of it.
@Suite struct GGUFTokenizerTests {
  static let names = ["llama-bpe", "qwen2", "gpt-2", "llama"]
  /// Those of other kinds: pieces of words, and pieces that are chosen by their scores.
  static let others = ["bert", "bert-cased", "t5"]

  private func folder(_ name: String) -> FilePath {
    fixture("containers/gguf/tokenizers/\(name)")
  }

  private func json(_ path: FilePath) throws -> JSONValue {
    try JSONValue(parsing: readFile(path), grammar: .strict)
  }

  @Test(arguments: names)
  func `a folder made of a GGUF file has the tokenizer that the file was made of`(
    _ name: String
  ) throws {
    let scratch = ScratchFolder()
    let target = scratch.path.appending("hf")
    try convert(folder(name).appending("model.gguf"), to: target, dialect: "huggingface")
    let found = try json(target.appending("tokenizer.json"))
    let original = try json(folder(name).appending("tokenizer.json"))
    for key in ["normalizer", "pre_tokenizer", "decoder"]
    where !(name == "gpt-2" && key == "decoder") {
      #expect(normal(found[key]) == normal(original[key]), "\(key)")
    }
    let (model, expected) = (try #require(found["model"]), try #require(original["model"]))
    for key in ["type", "unk_token", "byte_fallback", "fuse_unk", "ignore_merges", "merges"] {
      #expect(normal(model[key]) == normal(expected[key]), "\(key)")
    }
    // Words that are found first may stand in the vocabulary or not.
    let added = try #require(original["added_tokens"]?.elements)
    var words = ids(expected["vocab"])
    for word in added { words[try #require(word["content"]?.string)] = word["id"]?.int }
    #expect(ids(model["vocab"]) == words)
    #expect(found["added_tokens"]?.elements?.count == added.count)
    for (x, y) in zip(found["added_tokens"]?.elements ?? [], added) {
      #expect(x["id"] == y["id"])
      #expect(x["content"] == y["content"])
      // One that looks special is taken for special by llama.cpp's converter.
      #expect(x["special"] == y["special"] || x["content"] == "<|looks_special|>")
    }
    let template = original["post_processor"]?["type"] == "TemplateProcessing"
    if template {
      for key in ["single", "special_tokens"] {
        #expect(found["post_processor"]?[key] == original["post_processor"]?[key], "\(key)")
      }
    } else {
      #expect(found["post_processor"]?["type"] == "ByteLevel")
    }
    let settings = try json(target.appending("tokenizer_config.json"))
    let expectedSettings = try json(folder(name).appending("tokenizer_config.json"))
    for key in ["bos_token", "eos_token", "chat_template", "tokenizer_class"] {
      #expect(settings[key] == expectedSettings[key], "\(key)")
    }
  }

  @Test(arguments: others)
  func `texts are made ready and cut in a folder as before they went into a file`(
    _ name: String
  ) throws {
    let scratch = ScratchFolder()
    let target = scratch.path.appending("hf")
    try convert(folder(name).appending("model.gguf"), to: target, dialect: "huggingface")
    let found = try json(target.appending("tokenizer.json"))
    let original = try json(folder(name).appending("tokenizer.json"))
    for key in ["normalizer", "pre_tokenizer"] {
      #expect(normal(found[key]) == normal(original[key]), "\(key)")
    }
    #expect(found["model"]?["type"] == original["model"]?["type"])
    #expect(found["model"]?["unk_token"] == original["model"]?["unk_token"])
    #expect(found["model"]?["unk_id"] == original["model"]?["unk_id"])
  }

  @Test(arguments: ["bert", "bert-cased"])
  func `a file that does not say whether letters are made small is told by its words`(
    _ name: String
  ) throws {
    let scratch = ScratchFolder()
    let path = scratch.path.appending("m.gguf")
    let source = try Checkpoint.open(folder(name).appending("model.gguf"))
    let values = try #require(source.belongings.keyValues)
    try writeValues(of: source, to: path) { key in
      key == "tokenizer.ggml.normalizer.lowercase" ? nil : values.json(key)
    }
    try expectTexts(path, name)
  }

  @Test func `pieces of which one has no score are left out`() throws {
    let scratch = ScratchFolder()
    let path = scratch.path.appending("m.gguf")
    let source = try Checkpoint.open(folder("t5").appending("model.gguf"))
    let values = try #require(source.belongings.keyValues)
    try writeValues(of: source, to: path) { key in
      let value = values.json(key)
      guard key == "tokenizer.ggml.scores" else { return value }
      return value?.elements.map { .array(Array($0.dropLast())) }
    }
    let error = #expect(throws: CheckpointError.self) { try FoundTokenizer(path) }
    #expect(error?.problem.text.contains("it has no score for each word") == true)
  }

  /// Writes a file with other key-values.
  private func writeValues(
    of source: Checkpoint, to path: FilePath, _ value: (String) -> JSONValue?
  ) throws {
    var belongings = source.belongings
    belongings.keyValues = GGUFKeyValues(
      .object(
        (source.belongings.keyValues?.keys ?? []).compactMap { key in
          value(key).map { JSONValue.Member(key, $0) }
        }))
    try CheckpointWriter(destination: path, format: .gguf, belongings: belongings)
      .write(tensors: source.tensors.tensors)
  }

  @Test(arguments: names + others)
  func
    `a GGUF file made of a folder says what llama.cpp's converter says, and so does its folder's`(
      _ name: String
    ) throws
  {
    let scratch = ScratchFolder()
    let expected = try json(folder(name).appending("expected.json"))
    let (first, second) = (scratch.path.appending("one"), scratch.path.appending("two.gguf"))
    try convert(folder(name).appending("model.gguf"), to: first, dialect: "huggingface")
    try convert(first, to: second, dialect: "gguf")
    try expectSame(second, expected, name)
    // The same of the tokenizer that it was made of.
    for file in ["tokenizer.json", "tokenizer_config.json"] {
      writeFile(readFile(folder(name).appending(file)), to: first.appending(file))
    }
    let third = scratch.path.appending("three.gguf")
    try convert(first, to: third, dialect: "gguf")
    try expectSame(third, expected, name)
    for file in [second, third] { try expectTexts(file, name) }
  }

  @Test(arguments: names + others)
  func `the tokenizer inside a GGUF file cuts texts as the one that it was made of`(
    _ name: String
  ) throws {
    try expectTexts(folder(name).appending("model.gguf"), name)
  }

  private func expectTexts(_ file: FilePath, _ name: String) throws {
    let found = try FoundTokenizer(file)
    #expect(found.file == file)
    let texts = try #require(json(folder(name).appending("texts.json")).elements)
    for text in texts {
      let ids = try found.tokenizer.encode(try #require(text["text"]?.string)).ids
      #expect(ids == text["ids"]?.elements?.compactMap(\.int), "\(name): \(text)")
    }
  }

  @Test func `a tokenizer inside that is not understood is said to be`() throws {
    let error = #expect(throws: CheckpointError.self) {
      try FoundTokenizer(fixture("containers/gguf/good/every_type.gguf"))
    }
    #expect(error?.problem.text.contains("no tokenizer is there") == true)
    let scratch = ScratchFolder()
    let path = scratch.path.appending("m.gguf")
    let source = try Checkpoint.open(folder("t5").appending("model.gguf"))
    var belongings = source.belongings
    belongings.keyValues = source.belongings.keyValues?.setting("tokenizer.ggml.model", "rwkv")
    try CheckpointWriter(destination: path, format: .gguf, belongings: belongings)
      .write(tensors: source.tensors.tensors)
    let unknown = #expect(throws: CheckpointError.self) { try FoundTokenizer(path) }
    #expect(unknown?.category == .unsupported)
    #expect(unknown?.problem.text.contains("its kind, rwkv, is not known") == true)
  }

  private func expectSame(_ path: FilePath, _ expected: JSONValue, _ name: String) throws {
    let values = try #require(Checkpoint.open(path).belongings.keyValues)
    let kinds = expected["tokenizer.ggml.token_type"]?.elements ?? []
    for member in expected.members ?? [] where !member.key.hasSuffix("sep_token") {
      guard let list = member.value.elements else {
        #expect(values.json(member.key) == member.value, "\(member.key)")
        continue
      }
      let found = values.json(member.key)?.elements ?? []
      #expect(found.count == list.count, "\(member.key)")
      for (place, (x, y)) in zip(found, list).enumerated() {
        // Of pieces that are paired, scores count for words alone, and of the word for what is none there is but the number.
        let isWord = place < kinds.count && kinds[place] == 1
        if member.key.hasSuffix("scores"), !isWord, name != "t5" { continue }
        if member.key.hasSuffix("token_type"), name == "llama", place == 0 { continue }
        let isSame = x.double.map { Float($0) } == y.double.map { Float($0) }
        #expect(isSame && x.string == y.string, "\(member.key) \(place)")
      }
    }
  }

  @Test func `a tokenizer that is not understood is left out, and it is said why`() throws {
    let scratch = ScratchFolder()
    let source = try Checkpoint.open(folder("qwen2").appending("model.gguf"))
    for (key, value, reason) in [
      ("tokenizer.ggml.pre", "nobody's", "its way of cutting texts, nobody's, is not known"),
      ("tokenizer.ggml.model", "rwkv", "its kind, rwkv, is not known"),
    ] as [(String, JSONValue, String)] {
      let path = scratch.path.appending("\(reason.count).gguf")
      let old = try #require(source.belongings.keyValues)
      try writeValues(of: source, to: path) { $0 == key ? value : old.json($0) }
      let conversion = try Conversion(
        Checkpoint.open(path),
        to: Conversion.Target(
          scratch.path.appending("hf"), isFolder: true, dialect: "huggingface"))
      #expect(
        conversion.notes.contains("the tokenizer inside the GGUF file is left out: \(reason)"))
    }
  }

  @Test func `pairs that no scores say are not put into a file`() throws {
    let scratch = ScratchFolder()
    let source = scratch.path.appending("one")
    try convert(folder("llama").appending("model.gguf"), to: source, dialect: "huggingface")
    let text = String(decoding: readFile(source.appending("tokenizer.json")), as: UTF8.self)
    let tokenizer = try JSONValue(parsing: Array(text.utf8), grammar: .strict)
    let merges = try #require(tokenizer["model"]?["merges"]?.elements)
    for changed in [Array(merges.dropFirst()), merges + [merges[0]]] {
      let model = (tokenizer["model"]?.members ?? []).map { member in
        member.key == "merges" ? .init("merges", .array(changed)) : member
      }
      let all = (tokenizer.members ?? []).map { member in
        member.key == "model" ? .init("model", .object(model)) : member
      }
      writeFile(
        Array(JSONValue.object(all).text().utf8), to: source.appending("tokenizer.json"))
      let target = scratch.path.appending("\(changed.count).gguf")
      try convert(source, to: target, dialect: "gguf")
      #expect(
        try Checkpoint.open(target).belongings.keyValues?.json("tokenizer.ggml.model") == "none")
    }
  }

  /// What is changed in tokenizer.json so that llama.cpp would do something else.
  private static let changes = [
    ("bert", "\"clean_text\":true", "\"clean_text\":false"),
    ("bert", "\"handle_chinese_chars\":true", "\"handle_chinese_chars\":false"),
    ("bert", "BertPreTokenizer", "Whitespace"),
    ("bert", "\"post_processor\":{", "\"post_processor\":null,\"former\":{"),
    ("bert", "\"continuing_subword_prefix\":\"##\"", "\"continuing_subword_prefix\":\"@@\""),
    ("t5", "\" {2,}\"", "\" {3,}\""), ("t5", "\"strip_right\":true", "\"strip_right\":false"),
    ("t5", "\"split\":true", "\"split\":false"), ("t5", "\"always\"", "\"first\""),
    ("t5", "\"byte_fallback\":false", "\"byte_fallback\":true"),
    ("t5", "\"precompiled_charsmap\":\"", "\"precompiled_charsmap\":\"*"),
  ]

  @Test(arguments: changes.indices)
  func `pieces of which a file could not say everything are not put into one`(_ index: Int) throws {
    let (name, part, other) = Self.changes[index]
    let scratch = ScratchFolder()
    let source = scratch.path.appending("one")
    try convert(folder(name).appending("model.gguf"), to: source, dialect: "huggingface")
    let file = source.appending("tokenizer.json")
    let text = try json(file).text()
    #expect(text.contains(part), "\(part)")
    writeFile(Array(text.replacing(part, with: other).utf8), to: file)
    let target = scratch.path.appending("two.gguf")
    try convert(source, to: target, dialect: "gguf")
    #expect(
      try Checkpoint.open(target).belongings.keyValues?.json("tokenizer.ggml.model") == "none")
  }

  private func ids(_ vocabulary: JSONValue?) -> [String: Int] {
    Dictionary((vocabulary?.members ?? []).map { ($0.key, $0.value.int ?? -1) }) { x, _ in x }
  }

  /// Without what is the same left out or said: no prefix is an empty one, and steps of which there is one.
  private func normal(_ value: JSONValue?) -> JSONValue? {
    guard let value, value != .null else { return nil }
    guard let members = value.members else { return value }
    let kept = members.filter {
      !["trim_offsets", "add_prefix_space"].contains($0.key) && $0.value != .null
    }
    if value["type"] == "ByteLevel" {
      // Whether texts are cut is nothing to a decoder.
      return ["type": "ByteLevel", "use_regex": value["use_regex"] ?? true]
    }
    return .object(
      kept.map { member in
        guard let list = member.value.elements else { return member }
        return .init(member.key, .array(list.map { normal($0) ?? .null }))
      })
  }

  private func convert(
    _ source: FilePath, to destination: FilePath, dialect: String
  ) throws {
    let target = Conversion.Target(
      destination, isFolder: destination.extension == nil, dialect: dialect, allowsMismatch: true)
    try Conversion(Checkpoint.open(source), to: target).run()
  }
}
