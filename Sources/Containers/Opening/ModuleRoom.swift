import SystemPackage
import TensorCore

/// Where the files of modules are: a folder, or a container that holds what a folder does.
struct ModuleRoom {
  /// The folder, or the container.
  let path: FilePath
  /// The files inside a container.
  let files: [CompanionFile]?

  /// What the weights of a module are called, in the order in which sentence-transformers looks for them.
  static let weightNames = ["model.safetensors", "pytorch_model.bin"]

  func displayedName(_ name: String) -> String {
    displayed(path.descendant(Array(name.utf8)))
  }

  /// A file, if it is there.
  private func source(_ name: String) throws(CheckpointError) -> (any ByteSource)? {
    let bytes = Array(name.utf8)
    guard let files else {
      let place = path.descendant(bytes)
      return place.status?.type == .regular ? try InputFile(place) : nil
    }
    return files.first { $0.name == bytes }.map {
      CompanionSource(file: $0, name: displayedName(name))
    }
  }

  /// A file of JSON, if it is there.
  func json(_ name: String) throws(CheckpointError) -> JSONValue? {
    guard let source = try source(name) else { return nil }
    guard source.size <= Limits.config else {
      throw CheckpointError(
        .limitExceeded("the size", limit: Limits.config, found: source.size), file: source.name)
    }
    let bytes = try source.head(source.size)
    if let problem = notJSON(bytes) { throw CheckpointError(problem, file: source.name) }
    do {
      return try JSONValue(parsing: bytes, grammar: .python)
    } catch {
      throw CheckpointError(.malformed(error.reason), file: source.name, offset: error.offset)
    }
  }

  /// The module in a folder.
  ///
  /// - Parameter list: the file that names the folder.
  func module(
    in folder: String, _ type: String, listedIn list: String
  ) throws(CheckpointError) -> StoredModule {
    if folder.isEmpty { return StoredModule(folder: "", type: type, config: nil, tensors: []) }
    let parts = folder.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.allSatisfy({ !["", ".", ".."].contains($0) }) else {
      throw CheckpointError(
        .malformed("\"\(escaped(folder))\" is no path of a folder in this one"), file: list)
    }
    let config = try json(folder + "/config.json")
    var tensors: [Tensor] = []
    for name in Self.weightNames {
      guard let source = try source(folder + "/" + name) else { continue }
      tensors = try recognizedFormat(of: source).contents(of: source).tensors
      break
    }
    return StoredModule(folder: folder, type: type, config: config, tensors: tensors)
  }
}

/// A file inside a container as a source.
private struct CompanionSource: ByteSource {
  let file: CompanionFile
  let name: String

  var fileName: [UInt8] { file.name.split(separator: UInt8(ascii: "/")).last.map(Array.init) ?? [] }
  var size: Int { file.bytes.count }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    guard offset >= 0, offset <= size, buffer.byteCount <= size - offset else {
      throw CheckpointError(
        .truncated(needed: buffer.byteCount, available: max(0, size - offset)), file: name,
        offset: offset)
    }
    try file.bytes.read(at: offset, into: &buffer)
  }

  func announce(_ range: Range<Int>) { file.bytes.announce(range) }
}
