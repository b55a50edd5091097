internal import Containers
internal import Families
internal import Models
public import SystemPackage
public import TensorCore
public import Tokenizers

/// A tokenizer, and the file that it was read from.
public struct FoundTokenizer: Sendable {
  /// The tokenizer.
  public let tokenizer: Tokenizer
  /// The file that says most of it.
  public let file: FilePath
  /// What the file leaves open of the model's ids, as a sentence; `nil` if it says all.
  public let caveat: String?

  /// The file's path as it is printed.
  var name: String { displayed(file) }

  /// The files that tokenizers are kept in, in the order in which they are looked for in a folder.
  private static let names: [(name: String, read: Reading)] = [
    ("tokenizer.json", .json),
    ("tokenizer.model", .sentencePiece),
    ("spiece.model", .sentencePiece),
    ("sentencepiece.bpe.model", .sentencePiece),
    ("spm.model", .sentencePiece),
    ("source.spm", .sentencePiece),
    ("vocab.json", .wordsAndMerges),
    ("vocab.txt", .wordPieces),
    ("multilingual.tiktoken", .ranks),
    ("gpt2.tiktoken", .ranks),
  ]

  private enum Reading {
    case json
    case sentencePiece
    case wordsAndMerges
    case wordPieces
    case ranks

    var isJSON: Bool { self == .json || self == .wordsAndMerges }
  }

  /// The tokenizer that lies beside a model's weights, that a file has in it, or that a file is.
  ///
  /// - Parameter path: a folder, a tokenizer's file, or a file of weights: what is in it is looked at before what
  ///   lies beside it.
  /// - Throws: `CheckpointError`: missing if there is none.
  public init(_ path: FilePath) throws(CheckpointError) {
    // Reading says why nothing is there.
    if path.kind == nil { _ = try SmallFile.read(path, limit: 0) }
    let folder = path.kind == .directory ? path : path.folder
    if path.kind != .directory, let reading = Self.reading(of: path) {
      self = try Self.read(
        path.lastComponent?.string ?? "", reading, in: Room(folder: folder), isAlone: true)
    } else if path.kind != .directory, let inside = Room(inside: path),
      let found = try Self.find(in: inside)
    {
      self = found
    } else if path.kind != .directory, let found = try Self.amongKeyValues(of: path) {
      self = found
    } else if let found = try Self.find(in: Room(folder: folder)) {
      self = found
    } else if path.kind == .directory, let found = try Self.amongKeyValues(of: path) {
      self = found
    } else {
      throw CheckpointError(
        .missing(
          "no tokenizer is there: none of " + Self.names.map(\.name).joined(separator: ", ")),
        file: displayed(folder), advice: "name the tokenizer's file")
    }
  }

  private init(_ tokenizer: Tokenizer, _ file: FilePath, caveat: String? = nil) {
    self.tokenizer = tokenizer
    self.file = file
    self.caveat = caveat
  }

  /// What a vocabulary alone leaves open of the ids of the model that it lies beside.
  private static func caveat(_ name: String, in room: Room) -> String? {
    guard let type = room.modelType else { return nil }
    return
      "ids are those of \(name) alone: tokens that a tokenizer of \(escaped(type)) may put around a text, and other"
      + " numbers or divisions that it may have, stand in a tokenizer.json, which is not there"
  }

  private static func find(in room: Room) throws(CheckpointError) -> FoundTokenizer? {
    for (name, reading) in names where room.has(name) { return try read(name, reading, in: room) }
    guard case .bytes(let plan) = try tokenizerClass(in: room)?.vocabulary else { return nil }
    let text = try PlannedTokenizer(
      bytes: plan(try readSettings(in: room)), try added(in: room)
    ).text
    return FoundTokenizer(
      try Tokenizer(tokenizerJSON: text), room.path(of: "tokenizer_config.json"))
  }

  /// The class that makes a tokenizer of what is there.
  private static func tokenizerClass(in room: Room) throws(CheckpointError) -> TokenizerClass? {
    let name = try settings(in: room)?["tokenizer_class"]?.string
    return Family.all.tokenizerClass(named: name, for: room.modelType)
  }

  private static func added(in room: Room) throws(CheckpointError) -> PlannedTokenizer.AddedWords {
    let settings = try settings(in: room)
    let isWhole = settings?["added_tokens_decoder"] != nil
    return PlannedTokenizer.AddedWords(
      settings: settings, list: isWhole ? nil : try json("added_tokens.json", in: room))
  }

