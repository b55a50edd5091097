import TensorCore

/// A file of torch's to be: a plain state dict in a zip archive, the same bytes for the same tensors. Where a
/// program of torch's wants to know what the model is made of, the state dict is `model`, and that is
/// `model_args`.
///
/// Tensors that are the same storage, wholly, stay one.
struct TorchLayout: FileLayout {
  private(set) var byteCount = 0
  /// The members before the storages, and after them.
  private var members: [Member] = []

  /// Where `__metadata__` is kept that torch has no place for; torch does not look there.
  static let metadataName = ".tfkit/metadata"
  private static let folder = "archive/"
  /// Where torch lets storages begin, so that they can be mapped.
  private static let alignment = 64

  private enum Source {
    case bytes([UInt8])
    case tensor(Tensor)
  }

  private struct Member {
    let entry: ZipEntry
    let source: Source
  }

  /// Lays a file out.
  ///
  /// - Throws: `CheckpointError` if torch has no type for a tensor.
  init(_ contents: Contents) throws(CheckpointError) {
    var pickle = TorchPickle(arguments: contents.belongings.modelArguments)
    var storages: [Tensor] = []
    var known: [StorageIdentity: Int] = [:]
    for tensor in contents.tensors {
      guard let names = TorchElement.names(of: tensor.dtype) else {
        throw CheckpointError(
          .refused("torch has no type for \(tensor.dtype)"), tensor: tensor.name,
          advice: "safetensors and TFZ can hold it, --exclude leaves it out")
      }
      let identity = StorageIdentity(of: tensor)
      let number = identity.flatMap { known[$0] } ?? storages.count
      if number == storages.count {
        storages.append(tensor)
        if let identity { known[identity] = number }
      }
      let count =
        names.dtype == nil ? tensor.byteCount / (tensor.dtype.byteWidth ?? 1) : tensor.byteCount
      pickle.add(
        tensor.name, shape: try Self.shape(of: tensor), storage: "\(number)", count: count,
        of: names)
    }
    pickle.finish()
    try add("data.pkl", .bytes(pickle.bytes), pickle.bytes.count)
    try add("byteorder", .bytes(Array("little".utf8)), 6)
    for (number, tensor) in storages.enumerated() {
      try add("data/\(number)", .tensor(tensor), tensor.byteCount)
    }
    try add("version", .bytes(Array("3\n".utf8)), 2)
    if contents.metadata != ["format": "pt"] {
      let text = contents.metadata?.json ?? Array("null".utf8)
      try add(Self.metadataName, .bytes(text), text.count)
    }
    let size = members.reduce(0) { $0 + $1.entry.directoryEntry(crc: 0).count }
    let end = ZipEntry.end(count: members.count, size: size, start: byteCount, comment: [])
    guard let total = byteCount.addedIfFits(size + end.count) else {
      throw CheckpointError(.overflow("the size of the file"))
    }
    byteCount = total
  }

  /// torch counts two numbers of four bits as one element.
  private static func shape(of tensor: Tensor) throws(CheckpointError) -> [Int] {
    guard tensor.dtype == .f4 else { return tensor.shape }
    guard let last = tensor.shape.last, last.isMultiple(of: 2) else {
      throw CheckpointError(
        .refused("torch has no tensor of \(tensor.dtype) with an odd last extent"),
        tensor: tensor.name)
    }
    return tensor.shape.dropLast() + [last / 2]
  }

  private mutating func add(
    _ name: String, _ source: Source, _ size: Int
  ) throws(CheckpointError) {
    let name = Array((Self.folder + name).utf8)
    var entry = ZipEntry(name: name, size: size, offset: byteCount, fields: [])
    let start = byteCount + entry.localHeader(crc: 0).count
    entry.alignment = (Self.alignment - (start + 4) % Self.alignment) % Self.alignment
    let header = entry.localHeader(crc: 0).count
    guard let end = byteCount.addedIfFits(header)?.addedIfFits(size) else {
      throw CheckpointError(.overflow("the size of the file"))
    }
    byteCount = end
    members.append(Member(entry: entry, source: source))
  }

  func write(to file: OutputFile, progress: (Int) -> Void) throws(CheckpointError) {
    func append(_ bytes: [UInt8]) throws(CheckpointError) {
      try file.write(bytes)
      progress(bytes.count)
    }
    var checksums: [UInt32] = []
    for member in members {
      let start = file.position
      var crc: UInt32 = 0
      try append(member.entry.localHeader(crc: 0))
      switch member.source {
      case .bytes(let bytes):
        crc = unsafe bytes.withUnsafeBytes { unsafe crc32(0, $0) }
        try append(bytes)
      case .tensor(let tensor):
        try file.copy(tensor, progress: progress) { piece in
          unsafe piece.withUnsafeBytes { unsafe crc = crc32(crc, $0) }
        }
      }
      // The checksum stands before the bytes that it is of.
      try file.patch(member.entry.localHeader(crc: crc), at: start)
      checksums.append(crc)
    }
    let start = file.position
    for (member, crc) in zip(members, checksums) {
      try append(member.entry.directoryEntry(crc: crc))
    }
    try append(
      ZipEntry.end(
        count: members.count, size: file.position - start, start: start, comment: []))
  }
}

/// What tells whether two tensors are the same storage of the same file.
private enum StorageIdentity: Hashable {
  case member(ObjectIdentifier, DType)
  case stretch(ObjectIdentifier, Int, Int, DType)

  /// `nil` if nobody else can be the same.
  init?(of tensor: Tensor) {
    if let member = tensor.bytes as? StoredMember {
      self = .member(ObjectIdentifier(member), tensor.dtype)
    } else if let stretch = tensor.bytes as? FileBytes, let file = stretch.file as? InputFile,
      stretch.count > 0
    {
      self = .stretch(ObjectIdentifier(file), stretch.start, stretch.count, tensor.dtype)
    } else {
      return nil
    }
  }
}
