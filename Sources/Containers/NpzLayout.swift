import TensorCore

/// An npz file to be: a stored member for each tensor, in order, nothing that depends on the clock.
struct NpzLayout: FileLayout {
  let byteCount: Int
  private var members: [Member] = []
  private let comment: [UInt8]

  /// A member to be.
  private struct Member: Sendable {
    let tensor: Tensor
    let header: [UInt8]
    let entry: ZipEntry
  }

  /// Lays a file out.
  init(_ contents: Contents) throws(CheckpointError) {
    let marks = contents.tensors.map { NpzMark(for: $0)?.fieldBytes }
    let room = zip(contents.tensors, marks).map { tensor, mark in
      ZipEntry.extraRoom - (mark?.count ?? 0) - tensor.name.text.utf8.count
    }
    let (comment, pieces) = try NpzComment.encode(contents.metadata, room: room)
    var position = 0
    for (number, tensor) in contents.tensors.enumerated() {
      try Self.check(tensor)
      let isPacked = tensor.dtype.byteWidth == nil
      let header = NpyLayout.header(
        descr: NpyDType.descr(of: tensor.dtype),
        shape: isPacked ? [tensor.byteCount] : tensor.shape)
      let piece = number < pieces.count ? [NpzMark.metadataKind] + pieces[number] : nil
      let entry = ZipEntry(
        name: Array((tensor.name.text + ".npy").utf8), size: header.count + tensor.byteCount,
        offset: position, fields: [marks[number], piece].compactMap(\.self))
      guard let end = position.addedIfFits(entry.localHeader(crc: 0).count + entry.size) else {
        throw CheckpointError(.overflow("the size of the file"), tensor: tensor.name)
      }
      members.append(Member(tensor: tensor, header: header, entry: entry))
      position = end
    }
    self.comment = comment
    let tail = ZipEntry.directory(
      members.map { ($0.entry, 0) }, at: position, comment: comment)
    guard let total = position.addedIfFits(tail.count) else {
      throw CheckpointError(.overflow("the size of the file"))
    }
    byteCount = total
  }

  private static func check(_ tensor: Tensor) throws(CheckpointError) {
    let name = tensor.name.text.utf8
    guard !name.contains(0), name.count < ZipEntry.maximumName else {
      throw CheckpointError(
        .refused("npz cannot have a name with a NUL in it, or of 32 KiB and more"),
        tensor: tensor.name)
    }
    guard tensor.byteCount < .max - 1 << 20 else {
      throw CheckpointError(.overflow("the size of the file"), tensor: tensor.name)
    }
  }

  func write(to file: OutputFile, progress: (Int) -> Void) throws(CheckpointError) {
    var entries: [(ZipEntry, UInt32)] = []
    for member in members {
      let start = file.position
      try write(member.entry.localHeader(crc: 0), to: file, progress)
      var crc = unsafe member.header.withUnsafeBytes { unsafe crc32(0, $0) }
      try write(member.header, to: file, progress)
      try file.copy(member.tensor, progress: progress) { piece in
        unsafe piece.withUnsafeBytes { unsafe crc = crc32(crc, $0) }
      }
      // The checksum stands before the bytes that it is of.
      try file.patch(member.entry.localHeader(crc: crc), at: start)
      entries.append((member.entry, crc))
    }
    let tail = ZipEntry.directory(entries, at: file.position, comment: comment)
    try write(tail, to: file, progress)
  }

  private func write(
    _ bytes: [UInt8], to file: OutputFile, _ progress: (Int) -> Void
  ) throws(CheckpointError) {
    try file.write(bytes)
    progress(bytes.count)
  }
}
