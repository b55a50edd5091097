import TensorCore

/// A zip archive that torch has written: `NAME/data.pkl`, and the storages as `NAME/data/KEY`.
///
/// Source: torch/serialization.py (`_save`, `_load`) and caffe2/serialize/inline_container.cc of torch 2.13.
struct TorchArchive {
  private let file: any ByteSource
  private let archive: ZipArchive
  /// The members by their names.
  private let numbers: [TensorName: Int]
  /// The name of the folder that everything is in, with its slash.
  private let root: String

  init(_ file: any ByteSource) throws(CheckpointError) {
    self.file = file
    archive = try ZipArchive(file, ZipDirectory(of: file), needsChecksums: false)
    var numbers: [TensorName: Int] = [:]
    for (number, member) in archive.members.enumerated() { numbers[member.name] = number }
    self.numbers = numbers
    let first = archive.members.first?.name.text ?? ""
    root = first.firstIndex(of: "/").map { String(first[...$0]) } ?? ""
  }

  /// The member of that name in the folder.
  private func member(_ name: String) -> Int? { numbers[TensorName(root + name)] }

  /// A small member, or `nil` if it is not there.
  private func text(_ name: String, limit: Int) throws(CheckpointError) -> [UInt8]? {
    guard let number = member(name) else { return nil }
    let bytes = archive.bytes(of: number)
    guard bytes.count <= limit else {
      throw archive.members[number].fault("has \(bytes.count) bytes, which is too many")
    }
    return try bytes.read(0..<bytes.count)
  }

  func contents() throws(CheckpointError) -> Contents {
    let tree = try TorchTree(try pickle(), name: file.stem)
    let isBigEndian = try isBigEndian()
    var storages: [any TensorBytes] = []
    storages.reserveCapacity(tree.storages.all.count)
    var used: Set<Int> = []
    for storage in tree.storages.all {
      guard let number = member("data/\(storage.key)") else {
        throw CheckpointError(
          .malformed("the storage \"\(storage.key)\" is not in the archive"))
      }
      let bytes = archive.bytes(of: number)
      guard bytes.count == storage.byteCount else {
        throw archive.members[number].fault(
          "has \(bytes.count) bytes, and its tensors speak of \(storage.byteCount)")
      }
      used.insert(number)
      storages.append(bytes)
    }
    var contents = try tree.contents(
      storages, isBigEndian: isBigEndian, fileSize: file.size)
    if let own = try text(TorchLayout.metadataName, limit: Limits.safetensorsHeader) {
      contents.metadata =
        own.elementsEqual("null".utf8) ? nil : try Metadata(safetensors: own, at: 0)
    }
    addOthers(to: &contents, but: used)
    return contents
  }

  /// The pickle with the names and shapes.
  func pickle() throws(CheckpointError) -> Pickle {
    guard let number = member("data.pkl") else {
      throw CheckpointError(.malformed("the archive has no \(root)data.pkl"))
    }
    let member = archive.members[number]
    var bytes = archive.bytes(of: number)
    if let stored = bytes as? StoredMember {
      let pickle = try Pickle(stored, base: archive.dataOffset(of: number))
      try stored.verify()
      try Self.checkEnd(pickle, member)
      return pickle
    }
    // What is compressed is best read once.
    guard bytes.count <= Limits.pickleText else {
      throw CheckpointError(
        .limitExceeded(
          "the size of a compressed pickle", limit: Limits.pickleText, found: bytes.count),
        offset: member.headerOffset)
    }
    bytes = ByteArray(try bytes.read(0..<bytes.count))
    let pickle = try Pickle(bytes, base: 0)
    try Self.checkEnd(pickle, member)
    return pickle
  }

  private static func checkEnd(_ pickle: Pickle, _ member: ZipMember) throws(CheckpointError) {
    guard pickle.end == member.size else {
      throw member.fault("has \(member.size - pickle.end) bytes behind its pickle")
    }
  }

  private func isBigEndian() throws(CheckpointError) -> Bool {
    guard let order = try text("byteorder", limit: 64) else { return false }
    switch String(decoding: order, as: UTF8.self) {
    case "little": return false
    case "big": return true
    default: throw CheckpointError(.malformed("the byte order is neither little nor big"))
    }
  }

  /// Members that nobody has asked for, but what torch writes into every file.
  private func addOthers(to contents: inout Contents, but used: Set<Int>) {
    let usual = [
      "data.pkl", "byteorder", "version", ".format_version", ".storage_alignment",
      ".data/serialization_id", TorchLayout.metadataName,
    ]
    let known = used.union(usual.compactMap { member($0) })
    var codeCount = 0
    for (number, member) in archive.members.enumerated() where !known.contains(number) {
      if member.name.text.hasPrefix(root + "code/") {
        codeCount += 1
        continue
      }
      let isStorage = member.name.text.hasPrefix(root + "data/")
      let what =
        isStorage ? "a storage that no tensor is in" : "a member of the archive that is not read"
      contents.addOther(member.name.text, what)
    }
    if codeCount > 0 {
      contents.addOther(root + "code/", "a program in \(codeCount) members, not read")
    }
  }
}
