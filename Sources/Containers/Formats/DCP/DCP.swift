import SystemPackage
import TensorCore

extension ContainerFormat {
  /// A checkpoint of torch.distributed.checkpoint: `.metadata`, a pickle that says of each tensor in which chunks it
  /// lies, and files of what `torch.save` makes of each chunk, one behind the other.
  ///
  /// Nothing of it is run: see `Pickle`. A chunk is looked at when it is read.
  public static let dcp = ContainerFormat(
    name: "dcp", fileExtension: "metadata", canShard: false,
    matches: { $0.isDistributedMetadata ? .exact : nil },
    read: { file throws(CheckpointError) in
      try DistributedFiles(of: file).contents()
    },
    layout: nil)
}

extension Glimpse {
  /// A pickle whose first object is torch's `Metadata`.
  fileprivate var isDistributedMetadata: Bool {
    guard isPickle else { return false }
    let name = Array("torch.distributed.checkpoint.metadata".utf8)
    return (2..<32).contains { head.dropFirst($0).starts(with: name) }
  }
}

/// Where the metadata of a distributed checkpoint is, when something else of it was named.
enum DistributedNames {
  /// What torch calls the metadata of all processes (torch/distributed/checkpoint/filesystem.py).
  static let metadata = ".metadata"
  /// How the files of chunks end.
  static let ending = ".distcp"

  /// The metadata beside a file of chunks; `nil` if there is none, or the path is none of that name.
  static func metadata(for path: FilePath) -> FilePath? {
    guard path.lastComponent?.string.hasSuffix(ending) == true else { return nil }
    let metadata = path.parent.appending(metadata)
    return metadata.status?.type == .regular ? metadata : nil
  }

  /// The metadata in a folder; `nil` if there is none, nor a file of chunks that it would be of.
  static func metadata(inFolder folder: FilePath) throws(CheckpointError) -> InputFile? {
    let path = folder.appending(metadata)
    guard path.status?.type == .regular else { return nil }
    let file = try InputFile(path)
    if case .container(.dcp) = try recognize(file) { return file }
    return try names(in: folder).contains { $0.string.hasSuffix(ending) } ? file : nil
  }
}

/// A distributed checkpoint whose files are being found.
private struct DistributedFiles {
  private let metadata: DistributedMetadata
  private let file: any ByteSource
  /// The files of chunks, as the metadata numbers them.
  private var sources: [any ByteSource] = []

  init(of file: any ByteSource) throws(CheckpointError) {
    self.file = file
    metadata = try DistributedMetadata(file)
    for name in metadata.files {
      guard ShardIndex.staysInFolder(name) else {
        throw CheckpointError(
          .malformed("the file \"\(abridged(name, to: 240))\" is not in the folder"))
      }
      sources.append(try file.neighbour(Array(name.utf8)))
    }
    try checkPlaces()
  }

  /// Stretches are in their files, and none has a byte of another.
  private func checkPlaces() throws(CheckpointError) {
    var places = metadata.stretches
    places.sort {
      ($0.stretch.file, $0.stretch.range.lowerBound) < (
        $1.stretch.file, $1.stretch.range.lowerBound
      )
    }
    for place in places {
      let (source, range) = (sources[place.stretch.file], place.stretch.range)
      guard range.upperBound <= source.size else {
        throw CheckpointError(
          .truncated(needed: range.count, available: max(0, source.size - range.lowerBound)),
          file: source.name, tensor: place.name, offset: range.lowerBound)
      }
    }
    for (before, place) in zip(places, places.dropFirst())
    where before.stretch.file == place.stretch.file
      && before.stretch.range.upperBound > place.stretch.range.lowerBound
    {
      throw CheckpointError(
        .malformed("overlaps the bytes of \"\(abridged(before.name.text, to: 240))\""),
        file: sources[place.stretch.file].name, tensor: place.name,
        offset: place.stretch.range.lowerBound)
    }
  }

  func contents() throws(CheckpointError) -> Contents {
    let wrapper = metadata.wrapper
    var contents = Contents(tensors: [], keepsOrder: false)
    for entry in metadata.entries {
      let name = wrapper.flatMap { $0.name(of: entry) } ?? entry.name
      switch entry.content {
      case .value(let stretch):
        contents.addOther(
          name.text, words(for: stretch, isListed: contents.otherCount < Self.readValues))
      case .tensor(let tensor):
        do throws(CheckpointError) {
          let bytes = try tensor.bytes(sources, entry.name)
          contents.tensors.append(
            Tensor(name: name, dtype: tensor.element.dtype, shape: tensor.ownShape, bytes: bytes))
        } catch {
          var error = error
          error.tensor = error.tensor ?? entry.name
          throw error
        }
      }
    }
    if let wrapper { contents.strippedPrefix = (wrapper.prefix, wrapper.count) }
    contents.openingMemory = metadata.memory
    contents.files = sources.compactMap { ($0 as? InputFile)?.path }
    return contents
  }

  /// How many of the values that are no tensors are read, to say what they are, and up to which size.
  private static let readValues = 100
  private static let shortValue = 64 << 10

  /// What a value that is no tensor is: `torch.save` has written it.
  private func words(for stretch: DistributedMetadata.Stretch?, isListed: Bool) -> String {
    guard let stretch else { return "a value that no file has" }
    let plain = "a value of \(stretch.range.count) bytes, not read"
    guard isListed, stretch.range.count <= Self.shortValue, !stretch.isTransformed else {
      return plain
    }
    let source = ArchiveMember(
      archive: sources[stretch.file], fileName: [], start: stretch.range.lowerBound,
      size: stretch.range.count)
    let root = try? TorchArchive(source).contents().others.first
    return root?.what ?? plain
  }
}
