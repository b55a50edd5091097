import SystemPackage
import TensorCore

/// What lies in a checkpoint's folder beside the weights and the config that are read.
public struct Surroundings: Sendable {
  /// Something in the folder that does not travel with the weights.
  public struct Item: Sendable, Equatable {
    /// Its path in the folder, as it is printed.
    public let name: String
    /// What it is, or why it stays: a phrase without a verb.
    public let what: String
    /// Its path in the folder, as the file system has it.
    let bytes: [UInt8]

    init(_ name: [UInt8], _ what: String) {
      self.name = displayed(FilePath(".").descendant(name)).droppingCurrentFolder
      self.what = what
      bytes = name
    }
  }

  /// The files that travel with the weights: all that hold none.
  public private(set) var companions: [CompanionFile] = []
  /// Files, and folders, with weights that are not read.
  public private(set) var weights: [Item] = []
  /// What neither travels nor has weights: links that lead nowhere, pipes, empty folders, repositories.
  public private(set) var others: [Item] = []

  /// All that does not travel.
  public var leftOut: [Item] { weights + others }

  /// Nothing.
  init() {}

  /// Looks around in a folder.
  ///
  /// - Parameters:
  ///   - folder: the folder.
  ///   - read: the files that are read: weights, their index and the config.
  ///   - modules: the files with weights of modules, which travel as they are.
  ///   - isDeep: whether to look into the folders in it.
  init(
    _ folder: FilePath, read: Set<FilePath>, modules: Set<[UInt8]> = [], isDeep: Bool
  ) throws(CheckpointError) {
    let entries = try LocalFolder(folder).entries(isDeep: isDeep)
    let names = Set(entries.map(\.name))
    prepareHeaders(entries.filter { $0.kind == .file && !read.contains($0.path) }.map(\.path))
    for entry in entries where !read.contains(entry.path) {
      switch entry.kind {
      case .file where modules.contains(entry.name):
        companions.append(try CompanionFile(entry.path, name: entry.name))
      case .file: try add(entry, among: names)
      case .folder(let isEmpty): if isEmpty { others.append(Item(entry.name, "an empty folder")) }
      case .foreign(.weights(let words)): weights.append(Item(entry.name, words))
      case .foreign(.repository): others.append(Item(entry.name, "a repository's history"))
      case .danglingLink: others.append(Item(entry.name, "a link to where nothing is"))
      case .folderLink: others.append(Item(entry.name, "a link to a folder"))
      case .special(let words): others.append(Item(entry.name, words))
      }
    }
  }

  private mutating func add(
    _ entry: LocalFolder.Entry, among names: Set<[UInt8]>
  ) throws(CheckpointError) {
    if TemporaryFiles.isTemporary(entry.name) {
      others.append(Item(entry.name, "what an interrupted conversion has left"))
    } else if let words = try weightsWords(entry, among: names) {
      weights.append(Item(entry.name, words))
    } else {
      companions.append(try CompanionFile(entry.path, name: entry.name))
    }
  }

  /// The config.json that is read travels by itself.
  mutating func leaveOutConfig() {
    companions.removeAll { $0.name.elementsEqual("config.json".utf8) }
  }

  /// An adapter's config does not travel with a model that has it in its weights.
  package mutating func leaveOutAdapter() {
    let name = "adapter_config.json"
    guard companions.contains(where: { $0.name.elementsEqual(name.utf8) }) else { return }
    companions.removeAll { $0.name.elementsEqual(name.utf8) }
    others.append(Item(Array(name.utf8), "what an adapter is, and not a model"))
  }

  /// A config.json in the folder that is not the one that is read.
  mutating func leaveConfig(_ name: String) {
    companions.removeAll { $0.name.elementsEqual(name.utf8) }
    others.append(Item(Array(name.utf8), "not the config that is used"))
  }
}

/// What a file with weights is, or `nil` if it has none.
private func weightsWords(
  _ entry: LocalFolder.Entry, among names: Set<[UInt8]>
) throws(CheckpointError) -> String? {
  let file = try InputFile(entry.path)
  if entry.name.reversed().starts(with: ".index.json".utf8.reversed()), try looksLikeJSON(file) {
    return "a shard index"
  }
  switch try recognizeWeights(file) {
  case .container(let format): return format.name
  case .foreign(let format): return format.words
  case .substitute: return nil
  case .other: return headlessWords(entry.name, among: names)
  }
}

/// Formats whose files are nothing but numbers, and known by the files beside them alone.
private func headlessWords(_ name: [UInt8], among names: Set<[UInt8]>) -> String? {
  let text = String(decoding: name, as: UTF8.self)
  func has(_ other: some StringProtocol) -> Bool { names.contains(Array(other.utf8)) }
  if let cut = text.firstRange(of: ".data-"), has(text[..<cut.lowerBound] + ".index") {
    return "the data of a TensorFlow checkpoint"
  }
  if text.hasSuffix(".bin"), has(text.dropLast(4) + ".xml") {
    return "the weights of an OpenVINO model"
  }
  if text.hasSuffix(DistributedNames.ending) {
    return "chunks of a distributed checkpoint of PyTorch"
  }
  for suffix in ["_data", ".data"] where text.hasSuffix(".onnx" + suffix) {
    if has(text.dropLast(suffix.utf8.count)) { return "the weights of an ONNX model" }
  }
  return nil
}

extension String {
  /// Without a leading `./`.
  fileprivate var droppingCurrentFolder: String {
    hasPrefix("./") ? String(dropFirst(2)) : self
  }
}
