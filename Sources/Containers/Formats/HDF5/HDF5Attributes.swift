import TensorCore

/// The attributes of an object that hold texts: what Keras says about names.
///
/// Source: HDF5 File Format Specification 3.0, section IV.A.2.m. Others are passed over, as are those of
/// objects that have so many that they stand in a heap.
struct HDF5Attributes {
  private var texts: [String: [String]] = [:]

  /// The names, as far as they go before a number, of those that are read.
  private static let known = ["layer_names", "weight_names", "dtype"]

  init(
    of object: HDF5Object, in file: HDF5File, _ walk: HDF5Walk
  ) throws(CheckpointError) {
    for message in object.messages where message.type == HDF5MessageType.attribute {
      if let (name, values) = try Self.read(message, file, walk) { texts[name] = values }
    }
  }

  /// The texts of an attribute. Keras splits one that would be too large, and numbers the parts.
  subscript(name: String) -> [String]? {
    if let whole = texts[name] { return whole }
    var parts: [String]?
    for number in 0..<texts.count {
      guard let part = texts[name + String(number)] else { break }
      parts = (parts ?? []) + part
    }
    return parts
  }

  private static func read(
    _ message: HDF5Object.Message, _ file: HDF5File, _ walk: HDF5Walk
  ) throws(CheckpointError) -> (name: String, texts: [String])? {
    var cursor = message.cursor
    let version = try cursor.uint8()
    let flags = try cursor.uint8()
    guard (1...3).contains(version), version == 1 || flags == 0 else { return nil }
    let sizes = [
      Int(try cursor.uint16()), Int(try cursor.uint16()), Int(try cursor.uint16()),
    ]
    if version == 3 { _ = try cursor.uint8() }
    var parts: [ByteCursor] = []
    for size in sizes {
      let offset = cursor.offset
      let padded = version == 1 ? (size + 7) / 8 * 8 : size
      parts.append(ByteCursor(Array(try cursor.bytes(padded).prefix(size)), at: offset))
    }
    let nameBytes = try parts[0].bytes(sizes[0]).prefix { $0 != 0 }
    guard let name = TensorName(validating: Array(nameBytes)),
      known.contains(where: { name.text.hasPrefix($0) })
    else { return nil }
    guard let type = try? HDF5Type(&parts[1]), let shape = try hdf5Shape(&parts[2]),
      let count = checkedElementCount(of: shape)
    else { return nil }
    switch type {
    case .texts(let length):
      guard let size = count.multipliedIfFits(by: length), size <= cursor.left else { return nil }
      var found: [String] = []
      for _ in 0..<(length == 0 ? 0 : count) {
        let text = try cursor.bytes(length).prefix { $0 != 0 }
        guard let text = TensorName(validating: Array(text)) else { return nil }
        found.append(text.text)
      }
      return (name.text, found)
    case .distantTexts:
      guard count <= cursor.left / 16 else { return nil }
      var found: [String] = []
      for _ in 0..<count {
        guard let text = try distantText(&cursor, file, walk) else { return nil }
        found.append(text)
      }
      return (name.text, found)
    default: return nil
    }
  }

  /// A text in a global heap (section III.E): its length, the heap's address, and its number there.
  private static func distantText(
    _ cursor: inout ByteCursor, _ file: HDF5File, _ walk: HDF5Walk
  ) throws(CheckpointError) -> String? {
    let length = Int(try cursor.uint32())
    let address = try cursor.uint64()
    let number = try cursor.uint32()
    guard length > 0, length <= Limits.name else { return length == 0 ? "" : nil }
    let heap = try file.address(address, at: cursor.offset)
    var head = try file.read(heap, 16, signature: "GCOL", version: 1)
    _ = try head.bytes(3)
    let size = try head.int64("the size of a heap")
    guard size >= 16, size <= Limits.name else { return nil }
    try walk.take(structure: size)
    var objects = try file.read(heap + 16, size - 16)
    while objects.left >= 16 {
      let index = try objects.uint16()
      _ = try objects.bytes(6)
      let count = try objects.int64("the size of a text")
      guard index != 0 else { return nil }
      if UInt32(index) == number {
        guard count >= length else { return nil }
        return TensorName(validating: try objects.bytes(length))?.text
      }
      guard let padded = count.addedIfFits(7) else { return nil }
      _ = try objects.bytes(padded / 8 * 8)
    }
    return nil
  }
}
