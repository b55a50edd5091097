import SystemPackage
import TensorCore

/// The files beside an ONNX model that have bytes of its tensors (ONNX, "External Data").
struct ONNXExternalFiles {
  private let file: any ByteSource
  private var open: [String: any ByteSource] = [:]

  /// How many files there may be: each stays open.
  private static let limit = 512

  init(beside file: any ByteSource) { self.file = file }

  /// The files that were opened.
  var paths: [FilePath] {
    open.sorted { $0.key < $1.key }.compactMap { ($0.value as? InputFile)?.path }
  }

  /// The `size` bytes at a place: the path of a file in the model's folder, and perhaps where in it they
  /// begin and how many there are.
  mutating func bytes(
    at place: [String: String], size: Int
  ) throws(CheckpointError) -> any TensorBytes {
    // The folder itself may be named.
    var location = place["location"] ?? ""
    while location.hasPrefix("./") { location.removeFirst(2) }
    guard !location.isEmpty else {
      throw CheckpointError(
        .malformed("its bytes are in another file, and it is not said in which"))
    }
    guard ShardIndex.staysInFolder(location) else {
      throw CheckpointError(.malformed("the path \"\(location)\" of its bytes leaves the folder"))
    }
    let start = try Self.number("offset", in: place) ?? 0
    guard try Self.number("length", in: place) ?? size == size else {
      throw CheckpointError(
        .malformed("the length of its bytes is \(place["length"] ?? ""), it needs \(size)"))
    }
    let source = try source(location)
    guard size <= source.size, start <= source.size - size else {
      throw CheckpointError(
        .truncated(needed: size, available: max(0, source.size - start)), file: source.name,
        offset: start)
    }
    return FileBytes(file: source, start: start, count: size)
  }

  private mutating func source(_ location: String) throws(CheckpointError) -> any ByteSource {
    if let source = open[location] { return source }
    guard open.count < Self.limit else {
      throw CheckpointError(
        .limitExceeded("the number of files", limit: Self.limit, found: open.count + 1))
    }
    let source = try file.neighbour(Array(location.utf8))
    open[location] = source
    return source
  }

  /// A number from 0 in decimal digits.
  private static func number(
    _ key: String, in place: [String: String]
  ) throws(CheckpointError) -> Int? {
    guard let text = place[key] else { return nil }
    guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(text) else {
      throw CheckpointError(.malformed("the \(key) of its bytes is no number: \"\(text)\""))
    }
    return number
  }
}
