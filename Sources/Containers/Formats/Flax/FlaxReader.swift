import TensorCore

/// Something in a Flax file.
enum FlaxNode {
  case array(FlaxArray)
  case map([Member])
  /// No number: its kind, with an article.
  case other(String)

  /// A member of a map.
  struct Member {
    let key: String
    let node: FlaxNode
  }

  /// The key that says that a map is an array in pieces.
  static let chunkMark = "__msgpack_chunked_array__"
}

/// Reads the tree of a Flax file (`flax/serialization.py`, 0.12).
struct FlaxReader {
  private let file: any ByteSource
  private var reader: MessagePackReader
  private var memberCount = 0

  /// How deep maps may be in maps; as deep as JSON.
  private static let depth = 64

  init(_ file: any ByteSource) {
    self.file = file
    reader = MessagePackReader(SourceCursor(file))
  }

  /// The whole file.
  mutating func root() throws(CheckpointError) -> FlaxNode {
    let node = try node(depth: 0)
    guard reader.cursor.isAtEnd else {
      throw CheckpointError(
        .malformed("\(reader.cursor.left) bytes follow the last item"),
        offset: reader.cursor.position)
    }
    return node
  }

  private mutating func node(depth: Int) throws(CheckpointError) -> FlaxNode {
    let start = reader.cursor.position
    guard depth <= Self.depth else {
      throw CheckpointError(.malformed("nested deeper than \(Self.depth)"), offset: start)
    }
    switch try reader.item() {
    case .map(let count): return .map(try members(count, depth: depth))
    case .array(let count): return .map(try elements(count, depth: depth))
    case .other(1, let range), .other(3, let range):
      return .array(try FlaxArray(range, in: file))
    case .other(2, let range): return .array(try FlaxArray(complex: range, in: file))
    case .other(let type, _):
      throw CheckpointError(
        .unsupported("has an item of the unknown type \(type)"), offset: start)
    // Python's own numbers: the steps that were trained, and the like.
    case .integer(let value): return .array(FlaxArray(.i64, value.littleEndianBytes, at: start))
    case .float(let value):
      return .array(FlaxArray(.f64, value.bitPattern.littleEndianBytes, at: start))
    case .bool(let value): return .array(FlaxArray(.bool, [value ? 1 : 0], at: start))
    case .text: return .other("a text")
    case .binary: return .other("a string of bytes")
    case .null: return .other("nothing (None)")
    }
  }

  private mutating func members(
    _ count: Int, depth: Int
  ) throws(CheckpointError) -> [FlaxNode.Member] {
    var members: [FlaxNode.Member] = []
    var keys: Set<TensorName> = []
    for _ in 0..<count {
      let start = reader.cursor.position
      guard case .text(let key) = try reader.item() else {
        throw CheckpointError(.malformed("a key of a map is no text"), offset: start)
      }
      guard keys.insert(TensorName(key)).inserted else {
        throw CheckpointError(.malformed("the key \"\(key)\" is there twice"), offset: start)
      }
      try countMember(at: start)
      members.append(FlaxNode.Member(key: key, node: try node(depth: depth + 1)))
    }
    return members
  }

  /// The elements of a list, named by their numbers as Flax names them in a state.
  private mutating func elements(
    _ count: Int, depth: Int
  ) throws(CheckpointError) -> [FlaxNode.Member] {
    var elements: [FlaxNode.Member] = []
    for number in 0..<count {
      try countMember(at: reader.cursor.position)
      elements.append(FlaxNode.Member(key: "\(number)", node: try node(depth: depth + 1)))
    }
    return elements
  }

  private mutating func countMember(at offset: Int) throws(CheckpointError) {
    memberCount += 1
    guard memberCount <= Limits.messageMembers else {
      throw CheckpointError(
        .limitExceeded(
          "the number of members of maps", limit: Limits.messageMembers, found: memberCount),
        offset: offset)
    }
  }
}
