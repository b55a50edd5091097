import Containers
public import SystemPackage
public import TensorCore

/// A list of digests that a checkpoint can be checked against, as `tfinspect hash` prints it.
///
/// Either its JSON, or lines of `DIGEST  DTYPE  [SHAPE]  NAME`, or of `DIGEST  NAME` as sha256sum has
/// them. Names in lines are escaped as they are printed; empty lines and those with `#` are comments.
public struct Manifest: Sendable {
  /// What is known of a tensor.
  struct Entry: Sendable {
    /// The name, with everything hidden escaped if it comes from a line.
    let name: String
    let dtype: DType?
    let shape: [Int]?
    let digest: String
  }

  /// What is wrong with a tensor.
  public struct Fault: Equatable, Sendable {
    /// The name, as in the manifest or, if it is not there, in the checkpoint.
    public let name: String
    /// What is wrong, as a predicate.
    public let reason: String
  }

  /// The entries, in order.
  let entries: [Entry]
  private let isJSON: Bool

  /// Reads a manifest.
  ///
  /// - Throws: `CheckpointError` that names file and line if it is none.
  public init(_ path: FilePath) throws(CheckpointError) {
    try self.init(parsing: readText(path), file: displayed(path))
  }

  init(parsing bytes: [UInt8], file: String) throws(CheckpointError) {
    isJSON = bytes.first { !" \t\r\n".utf8.contains($0) } == UInt8(ascii: "{")
    do throws(CheckpointError) {
      entries = try isJSON ? Self.jsonEntries(bytes) : Self.lineEntries(bytes)
      try Self.checkUnique(entries)
    } catch {
      throw error.inFile(file)
    }
  }

  private static func checkUnique(_ entries: [Entry]) throws(CheckpointError) {
    if entries.isEmpty { throw CheckpointError(.malformed("has no digests in it")) }
    var seen: Set<TensorName> = []
    for entry in entries where !seen.insert(TensorName(entry.name)).inserted {
      throw CheckpointError(.duplicate, tensor: TensorName(entry.name))
    }
  }

  // MARK: Parsing

  private static func jsonEntries(_ bytes: [UInt8]) throws(CheckpointError) -> [Entry] {
    let root: JSONValue
    do {
      root = try JSONValue(parsing: bytes, grammar: .strict)
    } catch {
      throw CheckpointError(.malformed(error.reason), offset: error.offset)
    }
    guard let tensors = root["tensors"]?.elements else {
      throw CheckpointError(.malformed("is JSON without a list \"tensors\", so it is no manifest"))
    }
    return try tensors.enumerated().map { index, tensor throws(CheckpointError) in
      guard let name = tensor["name"]?.string, let digest = tensor["sha256"]?.string,
        isDigest(digest)
      else {
        throw CheckpointError(
          .malformed("tensors[\(index)] has no name, or no sha256 of 64 digits"))
      }
      return Entry(
        name: name, dtype: tensor["dtype"]?.string.flatMap(DType.init(rawValue:)),
        shape: tensor["shape"]?.elements?.compactMap(\.int), digest: digest.lowercased())
    }
  }

  private static func lineEntries(_ bytes: [UInt8]) throws(CheckpointError) -> [Entry] {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw CheckpointError(.malformed("is neither JSON nor text, so it is no manifest"))
    }
    var entries: [Entry] = []
    let lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
    for (number, line) in lines.enumerated() where !line.isEmpty && line.first != "#" {
      let digest = line.prefix { !$0.isWhitespace }
      // sha256sum marks binary reading by a star.
      let rest = line.dropFirst(digest.count).drop { $0 == " " }
      guard isDigest(String(digest)), !rest.isEmpty else {
        throw CheckpointError(
          .malformed("line \(number + 1) does not begin with a SHA-256 digest and a name"))
      }
      entries.append(entry(rest, digest: digest.lowercased()))
    }
    return entries
  }

  /// What follows the digest: a name, perhaps with type and shape before it.
  private static func entry(_ text: Substring, digest: String) -> Entry {
    let word = text.prefix { $0 != " " }
    let rest = text.dropFirst(word.count).drop { $0 == " " }
    if let dtype = DType(rawValue: String(word)), rest.first == "[",
      let end = rest.firstIndex(of: "]")
    {
      let shape = rest[..<end].dropFirst().split(separator: ",")
        .compactMap { Int($0.drop { $0 == " " }) }
      let name = rest[rest.index(after: end)...].drop { $0 == " " }
      return Entry(name: String(name), dtype: dtype, shape: shape, digest: digest)
    }
    return Entry(name: String(text), dtype: nil, shape: nil, digest: digest)
  }

  private static func isDigest(_ text: String) -> Bool {
    text.utf8.count == 64 && text.utf8.allSatisfy { Character(UnicodeScalar($0)).isHexDigit }
  }

  // MARK: Checking

  /// What does not match: tensors that differ, are missing, or are not in the manifest.
  ///
  /// - Parameters:
  ///   - digests: of the checkpoint's tensors.
  ///   - isMeant: whether an entry of that name is to be looked for.
  public func faults(
    in digests: [TensorDigest], where isMeant: (TensorName) -> Bool = { _ in true }
  ) -> [Fault] {
    func key(_ name: TensorName) -> TensorName { isJSON ? name : TensorName(escaped(name.text)) }
    let found = Dictionary(digests.map { (key($0.name), $0) }) { first, _ in first }
    var faults: [Fault] = []
    for entry in entries where isMeant(TensorName(entry.name)) {
      guard let digest = found[TensorName(entry.name)] else {
        faults.append(Fault(name: entry.name, reason: "is missing"))
        continue
      }
      if let reason = difference(entry, digest) {
        faults.append(Fault(name: entry.name, reason: reason))
      }
    }
    let known = Set(entries.map { TensorName($0.name) })
    for digest in digests where !known.contains(key(digest.name)) {
      faults.append(Fault(name: digest.name.text, reason: "is not in the manifest"))
    }
    return faults
  }

  private func difference(_ entry: Entry, _ found: TensorDigest) -> String? {
    if let dtype = entry.dtype, dtype != found.dtype {
      return "is \(found.dtype), was \(dtype)"
    }
    if let shape = entry.shape, shape != found.shape {
      return "is \(describe(shape: found.shape)), was \(describe(shape: shape))"
    }
    return entry.digest == found.digest ? nil : "has other values"
  }
}
