import TensorCore

extension ContainerFormat {
  /// A model of CTranslate2's: a version, the name of a specification and its revision, variables one behind the other,
  /// and other names for some of them (OpenNMT/CTranslate2: python/ctranslate2/specs/model_spec.py,
  /// `ModelSpec._serialize`; src/models/model.cc, `Model::load`).
  public static let ctranslate2 = ContainerFormat(
    name: "ctranslate2", fileExtension: "ct2", canShard: false,
    matches: { $0.isCTranslate2 ? .exact : nil },
    read: { file throws(CheckpointError) in try readCTranslate2(file) },
    layout: nil)
}

/// What the format lays down.
private enum CTranslate2 {
  /// The versions in which a variable says its type, and names may have others.
  static let versions = 4...6

  /// Element types by their numbers.
  static let types: [UInt8: DType] = [0: .f32, 1: .i8, 2: .i16, 3: .i32, 4: .f16, 5: .bf16]
}

private func readCTranslate2(_ file: any ByteSource) throws(CheckpointError) -> Contents {
  var cursor = SourceCursor(file)
  let version = Int(try cursor.littleEndian(4))
  guard CTranslate2.versions.contains(version) else {
    let known = CTranslate2.versions
    throw CheckpointError(
      .unsupported(
        "version \(version) of CTranslate2's files is not read, \(known.lowerBound) to \(known.upperBound) are"
      ),
      offset: 0)
  }
  let specification = try cursor.text("the name of the specification")
  let revision = try cursor.littleEndian(4)
  var tensors: [Tensor] = []
  var places: [TensorName: Int] = [:]
  func add(_ tensor: Tensor, at offset: Int) throws(CheckpointError) {
    guard places.updateValue(tensors.count, forKey: tensor.name) == nil else {
      throw CheckpointError(.duplicate, tensor: tensor.name, offset: offset)
    }
    tensors.append(tensor)
  }
  for _ in 0..<(try cursor.number("the number of variables")) {
    let offset = cursor.position
    try add(try cursor.variable(of: file), at: offset)
  }
  for _ in 0..<(try cursor.number("the number of other names")) {
    let offset = cursor.position
    let name = TensorName(try cursor.text("another name"))
    let meant = TensorName(try cursor.text("the name of a variable"))
    guard let place = places[meant] else {
      throw CheckpointError(
        .malformed("\(name) is another name of \(meant), which is not there"), offset: offset)
    }
    try add(tensors[place].renamed(name), at: offset)
    // Its scale goes with it, as the program takes it.
    let scale = TensorName(meant.text + "_scale")
    let other = TensorName(name.text + "_scale")
    if let place = places[scale], places[other] == nil {
      try add(tensors[place].renamed(other), at: offset)
    }
  }
  guard cursor.isAtEnd else {
    throw CheckpointError(
      .malformed("\(cursor.left) bytes follow what the file says it has"), offset: cursor.position)
  }
  try checkViews(tensors, fileSize: file.size)
  return Contents(
    tensors: tensors,
    metadata: ["ctranslate2.specification": specification, "ctranslate2.revision": "\(revision)"])
}

extension SourceCursor {
  /// How many entries follow.
  fileprivate mutating func number(_ what: String) throws(CheckpointError) -> Int {
    let offset = position
    let number = Int(try littleEndian(4))
    guard number <= Limits.tensors else {
      throw CheckpointError(
        .limitExceeded(what, limit: Limits.tensors, found: number), offset: offset)
    }
    return number
  }

  /// A text with its length, in which a zero at its end counts.
  fileprivate mutating func text(_ what: String) throws(CheckpointError) -> String {
    let offset = position
    let bytes = try bytes(Int(try littleEndian(2)))
    guard bytes.last == 0, !bytes.dropLast().contains(0) else {
      throw CheckpointError(.malformed("\(what) does not end in the one zero"), offset: offset)
    }
    guard let text = String(validating: bytes.dropLast(), as: UTF8.self) else {
      throw CheckpointError(.malformed("\(what) is not UTF-8"), offset: offset)
    }
    return text
  }

  /// The next variable: its name, the number of its extents, the extents, its type, and its bytes with their number.
  fileprivate mutating func variable(of file: any ByteSource) throws(CheckpointError) -> Tensor {
    let offset = position
    let name = TensorName(try text("the name of a variable"))
    var error: CheckpointError
    do throws(CheckpointError) {
      let rank = Int(try uint8())
      var shape: [Int] = []
      for _ in 0..<rank { shape.append(Int(try littleEndian(4))) }
      let type = try uint8()
      guard let dtype = CTranslate2.types[type] else {
        throw CheckpointError(.unsupported("CTranslate2's type \(type) is not known"))
      }
      let count = Int(try littleEndian(4))
      guard dtype.byteCount(shape: shape) == count else {
        throw CheckpointError(
          .malformed(
            "has \(count) bytes, which is not what \(dtype) \(describe(shape: shape)) takes"))
      }
      let range = try skip(count)
      return Tensor(
        name: name, dtype: dtype, shape: shape,
        bytes: FileBytes(file: file, start: range.lowerBound, count: count))
    } catch let found { error = found }
    error.tensor = name
    if error.offset == nil { error.offset = offset }
    throw error
  }
}