  /// What a class reads of the settings: no numbers that would make words without end.
  private static func readSettings(in room: Room) throws(CheckpointError) -> TokenizerSettings {
    let settings = try settings(in: room)
    for key in ["extra_ids", "offset"] {
      guard let count = settings?[key]?.int, count > mostMadeWords else { continue }
      throw CheckpointError(
        .limitExceeded(key, limit: mostMadeWords, found: count),
        file: displayed(room.path(of: "tokenizer_config.json")))
    }
    return TokenizerSettings(settings)
  }

  /// The most words that a setting may ask for.
  private static let mostMadeWords = 1 << 14

  /// What the model's class makes of a vocabulary; `nil` if it is not known, or makes it of another one.
  private static func planned(
    _ bytes: [UInt8], _ name: String, _ reading: Reading, in room: Room
  ) throws(CheckpointError) -> FoundTokenizer? {
    guard let form = try tokenizerClass(in: room) else { return nil }
    let settings = try readSettings(in: room)
    let made: PlannedTokenizer
    switch (form.vocabulary, reading) {
    case (.pieces(let plan), .sentencePiece):
      made = try PlannedTokenizer(pieces: bytes, plan(settings), try added(in: room))
    case (.lines(let plan), .wordPieces):
      made = try PlannedTokenizer(lines: bytes, plan(settings), try added(in: room))
    case (.merges(let plan), .wordsAndMerges):
      let merges = try room.read("merges.txt", limit: Tokenizer.largestFile)
      made = try PlannedTokenizer(
        words: bytes, merges: merges, plan(settings), try added(in: room))
    default: return nil
    }
    var tokenizer = try Tokenizer(tokenizerJSON: made.text)
    tokenizer.format = "\(name), as \(form.name) reads it"
    return FoundTokenizer(tokenizer, room.path(of: name))
  }

  /// The tokenizer among the key-values of a GGUF file, or of the one in a folder, or of the words of a ggml file; `nil` if
  /// there is none.
  private static func amongKeyValues(
    of path: FilePath
  ) throws(CheckpointError) -> FoundTokenizer? {
    let belongings = try? Checkpoint.open(path).belongings
    if let head = belongings?.ggml {
      do throws(CheckpointError) {
        return FoundTokenizer(try Tokenizer(words: head.wordList), path)
      } catch {
        throw error.inFile(displayed(path))
      }
    }
    guard let values = belongings?.keyValues, values.hasTokenizer else { return nil }
    let json: JSONValue
    do {
      json = try HuggingFaceTokenizer(values).tokenizer
    } catch {
      throw CheckpointError(
        .unsupported("the tokenizer inside is not read: \(error.reason)"), file: displayed(path),
        advice: "name the tokenizer's own file")
    }
    do throws(CheckpointError) {
      return FoundTokenizer(try Tokenizer(tokenizerJSON: Array(json.text().utf8)), path)
    } catch {
      throw error.inFile(displayed(path))
    }
  }

  /// Whether a path is a file that is called as a tokenizer's is.
  public static func isFile(_ path: FilePath) -> Bool {
    path.kind == .regular && reading(of: path) != nil
  }

  /// Whether another one was read from a file of the same kind.
  func isOfKind(of other: FoundTokenizer) -> Bool {
    let kinds = [file, other.file].map { Self.reading(of: $0) }
    return kinds[0] == kinds[1] && (kinds[0] != nil || file.extension == other.file.extension)
  }

  /// How a file is read, by its name.
  private static func reading(of path: FilePath) -> Reading? {
    let name = path.lastComponent?.string ?? ""
    if let known = names.first(where: { $0.name == name }) { return known.read }
    switch path.extension {
    case "json": return .json
    case "model", "spm": return .sentencePiece
    case "tiktoken": return .ranks
    case "txt": return .wordPieces
    default: return nil
    }
  }

  /// Whether a file begins as a list of ranks, and not as a message of Protocol Buffers.
  private static func isText(_ bytes: [UInt8]) -> Bool {
    bytes.prefix(16).allSatisfy { (0x20..<0x7F).contains($0) || $0 == 10 }
  }

  /// The tokenizer_config.json beside a file, if there is one; unless it lists the added tokens, what a
  /// special_tokens_map.json says goes before what it says.
  private static func settings(in room: Room) throws(CheckpointError) -> JSONValue? {
    let settings = try json("tokenizer_config.json", in: room)
    guard settings?["added_tokens_decoder"] == nil,
      let names = try json("special_tokens_map.json", in: room)?.members
    else { return settings }
    let kept = (settings?.members ?? []).filter { member in !names.contains { $0.key == member.key }
    }
    return .object(kept + names)
  }

