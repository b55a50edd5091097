import SystemPackage
import TensorCore

/// A shard index (`model.safetensors.index.json`): which tensor is in which file.
///
/// The layout is that of Hugging Face: an object with `weight_map`, from tensor names to file names
/// beside the index, and `metadata`. What format the shards have, their bytes say; it is one for all.
struct ShardIndex {
  /// Where it is.
  let path: FilePath
  /// What `metadata` says, such as `total_size`.
  private(set) var metadata: JSONValue?
  /// What it says beside `weight_map` and `metadata`.
  private(set) var others: [JSONValue.Member] = []
  /// The names of the shards, sorted.
  private(set) var shards: [String] = []
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
    if let problem = notJSON(bytes) { throw CheckpointError(problem, file: file.name) }
    do throws(CheckpointError) {
      var map: Range<Int>?
      var metadata: Range<Int>?
      do {
        try JSONScanner.visitMembers(of: bytes, grammar: .strict) { member in
          switch TensorName(member.key) {
          case "weight_map": map = member.value
          case "metadata": metadata = member.value
          default:
            if let value = try? JSONValue(parsing: Array(bytes[member.value]), grammar: .strict) {
              others.append(JSONValue.Member(TensorName(member.key).text, value))
            }
          }
        }
      } catch {
        throw CheckpointError(.malformed(error.reason), offset: error.offset)
      }
      guard let map else { throw Self.noMap }
      self.metadata = metadata.flatMap {
        try? JSONValue(parsing: Array(bytes[$0]), grammar: .strict)
      }
      shards = try place(map, in: bytes)
    } catch {
      throw error.inFile(file.name)
    }
  }

  private static let noMap = CheckpointError(
    .malformed("has no weight_map, so it is no shard index"))

  /// Reads `weight_map`, whose text has been checked; returns the names of the shards, sorted.
  private mutating func place(
    _ map: Range<Int>, in bytes: [UInt8]
  ) throws(CheckpointError) -> [String] {
    let members: [JSONScanner.Member]
    do {
      members = try JSONScanner.members(ofChecked: map, in: bytes, grammar: .strict)
    } catch {
      throw CheckpointError(.malformed("weight_map: \(error.reason)"), offset: error.offset)
    }
    if members.isEmpty { throw Self.noMap }
    guard members.count <= Limits.tensors else {
      throw CheckpointError(
        .limitExceeded("the number of tensors", limit: Limits.tensors, found: members.count))
    }
    var numbers: [TensorName: Int] = [:]
    placement.reserveCapacity(members.count)
    for member in members {
      guard let shard = JSONScanner.string(ofChecked: member.value, in: bytes) else {
        throw CheckpointError(
          .malformed("weight_map: the file of \"\(member.key)\" is not a string"),
          offset: member.value.lowerBound)
      }
      let name = TensorName(shard)
      let number = numbers[name] ?? numbers.count
      numbers[name] = number
      placement[TensorName(member.key)] = number
    }
    let sorted = numbers.keys.sorted()
    try Self.checkPaths(sorted)
    var rank = [Int](repeating: 0, count: sorted.count)
    for (position, name) in sorted.enumerated() { rank[numbers[name] ?? 0] = position }
    placement = placement.mapValues { rank[$0] }
    return sorted.map(\.text)
  }

  /// Checks that each of `shards` is inside the index's folder.
  private static func checkPaths(_ shards: [TensorName]) throws(CheckpointError) {
    for name in shards where !staysInFolder(name.text) {
      throw CheckpointError(
        .malformed("the shard path \"\(name.text)\" leaves the folder"),
        advice: "shards lie in the index's folder or below it: mend the index's weight_map")
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

  /// What index and shards disagree about.
  private struct Faults {
    private var texts: [String] = []
    private(set) var count = 0

    mutating func append(_ text: @autoclosure () -> String) {
      count += 1
      if count <= Limits.reportedFaults { texts.append(text()) }
    }

    /// The error that lists them, unless there are none.
    var problem: CheckpointError? {
      if count == 0 { return nil }
      let advice = "fetch or write the shards and their index again, all of one save"
      if count == 1, let text = texts.first {
        return CheckpointError(.malformed(text), advice: advice)
      }
      let rest = count - texts.count
      return CheckpointError(
        .malformed("index and shards disagree (\(count) faults)"), advice: advice,
        details: texts + (rest > 0 ? ["and \(rest) more"] : []))
    }
  }

  /// What all shards hold.
  struct Sharded {
    /// The container that the shards are.
    var format: ContainerFormat
    var contents: Contents
    var files: [FilePath]
  }

  /// Opens all shards, and checks that they and the index agree about every tensor.
  ///
  /// - Throws: `CheckpointError` that lists all disagreements, up to `Limits.reportedFaults`.
  func open() throws(CheckpointError) -> Sharded {
    var faults = Faults()
    var contents = Contents(tensors: [])
    var origin = SafetensorsOrigin(shards: [], index: try CompanionFile(path))
    var files: [FilePath] = []
    var format: ContainerFormat?
    var found: Set<TensorName> = []
    let sizes = Dictionary(placement.map { ($0.value, 1) }, uniquingKeysWith: +)
    var absent: Set<Int> = []
    let folder = path.removingLastComponent()
    prepareHeaders(shards.map { folder.appending($0) })
    for (number, shard) in shards.enumerated() {
      let path = folder.appending(shard)
      files.append(path)
      guard try path.isRemote ? path.present() != nil : path.linkStatus != nil else {
        let count = sizes[number, default: 0]
        faults.append(
          "shard \"\(shard)\" does not exist, and \(count) of the tensors with it")
        absent.insert(number)
        continue
      }
      let part = try Self.open(path, &format)
      contents.add(part)
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
    for (name, number) in placement.sorted(by: { $0.key < $1.key })
    where !found.contains(name) && !absent.contains(number) {
      faults.append("tensor \"\(name)\" is not in \"\(shards[number])\"")
    }
    if var problem = faults.problem {
      if absent.count == faults.count { problem.advice = "fetch the shards that are not there" }
      throw problem.inFile(displayed(path))
    }
    if format == .safetensors, origin.shards.allSatisfy({ isPlainFileName($0.head.name) }),
      !shards.contains(where: { $0.utf8.contains(UInt8(ascii: "/")) })
    {
      contents.belongings.origin = origin
    }
    return Sharded(format: format ?? .safetensors, contents: contents, files: files)
  }

  /// Opens a shard, of the format that the ones before it have.
  static func open(
    _ path: FilePath, _ format: inout ContainerFormat?
  ) throws(CheckpointError) -> Contents {
    let file = try InputFile(path)
    let own = try recognizedFormat(of: file)
    guard own.canShard else {
      throw CheckpointError(
        .malformed("is \(own), which has no shards"), file: file.name)
    }
    guard own == format ?? own else {
      throw CheckpointError(
        .malformed("is \(own), and the shards before it are \(format ?? own)"), file: file.name)
    }
    format = own
    return try own.contents(of: file)
  }
}
