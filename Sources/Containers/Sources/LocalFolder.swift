import SystemPackage
import TensorCore

/// A folder of this machine as a place where files are found, those in the folders in it too.
struct LocalFolder: Place {
  /// Where it is.
  let path: FilePath

  init(_ path: FilePath) { self.path = path }

  func fileNames() throws(CheckpointError) -> [[UInt8]] {
    var files: [[UInt8]] = []
    for entry in try entries(isDeep: true) where entry.kind == .file { files.append(entry.name) }
    return files
  }

  func open(_ name: [UInt8]) throws(CheckpointError) -> any ByteSource {
    try InputFile(path.descendant(name))
  }

  /// Something in the folder.
  struct Entry: Sendable {
    /// Its path in the folder, with slashes.
    let name: [UInt8]
    /// Where it is.
    let path: FilePath
    let kind: Kind
  }

  /// What something in a folder is.
  enum Kind: Equatable, Sendable {
    /// A regular file, or a link to one.
    case file
    /// A folder; of its files there are entries too, unless it is empty.
    case folder(isEmpty: Bool)
    /// A folder that is one thing: a model in another format, a repository. Of its files there are no
    /// entries.
    case foreign(ForeignFolder)
    /// A link to where nothing is.
    case danglingLink
    /// A link to a folder. It is not followed: it may lead anywhere, and in circles.
    case folderLink
    /// A pipe, a device, a socket.
    case special(String)
  }

  /// What is in the folder, sorted by name, files before what is in the folder of the same name.
  ///
  /// - Parameter isDeep: whether to look into the folders in it.
  /// - Throws: `CheckpointError` if a folder cannot be listed, or there is too much in it.
  func entries(isDeep: Bool) throws(CheckpointError) -> [Entry] {
    var entries: [Entry] = []
    try add(path, [], isDeep: isDeep, depth: 0, to: &entries)
    return entries
  }

  private func add(
    _ folder: FilePath, _ prefix: [UInt8], isDeep: Bool, depth: Int, to entries: inout [Entry]
  ) throws(CheckpointError) {
    for component in try names(in: folder) {
      guard entries.count < Limits.folderEntries, depth <= Limits.folderDepth else {
        let isDepth = depth > Limits.folderDepth
        throw CheckpointError(
          .limitExceeded(
            isDepth ? "the depth of folders" : "the number of files in the folder",
            limit: isDepth ? Limits.folderDepth : Limits.folderEntries,
            found: isDepth ? depth : entries.count + 1), file: displayed(path))
      }
      let place = folder.appending(component)
      let kind = try Self.kind(of: place)
      entries.append(Entry(name: prefix + component.bytes, path: place, kind: kind))
      if isDeep, kind == .folder(isEmpty: false) {
        let inner = prefix + component.bytes + [UInt8(ascii: "/")]
        try add(place, inner, isDeep: true, depth: depth + 1, to: &entries)
      }
    }
  }

  private static func kind(of path: FilePath) throws(CheckpointError) -> Kind {
    guard let status = path.status else {
      let isLink = path.linkStatus?.type == .symbolicLink
      return isLink ? .danglingLink : .special("something that cannot be examined")
    }
    if status.type == .regular { return .file }
    guard status.type == .directory else { return .special(status.type.words) }
    if path.linkStatus?.type == .symbolicLink { return .folderLink }
    let inside = try names(in: path)
    return ForeignFolder(path, inside).map { .foreign($0) } ?? .folder(isEmpty: inside.isEmpty)
  }
}

/// A folder that is one thing and known by what is in it.
enum ForeignFolder: Equatable, Sendable {
  /// A model, or a part of one, in a format that is not read: its name with an article.
  case weights(String)
  /// What a version control system keeps.
  case repository

  /// What a folder is, by the names in it, or `nil` if it is just a folder.
  init?(_ path: FilePath, _ inside: [FilePath.Component]) {
    let names = Set(inside.map(\.string))
    func has(_ all: String...) -> Bool { names.isSuperset(of: all) }
    func leads(to name: String) -> Bool { path.pushing(FilePath(name)).status != nil }
    let target = inside.first { $0.string.hasPrefix("target.") }?.string
    if has("HEAD", "objects", "refs") {
      self = .repository
    } else if has(".metadata"), names.contains(where: { $0.hasSuffix(".distcp") }) {
      self = .weights("a distributed checkpoint of PyTorch (torch.distributed.checkpoint)")
    } else if has("saved_model.pb") {
      self = .weights("a TensorFlow SavedModel")
    } else if has("manifest.ocdbt") || has("_CHECKPOINT_METADATA") || has("_METADATA", "d") {
      self = .weights("an Orbax checkpoint")
    } else if has("Manifest.json", "Data"), leads(to: "Data/com.apple.CoreML") {
      self = .weights("a Core ML package")
    } else if has("coremldata.bin") {
      self = .weights("a compiled Core ML model")
    } else if has(".zarray") || has("zarr.json") || has(".zgroup") {
      self = .weights("a Zarr array")
    } else if has("checkpoint"), let target, leads(to: target + "/.zarray") {
      self = .weights("a checkpoint of Zarr arrays")
    } else {
      return nil
    }
  }
}
