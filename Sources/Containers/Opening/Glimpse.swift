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
  var namesArrays: Bool { names("multiarray") || names("_frombuffer") }

  /// Whether joblib wrote a pickle, with the bytes of arrays between its opcodes.
  var isJoblib: Bool { isPickle && names("NumpyArrayWrapper") }

  /// Whether a pickle speaks of a storage soon.
  var namesStorages: Bool { names("Storage") }

  private func names(_ word: String) -> Bool {
    let text = bytes(at: 0, 1 << 16)
    let word = Array(word.utf8)
    return text.indices.contains {
      text[$0] == word[0] && text[$0...].starts(with: word)
    }
  }
}
