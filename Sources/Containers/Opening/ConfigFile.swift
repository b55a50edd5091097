public import SystemPackage
public import TensorCore

/// A config.json: what it says, and its bytes, which travel unchanged.
public struct ConfigFile: Sendable {
  /// Where it is.
  public let path: FilePath
  /// The text.
  public let bytes: [UInt8]
  /// The object that the text is. Python's `NaN` and `Infinity` are understood.
  public let value: JSONValue

  /// Reads a file.
  ///
  /// - Throws: `CheckpointError` that names file and byte if it is no JSON object.
  public init(_ path: FilePath) throws(CheckpointError) {
    let file = try InputFile(path)
    guard file.size <= Limits.config else {
      throw CheckpointError(
        .limitExceeded("the size", limit: Limits.config, found: file.size), file: file.name)
    }
    try self.init(path, bytes: try file.read(0..<file.size))
  }

  /// Whether it has more than the name of an architecture, which some put beside GGUF files.
  var saysMoreThanType: Bool { value.members?.contains { $0.key != "model_type" } ?? false }

  /// A config that says nothing, in the place of one that cannot be read.
  public static func silent(_ path: FilePath) -> ConfigFile { ConfigFile(silentAt: path) }

  private init(silentAt path: FilePath) {
    (self.path, bytes, value) = (path, Array("{}".utf8), [:])
  }

  /// Reads bytes that were found at `path`, be that in a folder or inside a container.
  init(_ path: FilePath, bytes: [UInt8]) throws(CheckpointError) {
    let name = displayed(path)
    self.path = path
    self.bytes = bytes
    if let problem = notJSON(bytes) { throw CheckpointError(problem, file: name) }
    do {
      value = try JSONValue(parsing: bytes, grammar: .python)
    } catch {
      throw CheckpointError(.malformed(error.reason), file: name, offset: error.offset)
    }
    guard value.members != nil else {
      throw CheckpointError(.malformed("is not a JSON object"), file: name)
    }
  }
}
