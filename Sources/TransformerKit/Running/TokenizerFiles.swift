internal import Containers
public import SystemPackage
public import TensorCore
public import Tokenizers

/// A tokenizer, and the file that it was read from.
public struct FoundTokenizer: Sendable {
  /// The tokenizer.
  public let tokenizer: Tokenizer
  /// The file that says most of it.
  public let file: FilePath

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
  ]

  private enum Reading {
    case json
    case sentencePiece
    case wordsAndMerges
    case wordPieces
    case ranks
  }

  /// The tokenizer that lies beside a model's weights, that a file has in it, or that a file is.
  ///
  /// - Parameter path: a folder, a tokenizer's file, or a file of weights.
  /// - Throws: `CheckpointError`: missing if there is none.
  public init(_ path: FilePath) throws(CheckpointError) {
    // Reading says why nothing is there.
    if path.kind == nil { _ = try SmallFile.read(path, limit: 0) }
    if path.kind == .directory {
      guard let found = try Self.find(in: path) else { throw Self.none(in: path) }
      self = found
    } else if let reading = Self.reading(of: path) {
      self = try Self.read(path, reading)
    } else if let found = try Self.find(in: path.folder) {
      self = found
    } else {
      throw Self.none(in: path.folder)
    }
  }

  private init(_ tokenizer: Tokenizer, _ file: FilePath) {
    self.tokenizer = tokenizer
    self.file = file
  }

  private static func none(in folder: FilePath) -> CheckpointError {
    CheckpointError(
      .missing("no tokenizer is there: none of " + names.map(\.name).joined(separator: ", ")),
      file: displayed(folder), advice: "name the tokenizer's file")
  }

  private static func find(in folder: FilePath) throws(CheckpointError) -> FoundTokenizer? {
    for (name, reading) in names {
      let path = folder.appending(name)
      if path.kind == .regular { return try read(path, reading) }
    }
    return nil
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

  /// The tokenizer_config.json in the folder of a file, if there is one.
  private static func settings(beside path: FilePath) throws(CheckpointError) -> JSONValue? {
    let path = path.folder.appending("tokenizer_config.json")
    guard path.kind == .regular else { return nil }
    let bytes = try SmallFile.read(path, limit: 1 << 20)
    do {
      return try JSONValue(parsing: bytes, grammar: .python)
    } catch {
      throw CheckpointError(
        .malformed(error.reason), file: displayed(path), offset: error.offset)
    }
  }

  private static func read(
    _ path: FilePath, _ reading: Reading
  ) throws(CheckpointError) -> FoundTokenizer {
    do throws(CheckpointError) {
      let bytes = try SmallFile.read(path, limit: Tokenizer.largestFile)
      let name = path.lastComponent?.string ?? ""
      switch reading {
      case .json: return FoundTokenizer(try Tokenizer(tokenizerJSON: bytes), path)
      // Some have their ranks in a file of this name.
      case .sentencePiece where Self.isText(bytes), .ranks:
        return FoundTokenizer(try Tokenizer(ranks: bytes, name: name), path)
      case .sentencePiece: return FoundTokenizer(try Tokenizer(sentencePiece: bytes), path)
      case .wordsAndMerges:
        let merges = path.folder.appending("merges.txt")
        return FoundTokenizer(
          try Tokenizer(
            words: bytes, merges: try SmallFile.read(merges, limit: Tokenizer.largestFile),
            settings: try settings(beside: path)), path)
      case .wordPieces:
        return FoundTokenizer(
          try Tokenizer(wordPieces: bytes, settings: try settings(beside: path)), path)
      }
    } catch {
      throw error.inFile(displayed(path))
    }
  }
}

extension FilePath {
  /// What is there, links followed.
  fileprivate var kind: FileType? { (try? stat())?.type }

  /// The folder that it is in.
  fileprivate var folder: FilePath {
    let folder = removingLastComponent()
    return folder.isEmpty ? "." : folder
  }
}
