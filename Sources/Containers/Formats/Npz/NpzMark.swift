import TensorCore

/// What a member of our npz really is, where numpy has no type for it: see docs/containers.md.
struct NpzMark: Equatable {
  /// The element type.
  let dtype: DType
  /// The extents, for packed elements, which numpy sees as a row of bytes.
  let shape: [Int]?

  /// The number of our extra field: "TF" in a zip file.
  static let fieldID: UInt16 = 0x4654
  /// What the field's first byte says its rest is.
  static let markKind: UInt8 = 1
  static let metadataKind: UInt8 = 2

  /// The mark that `tensor` needs, if it needs one.
  init?(for tensor: Tensor) {
    guard Self.isNeeded(for: tensor.dtype) else { return nil }
    dtype = tensor.dtype
    shape = tensor.dtype.byteWidth == nil ? tensor.shape : nil
  }

  private static func isNeeded(for dtype: DType) -> Bool {
    dtype == .bf16 || !NpyDType.saysItself(dtype)
  }

  /// The mark of a member, if it has one.
  init?(of member: ZipMember) throws(CheckpointError) {
    guard let field = member.extra.fields.first(where: { Self.isMark($0.id, $0.bytes) }) else {
      return nil
    }
    guard member.extra.fields.count(where: { Self.isMark($0.id, $0.bytes) }) == 1,
      let json = try? JSONValue(parsing: Array(field.bytes.dropFirst()), grammar: .strict),
      let dtype = json["dtype"]?.string.flatMap(DType.init(rawValue:))
    else { throw member.fault("has a dtype mark that cannot be read") }
    let extents = json["shape"]?.elements?.compactMap(\.int)
    guard extents?.count == json["shape"]?.elements?.count,
      extents?.allSatisfy({ $0 >= 0 }) != false,
      (extents == nil) == (dtype.byteWidth != nil)
    else { throw member.fault("has a dtype mark that cannot be read") }
    self.dtype = dtype
    shape = extents
  }

  private static func isMark(_ id: UInt16, _ bytes: [UInt8]) -> Bool {
    id == fieldID && bytes.first == markKind
  }

  /// The extra field's content.
  var fieldBytes: [UInt8] {
    var text = "{\"dtype\":\"\(dtype)\""
    if let shape { text += ",\"shape\":[\(shape.map(String.init).joined(separator: ","))]" }
    return [Self.markKind] + Array((text + "}").utf8)
  }

  /// The array with that header and those bytes, as what the mark says it is.
  ///
  /// - Throws: `CheckpointError` unless the header is what we would have written.
  func tensor(
    _ name: TensorName, header: NpyHeader, data: ByteRange
  ) throws(CheckpointError) -> Tensor {
    let shape = shape ?? header.shape
    try Limits.check(name: name, rank: shape.count, offset: 0)
    guard header.descr == NpyDType.descr(of: dtype), !header.isFortranOrder,
      self.shape == nil || header.shape == [data.count],
      Self.isNeeded(for: dtype)
    else {
      throw CheckpointError(
        .malformed("the dtype mark \(dtype) contradicts the npy header \"\(header.descr)\""))
    }
    try checkByteCount(data.count, dtype: dtype, shape: shape)
    return Tensor(name: name, dtype: dtype, shape: shape, bytes: data)
  }
}

/// The archive comment of our npz: that it is ours, and `__metadata__`.
///
/// `{"format":"tfkit.npz/1","__metadata__":{…}}`, without the second key if the checkpoint has no
/// metadata. Metadata that does not fit a comment is in the members' extra fields, in pieces;
/// then the comment has `"metadata_bytes":N` instead.
struct NpzComment {
  private let inline: Metadata?
  private let pieceBytes: Int?

  private static let format = "tfkit.npz/1"
  /// The longest comment that a zip archive can have.
  static let limit = 65_535

  /// Understands a comment; `nil` if it is somebody else's.
  init?(parsing bytes: [UInt8]) throws(CheckpointError) {
    guard bytes.starts(with: "{\"format\":\"tfkit.npz/".utf8) else { return nil }
    var values: [TensorName: Range<Int>] = [:]
    do {
      try JSONScanner.visitMembers(of: bytes, grammar: .strict) {
        values[TensorName($0.key)] = $0.value
      }
    } catch {
      throw CheckpointError(.malformed("the zip comment cannot be read"))
    }
    let format = values["format"].flatMap { JSONScanner.string(ofChecked: $0, in: bytes) }
    guard format == Self.format else {
      throw CheckpointError(.unsupported("the npz is of a later version, \"\(format ?? "")\""))
    }
    inline = try values["__metadata__"].map { value throws(CheckpointError) in
      try Metadata(checked: value, in: bytes, at: 0)
    }
    pieceBytes = try values["metadata_bytes"].map { value throws(CheckpointError) in
      guard let count = (try? JSONValue(parsingChecked: Array(bytes[value])))?.int, count >= 0
      else {
        throw CheckpointError(.malformed("the zip comment cannot be read"))
      }
      return count
    }
  }

  /// The metadata, wherever it is.
  func metadata(in members: [ZipMember]) throws(CheckpointError) -> Metadata? {
    guard let pieceBytes else { return inline }
    var text: [UInt8] = []
    for member in members {
      for field in member.extra.fields
      where field.id == NpzMark.fieldID && field.bytes.first == NpzMark.metadataKind {
        text += field.bytes.dropFirst()
      }
    }
    guard text.count == pieceBytes else {
      throw CheckpointError(
        .malformed(
          "the zip comment promises \(pieceBytes) bytes of metadata, \(text.count) are there"))
    }
    return try Metadata(safetensors: text, at: 0)
  }

  /// The comment for `metadata`, and the pieces that do not fit it, for the first members.
  ///
  /// - Parameter room: bytes that each member has left for a piece.
  static func encode(
    _ metadata: Metadata?, room: [Int]
  ) throws(CheckpointError) -> (comment: [UInt8], pieces: [[UInt8]]) {
    let head = "{\"format\":\"\(format)\""
    guard let text = metadata?.json else { return (Array((head + "}").utf8), []) }
    let comment = Array((head + ",\"__metadata__\":").utf8) + text + Array("}".utf8)
    if comment.count <= limit { return (comment, []) }
    var rest = text[...]
    var pieces: [[UInt8]] = []
    for room in room where !rest.isEmpty {
      pieces.append(Array(rest.prefix(room)))
      rest = rest.dropFirst(room)
    }
    guard rest.isEmpty else {
      throw CheckpointError(
        .unsupported("npz has too few members to carry \(text.count) bytes of metadata"))
    }
    return (Array((head + ",\"metadata_bytes\":\(text.count)}").utf8), pieces)
  }
}
