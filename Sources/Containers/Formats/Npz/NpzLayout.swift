import TensorCore

/// An npz file to be: a stored member for each tensor, in order, nothing that depends on the clock.
struct NpzLayout: FileLayout {
  private(set) var byteCount = 0
  private let tensors: [Tensor]
  /// Where each member begins.
  private var offsets: [Int] = []
  /// The metadata that does not fit the comment, in pieces for the first members.
  private let pieces: [[UInt8]]
  private let comment: [UInt8]

  /// Lays a file out.
  init(_ contents: Contents) throws(CheckpointError) {
    tensors = contents.tensors
    (comment, pieces) = try NpzComment.encode(contents.metadata, room: Self.room(in: tensors))
    offsets.reserveCapacity(tensors.count)
    var position = 0
    var directory = 0
    for (number, tensor) in tensors.enumerated() {
      try tensor.requireElements(for: "npz")
      try Self.check(tensor)
      offsets.append(position)
      let entry = entry(number)
      guard let end = position.addedIfFits(entry.localHeader(crc: 0).count + entry.size) else {
        throw CheckpointError(.overflow("the size of the file"), tensor: tensor.name)
      }
      position = end
      directory += entry.directoryEntry(crc: 0).count
    }
    let tail = ZipEntry.end(
      count: tensors.count, size: directory, start: position, comment: comment)
    guard let total = position.addedIfFits(directory + tail.count) else {
      throw CheckpointError(.overflow("the size of the file"))
    }
    byteCount = total
  }

  /// Bytes that each member has left for a piece of the metadata.
  private static func room(in tensors: [Tensor]) -> [Int] {
    tensors.map { tensor in
      let mark = NpzMark(for: tensor)?.fieldBytes.count ?? 0
      return ZipEntry.extraRoom - mark - tensor.name.text.utf8.count
    }
  }

  /// What the zip directory says about a member.
  private func entry(_ number: Int) -> ZipEntry {
    let tensor = tensors[number]
    let piece = number < pieces.count ? [NpzMark.metadataKind] + pieces[number] : nil
    return ZipEntry(
      name: Array((tensor.name.text + ".npy").utf8),
      size: Self.header(of: tensor).count + tensor.byteCount, offset: offsets[number],
      fields: [NpzMark(for: tensor)?.fieldBytes, piece].compactMap(\.self))
  }

  private static func header(of tensor: Tensor) -> [UInt8] {
    NpyLayout.header(
      descr: NpyDType.descr(of: tensor.dtype),
      shape: tensor.dtype.byteWidth == nil ? [tensor.byteCount] : tensor.shape)
  }

  private static func check(_ tensor: Tensor) throws(CheckpointError) {
    let name = tensor.name.text.utf8
    guard !name.contains(0), name.count < ZipEntry.maximumName else {
      throw CheckpointError(
        .refused("npz cannot have a name with a NUL in it, or of 32 KiB and more"),
        tensor: tensor.name)
    }
    try NpyLayout.checkShape(of: tensor)
    guard tensor.byteCount < .max - 1 << 20 else {
      throw CheckpointError(.overflow("the size of the file"), tensor: tensor.name)
    }
  }

  func write(to file: OutputFile, progress: (Int) -> Void) throws(CheckpointError) {
    var checksums: [UInt32] = []
    checksums.reserveCapacity(tensors.count)
    for (number, tensor) in tensors.enumerated() {
      let (start, entry, header) = (file.position, entry(number), Self.header(of: tensor))
      try write(entry.localHeader(crc: 0), to: file, progress)
      var crc = unsafe header.withUnsafeBytes { unsafe crc32(0, $0) }
      try write(header, to: file, progress)
      try file.copy(tensor, progress: progress) { piece in
        unsafe piece.withUnsafeBytes { unsafe crc = crc32(crc, $0) }
      }
      // The checksum stands before the bytes that it is of.
      try file.patch(entry.localHeader(crc: crc), at: start)
      checksums.append(crc)
    }
    let start = file.position
    for (number, crc) in checksums.enumerated() {
      try write(entry(number).directoryEntry(crc: crc), to: file, progress)
    }
    let tail = ZipEntry.end(
      count: tensors.count, size: file.position - start, start: start, comment: comment)
    try write(tail, to: file, progress)
  }

  private func write(
    _ bytes: [UInt8], to file: OutputFile, _ progress: (Int) -> Void
  ) throws(CheckpointError) {
    try file.write(bytes)
    progress(bytes.count)
  }
}
