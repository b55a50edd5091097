import TensorCore

/// What is looked at to tell what a file is: its first bytes, and more where these leave it open.
struct Glimpse {
  /// The file.
  let source: any ByteSource
  /// Its first bytes.
  let head: [UInt8]
  /// What it holds, if it is a zip archive.
  private(set) var zip: ZipKind?
  /// What it holds, if it is a tar archive.
  private(set) var tar: TarKind?
  /// What it is, if it is a message of Protocol Buffers that is known.
  private(set) var message: MessageKind?

  /// How many bytes `head` has at most.
  static let headSize = 512

  /// Looks at a file.
  ///
  /// - Throws: `CheckpointError` if its beginning cannot be read.
  init(_ source: any ByteSource) throws(CheckpointError) {
    self.source = source
    head = try source.head(Self.headSize)
    zip = ZipKind(self)
    // What is in an archive is not unpacked once more: there is no end to that.
    tar = source is ArchiveMember ? nil : TarKind(self)
    message = MessageKind(self)
  }

  /// Whether it begins with these bytes.
  func begins(with bytes: [UInt8]) -> Bool { head.starts(with: bytes) }

  /// Whether it begins with this text.
  func begins(with text: String) -> Bool { head.starts(with: text.utf8) }

  /// At most `count` bytes from `start` on; none if they cannot be read.
  func bytes(at start: Int, _ count: Int) -> [UInt8] {
    guard start >= 0, start < source.size else { return [] }
    let end = min(source.size, start.addedIfFits(count) ?? source.size)
    if end <= head.count { return Array(head[start..<end]) }
    return (try? source.read(start..<end)) ?? []
  }
}

// MARK: Formats that a few bytes tell

extension Glimpse {
  /// HDF5's signature, at the beginning or behind a block of the user's (HDF5 File Format
  /// Specification 3.0, section II.A).
  var isHDF5: Bool {
    let signature: [UInt8] = [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A]
    return [0, 512, 1024, 2048].contains { bytes(at: $0, 8) == signature }
  }

  /// The table (LevelDB's `table_format.md`: a magic number at the end) whose first key is empty, as in
  /// TensorFlow's `tensor_bundle`.
  var isTensorFlowIndex: Bool {
    head.count >= 48 && head[0] == 0 && head[1] == 0
      && bytes(at: source.size - 8, 8) == [0x57, 0xFB, 0x80, 0x8B, 0x24, 0x75, 0x47, 0xDB]
  }

  /// CTranslate2's model.bin: a version, and the name of a specification as a string with its length
  /// and a zero (`python/ctranslate2/specs/model_spec.py`).
  var isCTranslate2: Bool {
    guard head.count >= 16, (2...64).contains(littleEndian(head[0..<4])) else { return false }
    let length = Int(littleEndian(head[4..<6]))
    guard (2...256).contains(length), head.count >= 6 + length else { return false }
    let name = head[6..<6 + length]
    return name.last == 0 && name.dropLast().allSatisfy { (0x21..<0x7F).contains($0) }
      && name.dropLast().suffix(4).elementsEqual("Spec".utf8)
  }

  /// A pickle of protocol 2 or later.
  var isPickle: Bool { head.count > 2 && head[0] == 0x80 && (2...5).contains(head[1]) }

  /// A pickle that begins with the number that `torch.save` wrote before it made zip files
  /// (`torch.serialization.MAGIC_NUMBER`).
  var isLegacyTorch: Bool {
    let number: [UInt8] = [0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]
    return isPickle && (2..<16).contains { head.dropFirst($0).starts(with: number) }
  }

  /// Whether a pickle speaks of numpy's arrays soon.
  var namesArrays: Bool { names("multiarray") }

  /// Whether a pickle speaks of a storage soon.
  var namesStorages: Bool { names("Storage") }

  private func names(_ word: String) -> Bool {
    let text = bytes(at: 0, 1 << 16)
    let word = Array(word.utf8)
    return text.indices.contains {
      text[$0] == word[0] && text[$0...].starts(with: word)
    }
  }

  /// Maps of maps, with text as keys, in which the first array is Flax's extension of MessagePack
  /// (`flax.serialization`: type 1, or an array in pieces).
  var isFlaxMessage: Bool {
    var position = 0
    var isKey = false
    guard let first = head.first, (0x81...0x8F).contains(first) || [0xDE, 0xDF].contains(first)
    else { return false }
    for _ in 0..<64 {
      let bytes = bytes(at: position, 300)
      guard let item = MessagePackItem(bytes) else { return false }
      switch item.kind {
      case .map where !isKey: isKey = item.count > 0
      case .text where isKey:
        if bytes.dropFirst(item.size - item.count).starts(with: "__msgpack_chunked_array__".utf8) {
          return true
        }
        isKey = false
      case .text, .scalar:
        guard !isKey else { return false }
        isKey = true
      case .array: return true
      default: return false
      }
      position += item.size
    }
    return false
  }
}

/// The head of an item of MessagePack (msgpack.org, "Formats"), as far as Flax writes it.
private struct MessagePackItem {
  enum Kind { case map, text, scalar, array }

  let kind: Kind
  /// The members of a map, the bytes of a text.
  var count = 0
  /// The bytes to what follows: of a map, its first key.
  let size: Int

  init?(_ bytes: [UInt8]) {
    guard let first = bytes.first else { return nil }
    func number(_ width: Int) -> Int {
      bytes.dropFirst().prefix(width).reduce(0) { $0 << 8 | Int($1) }
    }
    switch first {
    case 0x80...0x8F: (kind, count, size) = (.map, Int(first & 0x0F), 1)
    case 0xDE: (kind, count, size) = (.map, number(2), 3)
    case 0xDF: (kind, count, size) = (.map, number(4), 5)
    case 0xA0...0xBF: (kind, count, size) = (.text, Int(first & 0x1F), 1 + Int(first & 0x1F))
    case 0xD9: (kind, count, size) = (.text, number(1), 2 + number(1))
    case 0x00...0x7F, 0xE0...0xFF, 0xC0, 0xC2, 0xC3: (kind, size) = (.scalar, 1)
    case 0xCC, 0xD0: (kind, size) = (.scalar, 2)
    case 0xCD, 0xD1: (kind, size) = (.scalar, 3)
    case 0xCE, 0xD2, 0xCA: (kind, size) = (.scalar, 5)
    case 0xCF, 0xD3, 0xCB: (kind, size) = (.scalar, 9)
    // An extension: its length in 1, 2 or 4 bytes, or in the code itself; then its type.
    case 0xC7, 0xC8, 0xC9:
      let width = 1 << Int(first - 0xC7)
      guard bytes.count > width + 1, bytes[width + 1] == 1 else { return nil }
      (kind, size) = (.array, 0)
    case 0xD4...0xD8:
      guard bytes.count > 1, bytes[1] == 1 else { return nil }
      (kind, size) = (.array, 0)
    default: return nil
    }
  }
}
