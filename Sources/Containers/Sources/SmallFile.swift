public import SystemPackage
public import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A small file of text that a command writes beside its real work: a certificate, a test report.
///
/// It appears whole or not at all: written under a temporary name beside its own, made durable,
/// renamed.
public struct SmallFile: Sendable {
  /// What may be replaced.
  public enum Replacing: Sendable {
    /// Nothing.
    case nothing
    /// Any file.
    case anything
    /// A file that is empty or begins with these bytes, so that a slip of the keyboard costs no
    /// other one.
    case beginning(with: [UInt8])
  }

  /// Where it will be.
  public let path: FilePath
  private let replacing: Replacing
  private let sources: [FilePath]

  /// Says what to write.
  ///
  /// - Parameters:
  ///   - path: where.
  ///   - replacing: what may be there already.
  ///   - sources: files that must not be written to.
  public init(_ path: FilePath, replacing: Replacing, sources: [FilePath] = []) {
    self.path = path
    self.replacing = replacing
    self.sources = sources
  }

  /// Checks that the file may be written, before the work whose result it will hold.
  ///
  /// - Parameter isFolderExpected: whether its folder must be there already.
  /// - Throws: `CheckpointError`: refused if something else is there.
  public func check(isFolderExpected: Bool = true) throws(CheckpointError) {
    let writer = CheckpointWriter(
      destination: path, format: .npy, overwrite: try mayReplace, sources: sources)
    try writer.checkDestination()
    try writer.checkFiles([path])
    if isFolderExpected {
      _ = try systemCall("cannot create", path) { try path.parent.stat() }
    }
  }

  private var mayReplace: Bool {
    get throws(CheckpointError) {
      switch replacing {
      case .nothing: return false
      case .anything: return true
      case .beginning(let bytes):
        guard path.status?.type == .regular else { return true }
        let file = try InputFile(path)
        let head = try file.head(bytes.count)
        guard head.isEmpty || head == bytes else {
          throw CheckpointError(
            .refused("exists already, and is no such report"), file: file.name,
            advice: "remove it first")
        }
        return true
      }
    }
  }

  /// Writes the file.
  ///
  /// - Throws: `CheckpointError`; then nothing is left behind.
  public func write(_ text: String) throws(CheckpointError) {
    try check()
    let folder = try TargetFolder(of: path)
    let output = try folder.whileLocked { () throws(CheckpointError) in
      TemporaryFiles.removeLeftovers(of: path)
      return try OutputFile(TemporaryFiles.name(for: path), for: path)
    }
    try output.write(Array(text.utf8))
    try output.synchronize()
    var change = FileCommit([(output, path)], isReplacing: try mayReplace)
    try folder.commit(&change)
  }

  /// The bytes of a file that may not be large.
  ///
  /// - Throws: `CheckpointError` if it cannot be read, or has more than `limit` bytes.
  public static func read(
    _ path: FilePath, limit: Int
  ) throws(CheckpointError) -> [UInt8] {
    let file = try InputFile(path)
    guard file.size <= limit else {
      throw CheckpointError(
        .limitExceeded("the size", limit: limit, found: file.size), file: file.name)
    }
    return try file.read(0..<file.size)
  }
}
