import SystemPackage
import TensorCore

/// A shard index (`model.safetensors.index.json`): which tensor is in which file.
///
/// The layout is that of Hugging Face: an object with `weight_map`, from tensor names to file names
/// beside the index, and `metadata`.
struct ShardIndex {
  /// Where it is.
  let path: FilePath
  /// What `metadata` says, such as `total_size`.
  private(set) var metadata: JSONValue?
  /// The names of the shards, sorted.
  let shards: [String]
  /// For each tensor, which of `shards` has it.
  private(set) var placement: [TensorName: Int] = [:]

  /// Reads an index and checks all that can be checked without opening a shard.
  init(_ path: FilePath) throws(CheckpointError) {
    let file = try InputFile(path)
    self.path = path
    guard file.size <= Limits.shardIndex else {
      throw CheckpointError(
        .limitExceeded("the size", limit: Limits.shardIndex, found: file.size), file: file.name)
    }
    let bytes = try file.read(0..<file.size)
    do throws(CheckpointError) {
      var map: [(name: String, shard: String)] = []
      for member in try objectMembers(bytes, at: 0) {
        let value = Array(bytes[member.value])
        switch member.key {
        case "weight_map": map = try Self.weightMap(value, at: member.value.lowerBound)
        case "metadata": metadata = try? JSONValue(parsingChecked: value)
        default: continue
        }
      }
      guard !map.isEmpty else {
        throw CheckpointError(.malformed("has no weight_map, so it is no shard index"))
      }
      let shards = Set(map.map { TensorName($0.shard) }).sorted()
      try Self.checkPaths(shards)
      self.shards = shards.map(\.text)
      let numbers = Dictionary(uniqueKeysWithValues: zip(shards, 0...))
      for (name, shard) in map { placement[TensorName(name)] = numbers[TensorName(shard)] }
    } catch {
      throw error.inFile(file.name)
    }
  }

  private static func weightMap(
    _ bytes: [UInt8], at start: Int
  ) throws(CheckpointError) -> [(name: String, shard: String)] {
    var map: [(name: String, shard: String)] = []
    for member in try objectMembers(bytes, at: start) {
      let value = try? JSONValue(parsingChecked: Array(bytes[member.value]))
      guard let shard = value?.string else {
        throw CheckpointError(
          .malformed("weight_map: the file of \"\(member.key)\" is not a string"),
          offset: start + member.value.lowerBound)
      }
      map.append((member.key, shard))
    }
    return map
  }

  /// Checks that each of `shards` is inside the index's folder.
  private static func checkPaths(_ shards: [TensorName]) throws(CheckpointError) {
    for name in shards where !staysInFolder(name.text) {
      throw CheckpointError(.malformed("the shard path \"\(name.text)\" leaves the folder"))
    }
  }

  /// Whether a shard's path, as text, leads to somewhere in the index's folder.
  ///
  /// Only the text counts: in the hub's cache the file itself is a link to somewhere else.
  static func staysInFolder(_ text: String) -> Bool {
    let components = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    return !text.utf8.contains { $0 == UInt8(ascii: "\\") || $0 < 0x20 }
      && components.allSatisfy { component in
        !component.isEmpty && !component.elementsEqual(".".utf8)
          && !component.elementsEqual("..".utf8)
      }
  }

  /// Opens all shards, and checks that they and the index agree about every tensor.
  ///
  /// - Throws: `CheckpointError` that lists all disagreements.
  func contents() throws(CheckpointError) -> (contents: Contents, files: [FilePath]) {
    var faults: [String] = []
    var contents = Contents(tensors: [])
    var origin = SafetensorsOrigin(shards: [], index: try CompanionFile(path))
    var files: [FilePath] = []
    var found: Set<TensorName> = []
    for (number, shard) in shards.enumerated() {
      let path = path.removingLastComponent().appending(shard)
      files.append(path)
      guard path.linkStatus != nil else {
        faults.append("shard \"\(shard)\" does not exist")
        continue
      }
      let part = try Self.open(path)
      contents.metadata = Metadata.merged(contents.metadata, part.metadata)
      origin.shards += part.belongings.origin?.shards ?? []
      for tensor in part.tensors {
        if placement[tensor.name] == number {
          found.insert(tensor.name)
          contents.tensors.append(tensor)
        } else {
          let place = placement[tensor.name].map { "in \"\(shards[$0])\"" } ?? "nowhere"
          faults.append("tensor \"\(tensor.name)\" is in \"\(shard)\", the index puts it \(place)")
        }
      }
    }
    for (name, number) in placement.sorted(by: { $0.key < $1.key }) where !found.contains(name) {
      faults.append("tensor \"\(name)\" is not in \"\(shards[number])\"")
    }
    guard faults.isEmpty else {
      throw CheckpointError(
        .malformed("index and shards disagree (\(faults.count) faults)"), file: displayed(path),
        details: faults)
    }
    if origin.shards.allSatisfy({ isPlainFileName($0.head.name) }),
      !shards.contains(where: { $0.utf8.contains(UInt8(ascii: "/")) })
    {
      contents.belongings.origin = origin
    }
    return (contents, files)
  }

  private static func open(_ path: FilePath) throws(CheckpointError) -> Contents {
    let file = try InputFile(path)
    let format = try recognizedFormat(of: file)
    guard format.canShard else {
      throw CheckpointError(
        .malformed("is \(format), but only safetensors has shards"), file: file.name)
    }
    return try format.contents(of: file)
  }
}

/// The members of the object that `bytes` must be; they begin at byte `start` of the file.
private func objectMembers(
  _ bytes: [UInt8], at start: Int
) throws(CheckpointError) -> [JSONScanner.Member] {
  do {
    return try JSONScanner.members(of: bytes, grammar: .strict)
  } catch {
    throw CheckpointError(.malformed(error.reason), offset: start + error.offset)
  }
}
