import TensorCore

/// A safetensors file to be: `__metadata__` first, the tensors in the order given.
///
/// Byte for byte what the reference implementation writes when it has that order: compact JSON,
/// padded with spaces to a multiple of eight bytes.
struct SafetensorsLayout: FileLayout {
  let byteCount: Int
  private let tensors: [Tensor]
  private let header: [UInt8]

  /// Lays a file out.
  ///
  /// - Throws: `CheckpointError` if safetensors cannot hold a tensor.
  init(_ contents: Contents) throws(CheckpointError) {
    if let head = try contents.originalHead {
      tensors = contents.tensors
      header = head
      var total: Int? = head.count
      for tensor in tensors { total = total?.addedIfFits(tensor.byteCount) }
      guard let total else { throw CheckpointError(.overflow("the size of the file")) }
      byteCount = total
      return
    }
    tensors = contents.keepsOrder ? contents.tensors : aligned(contents.tensors)
    var text = UInt64(0).littleEndianBytes + "{".utf8
    if let metadata = contents.metadata {
      text += Array("\"__metadata__\":".utf8)
      metadata.appendJSON(to: &text, followedBy: Self.entriesBound(tensors))
      text.append(UInt8(ascii: ","))
    }
    var position = 0
    for tensor in tensors {
      try tensor.requireElements(for: "safetensors")
      guard tensor.dtype != .c128 else {
        throw CheckpointError(
          .unsupported("safetensors has no dtype for double precision complex numbers (C128)"),
          tensor: tensor.name)
      }
      guard tensor.name != "__metadata__" else {
        throw CheckpointError(
          .refused("safetensors reserves the name __metadata__"), tensor: tensor.name)
      }
      guard let end = position.addedIfFits(tensor.byteCount) else {
        throw CheckpointError(.overflow("the size of the file"), tensor: tensor.name)
      }
      text += Array(Self.entry(tensor, position..<end).utf8)
      text.append(UInt8(ascii: ","))
      position = end
    }
    if text.last == UInt8(ascii: ",") { text.removeLast() }
    text.append(UInt8(ascii: "}"))
    header = try Self.framed(consume text)
    guard let total = position.addedIfFits(header.count) else {
      throw CheckpointError(.overflow("the size of the file"))
    }
    byteCount = total
  }

  private static func entry(_ tensor: Tensor, _ range: Range<Int>) -> String {
    let shape = tensor.shape.map(String.init).joined(separator: ",")
    return jsonString(tensor.name.text)
      + ":{\"dtype\":\"\(tensor.dtype)\",\"shape\":[\(shape)],"
      + "\"data_offsets\":[\(range.lowerBound),\(range.upperBound)]}"
  }

  /// The bytes that all entries take, unless names are full of escapes.
  private static func entriesBound(_ tensors: [Tensor]) -> Int {
    tensors.reduce(64) { $0 + $1.name.text.utf8.count + 96 + 21 * $1.shape.count }
  }

  /// The bytes that `tensor` takes in a header, at most.
  static func entryBound(_ tensor: Tensor) -> Int {
    entry(tensor, (Int.max - 1)..<Int.max).utf8.count + 1
  }

  /// Pads a header, which has eight bytes for its length before it, and fills these in.
  private static func framed(_ header: consuming [UInt8]) throws(CheckpointError) -> [UInt8] {
    var text = header
    while !text.count.isMultiple(of: 8) { text.append(UInt8(ascii: " ")) }
    let length = text.count - 8
    guard length <= Limits.safetensorsHeader else {
      throw CheckpointError(
        .limitExceeded("the header's length", limit: Limits.safetensorsHeader, found: length))
    }
    text.replaceSubrange(0..<8, with: UInt64(length).littleEndianBytes)
    return text
  }

  func write(to file: OutputFile, progress: (Int) -> Void) throws(CheckpointError) {
    try file.write(header)
    progress(header.count)
    try file.copy(tensors, progress: progress)
  }
}

extension Contents {
  /// The head of the one safetensors file that held exactly this, if it is to be made again.
  fileprivate var originalHead: [UInt8]? {
    get throws(CheckpointError) {
      if let head { return head }
      guard let origin = belongings.origin, origin.kept != nil, origin.shards.count == 1 else {
        return nil
      }
      return try origin.parts(of: self)?.first?.head
    }
  }
}

/// `tensors` in their order if each begins at a multiple of its element's size, else the largest
/// elements first, as safetensors' own writer sorts them: frameworks cannot use misaligned ones.
private func aligned(_ tensors: [Tensor]) -> [Tensor] {
  var position = 0
  for tensor in tensors {
    guard position.isMultiple(of: tensor.dtype.byteWidth ?? 1) else {
      return tensors.sorted { $0.dtype.bitWidth > $1.dtype.bitWidth }
    }
    position &+= tensor.byteCount
  }
  return tensors
}