  private static func json(_ name: String, in room: Room) throws(CheckpointError) -> JSONValue? {
    guard room.has(name) else { return nil }
    let bytes = try room.read(name, limit: 1 << 20)
    if let problem = notJSON(bytes) {
      throw CheckpointError(problem, file: displayed(room.path(of: name)))
    }
    do {
      return try JSONValue(parsing: bytes, grammar: .python)
    } catch {
      throw CheckpointError(
        .malformed(error.reason), file: displayed(room.path(of: name)), offset: error.offset)
    }
  }

  /// - Parameter isAlone: whether the file was named, and what lies beside it is not asked how it is read.
  private static func read(
    _ name: String, _ reading: Reading, in room: Room, isAlone: Bool = false
  ) throws(CheckpointError) -> FoundTokenizer {
    let path = room.path(of: name)
    do throws(CheckpointError) {
      let bytes = try room.read(name, limit: Tokenizer.largestFile)
      if let problem = reading.isJSON ? notJSON(bytes) : notTheFile(bytes) {
        throw CheckpointError(problem)
      }
      if !isAlone, !isText(bytes) || reading != .sentencePiece,
        let planned = try planned(bytes, name, reading, in: room)
      {
        return planned
      }
      var caveat = caveat(name, in: room)
      if !isAlone, case .numberedPieces = try tokenizerClass(in: room)?.vocabulary { caveat = nil }
      switch reading {
      case .json: return FoundTokenizer(try Tokenizer(tokenizerJSON: bytes), path)
      // Some have their ranks in a file of this name.
      case .sentencePiece where Self.isText(bytes), .ranks:
        return FoundTokenizer(try Tokenizer(ranks: bytes, name: name), path)
      case .sentencePiece where name == "source.spm" && room.has("vocab.json"):
        let list = try room.read("vocab.json", limit: Tokenizer.largestFile)
        return FoundTokenizer(try Tokenizer(sentencePiece: bytes, numberedBy: list), path)
      case .sentencePiece:
        return FoundTokenizer(
          try Tokenizer(sentencePiece: bytes), path, caveat: caveat)
      case .wordsAndMerges:
        let merges = try room.read("merges.txt", limit: Tokenizer.largestFile)
        return FoundTokenizer(
          try Tokenizer(words: bytes, merges: merges, settings: try settings(in: room)), path,
          caveat: caveat)
      case .wordPieces:
        return FoundTokenizer(
          try Tokenizer(wordPieces: bytes, settings: try settings(in: room)), path, caveat: caveat)
      }
    } catch {
      throw error.inFile(displayed(path))
    }
  }
}

/// Where files of a tokenizer can be: a folder, or a file that holds what a folder does.
private struct Room {
  /// The folder, or the file.
  let path: FilePath
  /// The files inside a file.
  private var files: [CompanionFile]?

  init(folder: FilePath) { path = folder }

  /// What is in a container; `nil` if it is none, or has no files in it.
  init?(inside file: FilePath) {
    guard let files = try? Checkpoint.open(file).belongings.files, !files.isEmpty else {
      return nil
    }
    (path, self.files) = (file, files)
  }

  /// Where a file is, or would be if its holder were a folder.
  func path(of name: String) -> FilePath { path == "." ? FilePath(name) : path.appending(name) }

  /// The `model_type` of the model that is there.
  var modelType: String? {
    guard has("config.json"), let bytes = try? read("config.json", limit: 16 << 20) else {
      return nil
    }
    return (try? JSONValue(parsing: bytes, grammar: .python))?["model_type"]?.string
  }

  private func inside(_ name: String) -> CompanionFile? {
    files?.first { $0.name.elementsEqual(name.utf8) }
  }

  func has(_ name: String) -> Bool {
    files == nil ? path(of: name).kind == .regular : inside(name) != nil
  }

  func read(_ name: String, limit: Int) throws(CheckpointError) -> [UInt8] {
    guard files != nil else { return try SmallFile.read(path(of: name), limit: limit) }
    guard let file = inside(name) else {
      throw CheckpointError(.missing("has no \(name) in it"), file: displayed(path))
    }
    guard file.bytes.count <= limit else {
      throw CheckpointError(.limitExceeded("the size", limit: limit, found: file.bytes.count))
    }
    return try file.bytes.read(0..<file.bytes.count)
  }
}

extension FilePath {
  /// What is there, links followed.
  var kind: FileType? { status?.type }

  /// The folder that it is in.
  fileprivate var folder: FilePath {
    let folder = removingLastComponent()
    return folder.isEmpty ? "." : folder
  }
}
