import TensorCore

/// A GGUF file to be, version 3, in either order of bytes: key-values, and the tensors in the order given, each aligned.
struct GGUFLayout: FileLayout {
  let byteCount: Int
  private let head: [UInt8]
  private let tensors: [Tensor]

  /// Lays a file out.
  ///
  /// - Throws: `CheckpointError` if GGUF cannot hold a tensor.
  init(_ contents: Contents, isBigEndian: Bool) throws(CheckpointError) {
    let tensors = contents.tensors
    try Self.checkTypes(of: tensors)
    let order = ByteOrder(isBigEndian: isBigEndian)
    var head = Self.beginning(contents, order)
    var position = 0
    for tensor in tensors {
      head += try Self.entry(tensor, at: position, order)
      guard let end = position.addedIfFits(tensor.byteCount),
        let next = GGUF.aligned(end, to: GGUF.alignment)
      else { throw CheckpointError(.overflow("the size of the file"), tensor: tensor.name) }
      position = next
    }
    head += Self.filling(head.count)
    guard head.count <= Limits.ggufHeader else {
      throw CheckpointError(
        .limitExceeded("the header's length", limit: Limits.ggufHeader, found: head.count))
    }
    guard let total = head.count.addedIfFits(position) else {
      throw CheckpointError(.overflow("the size of the file"))
    }
    self.head = head
    self.tensors = try tensors.map { tensor throws(CheckpointError) in
      isBigEndian ? try Self.bigEndian(tensor) : tensor
    }
    byteCount = total
  }

  /// Fails with all tensors of types that GGUF does not have.
  private static func checkTypes(of tensors: [Tensor]) throws(CheckpointError) {
    let others = tensors.filter { GGUF.number(of: $0.dtype) == nil }
    guard others.count > 1 else { return }
    throw CheckpointError(
      .refused("GGUF does not have the types of \(others.count) tensors"),
      advice: "--exclude leaves them out",
      details: others.map { "\(escaped($0.name.text)): \($0.dtype)" })
  }

  /// What stands before the tensors' descriptions.
  private static func beginning(_ contents: Contents, _ order: ByteOrder) -> [UInt8] {
    let values = contents.valuesToWrite
    var head = GGUF.magic + order.bytes(UInt32(3))
    head += order.bytes(UInt64(contents.tensors.count))
    head += order.bytes(UInt64(values.entries.count))
    for (key, value) in values.entries { head += order.bytes(key) + order.bytes(value) }
    return head
  }

  /// The bytes that a file has beside its tensors and what is said of each.
  static func overhead(_ contents: Contents) -> Int {
    beginning(contents, ByteOrder()).count + GGUF.alignment
  }

  /// The bytes that a file has beside a tensor's own.
  static func overhead(_ tensor: Tensor) -> Int {
    8 + tensor.name.text.utf8.count + 4 + 8 * tensor.shape.count + 4 + 8 + GGUF.alignment
  }

  /// A tensor as a big-endian file has it.
  private static func bigEndian(_ tensor: Tensor) throws(CheckpointError) -> Tensor {
    let bytes: any TensorBytes
    if tensor.dtype.isBlock {
      do {
        bytes = try SwappedBlocks(tensor.bytes, tensor.dtype)
      } catch {
        throw CheckpointError(
          .unsupported("blocks of \(tensor.dtype) are not written to big-endian files"),
          tensor: tensor.name, advice: "--dequantize writes plain numbers")
      }
    } else {
      let unit = tensor.dtype.byteOrderUnit
      bytes = unit == 1 ? tensor.bytes : SwappedBytes(bytes: tensor.bytes, unit: unit)
    }
    return Tensor(name: tensor.name, dtype: tensor.dtype, shape: tensor.shape, bytes: bytes)
  }

  private static func entry(
    _ tensor: Tensor, at offset: Int, _ order: ByteOrder
  ) throws(CheckpointError) -> [UInt8] {
    guard let number = GGUF.number(of: tensor.dtype) else {
      throw CheckpointError(
        .refused("GGUF has no type \(tensor.dtype)"), tensor: tensor.name,
        advice: "--exclude leaves it out")
    }
    guard tensor.shape.count <= GGUF.rank else {
      throw CheckpointError(
        .refused("GGUF has no tensors of \(tensor.shape.count) dimensions, at most \(GGUF.rank)"),
        tensor: tensor.name)
    }
    guard tensor.name.text.utf8.count < GGUF.name else {
      throw CheckpointError(
        .refused("names in GGUF are shorter than \(GGUF.name) bytes"), tensor: tensor.name,
        advice: "--dialect gguf writes names that are, of architectures that have some there")
    }
    var bytes = order.bytes(tensor.name.text)
    bytes += order.bytes(UInt32(tensor.shape.count))
    for extent in tensor.shape.reversed() { bytes += order.bytes(UInt64(extent)) }
    return bytes + order.bytes(number) + order.bytes(UInt64(offset))
  }

  /// The zeros that fill up to the alignment.
  private static func filling(_ count: Int) -> [UInt8] {
    [UInt8](repeating: 0, count: (GGUF.alignment - count % GGUF.alignment) % GGUF.alignment)
  }

  func write(to file: OutputFile, progress: (Int) -> Void) throws(CheckpointError) {
    try file.write(head)
    progress(head.count)
    for tensor in tensors {
      try file.copy(tensor, progress: progress)
      let zeros = Self.filling(tensor.byteCount)
      try file.write(zeros)
      progress(zeros.count)
    }
  }
}

extension Contents {
  /// The key-values that are there, and the texts beside them, without what is true of the old file alone. Of several
  /// files only the first one has them, and each says its place.
  fileprivate var valuesToWrite: GGUFKeyValues {
    var values = (place?.number ?? 0) == 0 ? valuesOfModel : GGUFKeyValues()
    for (key, value) in place?.values ?? [] { _ = values.append(key, value) }
    return values
  }

  private var valuesOfModel: GGUFKeyValues {
    var values = GGUFKeyValues()
    let gone = [GGUF.alignmentKey] + GGUFPlace.keys
    for (key, value) in belongings.keyValues?.entries ?? [] where !gone.contains(key) {
      _ = values.append(key, value)
    }
    for entry in metadata?.entries ?? []
    where !entry.key.isEmpty && !gone.contains(entry.key) && values[entry.key] == nil {
      _ = values.append(entry.key, .text(entry.value))
    }
    return values
  }
}
