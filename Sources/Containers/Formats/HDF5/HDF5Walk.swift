import TensorCore

/// What has been seen of a file, so that it ends however often its parts lead to each other.
final class HDF5Walk {
  private var names = NameBudget()
  private var links = 0
  /// Groups and nodes of trees: each is in one place.
  private var seen: Set<Int> = []

  /// Bytes of headers, heaps and trees that were read.
  private var structure = 0
  private var leaves = 0
  /// Datasets by their addresses: any number of links may lead to one.
  var datasets: [Int: HDF5Dataset] = [:]

  /// How many nodes and leaves the trees of a file may have.
  private static let limit = 1 << 20
  /// Bytes of all that is no tensor.
  private static let structureLimit = 128 << 20

  /// Takes note of a link.
  func count(_ name: String) throws(CheckpointError) {
    links += 1
    guard links <= 2 * Limits.tensors else {
      throw CheckpointError(
        .limitExceeded("the number of links", limit: 2 * Limits.tensors, found: links))
    }
    try Limits.check(name: TensorName(name), rank: 0, offset: 0)
    try names.take(name.utf8.count)
  }

  /// Takes note of what is read of the file's structure.
  func take(structure count: Int) throws(CheckpointError) {
    structure += min(count, Self.structureLimit + 1)
    guard structure <= Self.structureLimit else {
      throw CheckpointError(
        .limitExceeded(
          "the size of headers and trees", limit: Self.structureLimit, found: structure))
    }
  }

  /// Takes note of a whole path.
  func take(path: String) throws(CheckpointError) {
    try Limits.check(name: TensorName(path), rank: 0, offset: 0)
    try names.take(path.utf8.count)
  }

  /// Takes note of something that can be in one place only.
  func enter(_ address: Int) throws(CheckpointError) {
    guard seen.insert(address).inserted else {
      throw CheckpointError(.malformed("two ways lead to the same group or tree"), offset: address)
    }
    guard seen.count <= Self.limit else {
      throw CheckpointError(
        .limitExceeded("the number of parts", limit: Self.limit, found: seen.count))
    }
  }

  /// Hears the leaves of a B-tree of version 1: the key before each, and its address.
  ///
  /// Source: HDF5 File Format Specification 3.0, section III.A.1.
  func visitLeaves(
    of root: Int, in file: HDF5File, type: UInt8, keySize: Int,
    _ body: (ByteCursor, Int) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    var nodes: [(address: Int, level: UInt8?)] = [(root, nil)]
    while let (address, level) = nodes.popLast() {
      try enter(address)
      var head = try file.read(address, 24, signature: "TREE", version: type)
      let offset = head.start
      let own = try head.uint8()
      guard level == nil || own == level else {
        throw CheckpointError(.malformed("a tree is broken"), offset: offset)
      }
      let count = Int(try head.uint16())
      try take(structure: 24 + count * (keySize + 8))
      leaves += own == 0 ? count : 0
      guard leaves <= Self.limit else {
        throw CheckpointError(
          .limitExceeded("the number of parts", limit: Self.limit, found: leaves))
      }
      var cursor = try file.read(address + 24, count * (keySize + 8))
      var inner: [(address: Int, level: UInt8?)] = []
      for _ in 0..<count {
        let key = ByteCursor(try cursor.bytes(keySize), at: offset)
        let child = try file.address(try cursor.uint64(), at: offset)
        if own == 0 { try body(key, child) } else { inner.append((child, own - 1)) }
      }
      nodes += inner.reversed()
    }
  }
}
