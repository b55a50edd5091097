import TensorCore

/// TFZ, the compressed checkpoint: tensors, and the other files of a model's folder, in one file.
///
/// Specification: docs/tfz.md. The names here are those of the specification.
public enum TFZ {
  /// How a file is compressed.
  public struct Options: Sendable {
    /// The levels that there are.
    public static let levels = 1...19

    /// 1 codes what is rare and what is frequent, at the speed of memory. From 2 to 19, zstd of that
    /// level also looks for repetitions in every plane; slower, and with weights rarely smaller.
    public var level: Int
    /// Whether the SHA-256 of every tensor's bytes is kept.
    public var keepsDigests: Bool
    /// The units of a chunk: a power of two from 2^10 to 2^20.
    public var chunkUnits: Int

    /// Says how to compress.
    public init(level: Int = 1, keepsDigests: Bool = false, chunkUnits: Int = 1 << 18) {
      precondition(Self.levels.contains(level), "no such level")
      precondition(
        Limits.chunkUnits.contains(chunkUnits) && chunkUnits.nonzeroBitCount == 1,
        "no such size of a chunk")
      self.level = level
      self.keepsDigests = keepsDigests
      self.chunkUnits = chunkUnits
    }
  }

  /// What the file begins with.
  static let magic: [UInt8] = [0x89, 0x54, 0x46, 0x5A, 0x0D, 0x0A, 0x1A, 0x0A]
  /// What the file ends with.
  static let endMagic: [UInt8] = Array("\nTFZEND\n".utf8)
  /// The version of the format that is written.
  static let version: UInt32 = 2
  /// The versions that are read. The first one's frames may lack a checksum, and its files may have any
  /// name.
  static let knownVersions: ClosedRange<UInt64> = 1...2
  /// Bytes of the header: magic, version, zero.
  static let headerSize = 16
  /// Bytes of the footer: offset, length and hash of the index, magic.
  static let footerSize = 32
  /// The count that says that there is no metadata, not even an empty one.
  static let noMetadata = UInt32.max

  /// The bits of the index's flags.
  enum Flags {
    /// Every stream has a SHA-256.
    static let digests: UInt32 = 1
    /// The order of the tensors is an accident.
    static let orderUndeclared: UInt32 = 2
    /// Names of files are paths.
    static let paths: UInt32 = 4
    static let known: UInt32 = digests | orderUndeclared | paths
  }

  /// How a plane of a chunk is stored.
  enum Encoding: UInt32 {
    case raw = 0
    case constant = 1
    case zstd = 2
  }

  /// What is accepted before it is called an attack.
  enum Limits {
    /// Bytes of the index.
    static let index = 32 << 20
    static let tensors = 1 << 18
    static let files = 1 << 12
    static let origins = 1 << 16
    static let metadata = 1 << 16
    static let chunkUnits = 1 << 10...1 << 20
    /// Bytes of a file's name, or of a folder's in a path.
    static let fileName = 255
    /// Bytes of a file.
    static let file = 256 << 20
    /// Bytes of a path.
    static let path = 4096
    /// Names in a path.
    static let pathDepth = 32
  }
}

extension ContainerFormat {
  /// TFZ with the usual options.
  public static let tfz = tfz(TFZ.Options())

  /// TFZ, written with these options.
  public static func tfz(_ options: TFZ.Options) -> ContainerFormat {
    var format = ContainerFormat(
      name: "tfz", fileExtension: "tfz", canShard: false,
      matches: { $0.begins(with: TFZ.magic) ? .exact : nil },
      read: { file throws(CheckpointError) in
        let bytes = FileBytes(file: file, start: 0, count: file.size)
        return try TFZArchive(bytes).contents
      },
      layout: { contents throws(CheckpointError) in try TFZLayout(contents, options) })
    format.holdsFiles = true
    format.memoryForWriting = { tensors in
      let sources = tensors.map { TFZLayout.Source($0, level: options.level) }
      return TFZChunkGroup.workingMemory(sources, options)
    }
    return format
  }
}

extension TFZ {
  /// Whether a folder has the name for something else: a file inside that is called so would be taken for
  /// the folder's weights or shard index.
  static func isReserved(_ name: [UInt8]) -> Bool {
    name.elementsEqual("model.safetensors".utf8)
      || name.reversed().starts(with: ".index.json".utf8.reversed())
  }
}

/// Whether a file of that name can stand in a folder, visibly, and nowhere else.
func isPlainFileName(_ name: [UInt8]) -> Bool {
  !name.isEmpty && name.count <= TFZ.Limits.fileName && name[0] != UInt8(ascii: ".")
    && !name.contains { $0 == 0 || $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }
}

extension TFZ {
  /// Whether a name is a path that leads to a file in a folder, or in folders in it, and nowhere else.
  static func isPath(_ name: [UInt8]) -> Bool {
    let parts = name.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    return name.count <= Limits.path && parts.count <= Limits.pathDepth
      && parts.allSatisfy { part in
        !part.isEmpty && part.count <= Limits.fileName && !part.elementsEqual(".".utf8)
          && !part.elementsEqual("..".utf8)
          && !part.contains { $0 == 0 || $0 == UInt8(ascii: "\\") }
      }
  }

  /// Why a file has no place in a TFZ file, or `nil` if it has.
  static func obstacle(to file: CompanionFile) -> String? {
    if !isPath(file.name) { return "TFZ has no files of such names" }
    if isReserved(file.name) { return "a name that is reserved for weights and their index" }
    if file.bytes.count > Limits.file { return "too large for a file in TFZ" }
    return nil
  }
}
