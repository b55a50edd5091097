import TensorCore

extension ContainerFormat {
  /// What Flax writes (`flax.serialization.to_bytes`): maps of MessagePack in which arrays are items of
  /// types of Flax's own.
  ///
  /// A tensor's name is its path, joined by `/` as `flax.traverse_util.flatten_dict(sep="/")` does.
  public static let flax = ContainerFormat(
    name: "flax", fileExtension: "msgpack", canShard: true,
    matches: { $0.isFlaxMessage ? .exact : nil },
    read: { file throws(CheckpointError) in try readFlax(file) },
    layout: nil)
}

extension Glimpse {
  /// Maps of maps, with text as keys, in which the first array is one of Flax's, whole or in pieces.
  fileprivate var isFlaxMessage: Bool {
    guard let first = head.first, (0x81...0x8F).contains(first) || [0xDE, 0xDF].contains(first)
    else { return false }
    var reader = MessagePackReader(SourceCursor(source))
    var isKey = false
    for _ in 0..<64 {
      guard let item = try? reader.item() else { return false }
      switch item {
      case .map(let count) where !isKey: isKey = count > 0
      case .text(FlaxNode.chunkMark) where isKey: return true
      case .text where isKey: isKey = false
      case .other(1, _), .other(3, _): return !isKey
      case .text, .null, .bool, .integer, .float:
        guard !isKey else { return false }
        isKey = true
      default: return false
      }
    }
    return false
  }
}

private func readFlax(_ file: any ByteSource) throws(CheckpointError) -> Contents {
  var reader = FlaxReader(file)
  let root = try reader.root()
  var contents = Contents(tensors: [], keepsOrder: false)
  var names = NameBudget()
  if case .map = root {
    try add(root, path: "", to: &contents, &names)
  } else {
    // An array alone has no name but the file's.
    try add(root, path: file.stem, to: &contents, &names)
  }
  return contents
}

/// Adds what a node holds under its path.
private func add(
  _ node: FlaxNode, path: String, to contents: inout Contents, _ names: inout NameBudget
) throws(CheckpointError) {
  try names.take(path.utf8.count)
  switch node {
  case .array(let array):
    guard contents.tensors.count < Limits.tensors else {
      throw CheckpointError(
        .limitExceeded(
          "the number of tensors", limit: Limits.tensors, found: contents.tensors.count + 1))
    }
    let name = TensorName(path)
    try Limits.check(name: name, rank: array.shape.count, offset: array.offset)
    contents.tensors.append(array.tensor(name))
  case .other(let what):
    contents.addOther(path, what)
  case .map(let members):
    if members.contains(where: { $0.key == FlaxNode.chunkMark }) {
      do throws(CheckpointError) {
        return try add(.array(FlaxArray(joining: members)), path: path, to: &contents, &names)
      } catch {
        var error = error
        error.tensor = error.tensor ?? TensorName(path)
        throw error
      }
    }
    for member in members {
      let inner = path.isEmpty ? member.key : path + "/" + member.key
      try Limits.check(name: TensorName(inner), rank: 0, offset: 0)
      try add(member.node, path: inner, to: &contents, &names)
    }
  }
}
