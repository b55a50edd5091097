import TensorCore

/// Reads what a ggml file begins with, and where its tensors are.
func readGGML(_ file: any ByteSource) throws(CheckpointError) -> Contents {
  var cursor = SourceCursor(file)
  let head = try GGMLHead(&cursor)
  var tensors: [Tensor] = []
  var names: Set<TensorName> = []
  while !cursor.isAtEnd {
    let offset = cursor.position
    let tensor = try cursor.ggmlTensor(of: file)
    guard names.insert(tensor.name).inserted else {
      throw CheckpointError(.duplicate, tensor: tensor.name, offset: offset)
    }
    guard tensors.count < Limits.tensors else {
      throw CheckpointError(
        .limitExceeded(
          "the number of tensors", limit: Limits.tensors, found: tensors.count + 1))
    }
    tensors.append(tensor)
  }
  guard tensors.count == head.tensorCount else {
    throw CheckpointError(
      .malformed("has \(tensors.count) tensors, and by its sizes \(head.tensorCount)"))
  }
  var contents = Contents(tensors: tensors)
  contents.addOther("filters", "the filters of \(head.bands) bands of frequencies")
  contents.addOther("words", "a list of \(head.wordCount) words")
  let sizes = zip(GGML.sizes, head.sizes).map { JSONValue.Member($0, .number($1)) }
  let text = Array((JSONValue.object(sizes).text(pretty: true) + "\n").utf8)
  contents.belongings.files = [CompanionFile(name: Array("config.json".utf8), bytes: text)]
  contents.belongings.ggml = head
  contents.hasDerivedConfig = true
  return contents
}

extension SourceCursor {
  /// A number of 32 bits that is not below zero.
  mutating func ggmlSize(_ what: String) throws(CheckpointError) -> Int {
    let offset = position
    let number = try littleEndian(4)
    guard number <= UInt64(Int32.max) else {
      throw CheckpointError(.malformed("\(what) is below zero"), offset: offset)
    }
    return Int(number)
  }

  /// The next tensor: the number of its extents, the length of its name, its type, the extents from the innermost on,
  /// the name, and its bytes.
  fileprivate mutating func ggmlTensor(
    of file: any ByteSource
  ) throws(CheckpointError) -> Tensor {
    let offset = position
    let rank = try ggmlSize("the number of extents")
    let length = try ggmlSize("the length of a name")
    let type = try ggmlSize("the type of a tensor")
    guard rank <= GGML.rank else {
      throw CheckpointError(
        .limitExceeded("the number of extents", limit: GGML.rank, found: rank), offset: offset)
    }
    guard length <= Limits.name else {
      throw CheckpointError(
        .limitExceeded("the length of a name", limit: Limits.name, found: length), offset: offset)
    }
    var shape: [Int] = []
    for _ in 0..<rank { shape.insert(try ggmlSize("an extent"), at: 0) }
    guard let text = String(validating: try bytes(length), as: UTF8.self) else {
      throw CheckpointError(.malformed("the name of a tensor is not UTF-8"), offset: offset)
    }
    let name = TensorName(text)
    guard let dtype = GGUF.types[UInt32(type)] else {
      throw CheckpointError(
        .unsupported("ggml's type \(type) is not known"), tensor: name, offset: offset)
    }
    guard let count = dtype.byteCount(shape: shape) else {
      throw CheckpointError(
        .malformed("\(describe(shape: shape)) has no whole number of bytes as \(dtype)"),
        tensor: name, offset: offset)
    }
    do throws(CheckpointError) {
      let range = try skip(count)
      return Tensor(
        name: name, dtype: dtype, shape: shape,
        bytes: FileBytes(file: file, start: range.lowerBound, count: count))
    } catch {
      var error = error
      error.tensor = name
      throw error
    }
  }
}
