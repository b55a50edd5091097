import Synchronization
import TensorCore

/// A zip archive that is open for reading: members one after the other from the first byte to the
/// directory, nothing hidden, nothing twice.
final class ZipArchive: Sendable {
  /// The members, in the order of the directory.
  let members: [ZipMember]
  /// The text at the end of the archive.
  let comment: [UInt8]

  private let file: any ByteSource
  /// Whether the members have checksums.
  fileprivate let hasChecksums: Bool
  /// Where the bytes of each member begin.
  private let dataOffsets: [Int]
  /// Streams that have been read to some point, and may be read on; the latest last.
  private let idleStreams = Mutex<[InflateStream]>([])
  private static let maximumIdleStreams = 8

  /// Reads and checks the local headers of the members in `directory`.
  ///
  /// - Parameter needsChecksums: whether zero is a checksum even if all members have it. torch can be told
  ///   to compute none.
  init(
    _ file: any ByteSource, _ directory: ZipDirectory, needsChecksums: Bool = true
  ) throws(CheckpointError) {
    self.file = file
    members = directory.members
    hasChecksums = needsChecksums || members.contains { $0.crc != 0 }
    comment = directory.comment
    var names: Set<TensorName> = []
    for member in members where !names.insert(member.name).inserted {
      throw member.fault("is there twice")
    }
    dataOffsets = try Self.dataOffsets(of: directory, in: file)
  }

  /// Checks that the members cover the file up to the directory.
  private static func dataOffsets(
    of directory: ZipDirectory, in file: any ByteSource
  ) throws(CheckpointError) -> [Int] {
    let members = directory.members
    var offsets = [Int](repeating: 0, count: members.count)
    var end = directory.start
    for number in members.indices.sorted(by: {
      members[$0].headerOffset > members[$1].headerOffset
    }) {
      offsets[number] = try members[number].dataOffset(in: file, before: end)
      end = members[number].headerOffset
    }
    guard end == 0 else {
      throw CheckpointError(
        .malformed("\(end) bytes before the first zip member belong to nothing"), offset: 0)
    }
    return offsets
  }

  /// Where the bytes of a member begin in the file.
  func dataOffset(of number: Int) -> Int { dataOffsets[number] }

  /// The bytes of a member.
  func bytes(of number: Int) -> any TensorBytes {
    let member = members[number]
    let data = FileBytes(file: file, start: dataOffsets[number], count: member.compressedSize)
    switch member.method {
    case .stored: return StoredMember(member, data: data, hasChecksum: hasChecksums)
    case .deflated: return DeflatedMember(archive: self, number: number, data: data)
    }
  }

  /// A member as a file of its own, if it is stored as it is; its checksum is not compared.
  func file(_ number: Int) -> ArchiveMember? {
    guard members[number].method == .stored else { return nil }
    return ArchiveMember(
      archive: file, fileName: Array(members[number].name.text.utf8), start: dataOffsets[number],
      size: members[number].size)
  }

  /// A stream that is at `offset` of a member, or before it; a new one if there is none.
  fileprivate func stream(
    of number: Int, data: FileBytes, before offset: Int
  ) throws(CheckpointError) -> InflateStream {
    let idle = idleStreams.withLock { streams -> InflateStream? in
      let match = streams.lastIndex { $0.number == number && $0.position <= offset }
      return match.map { streams.remove(at: $0) }
    }
    if let idle { return idle }
    return try InflateStream(of: members[number], number: number, data: data)
  }

  /// Takes a stream back, for whoever reads on.
  fileprivate func keep(_ stream: InflateStream) {
    guard !stream.isAtEnd else { return }
    idleStreams.withLock { streams in
      if streams.count == Self.maximumIdleStreams { streams.removeFirst() }
      streams.append(stream)
    }
  }
}

/// A member that is stored as it is.
///
/// Its checksum is compared as soon as its bytes have been read without a gap from the first to the
/// last, in pieces of any size.
final class StoredMember: TensorBytes {
  let count: Int
  private let member: ZipMember
  private let data: FileBytes
  private let hasChecksum: Bool
  /// How many of the first bytes have been read, and their checksum.
  private let checked = Mutex<(count: Int, crc: UInt32)>((0, 0))

  fileprivate init(_ member: ZipMember, data: FileBytes, hasChecksum: Bool) {
    self.member = member
    self.hasChecksum = hasChecksum
    self.data = data
    count = member.size
  }

  func announce(_ range: Range<Int>) { data.announce(range) }
  var stated: StatedBytes? { data.stated }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    try data.read(at: offset, into: &buffer)
    guard hasChecksum else { return }
    let size = buffer.byteCount
    let isWrong = unsafe buffer.withUnsafeMutableBytes { bytes in
      checked.withLock { checked -> Bool in
        guard (offset..<offset + size).contains(checked.count) else { return false }
        let new = unsafe UnsafeRawBufferPointer(rebasing: bytes[(checked.count - offset)...])
        checked = (offset + size, unsafe crc32(checked.crc, new))
        return checked.count == count && checked.crc != member.crc
      }
    }
    if isWrong { throw member.wrongChecksum.inFile(data.file.name) }
  }

  /// Reads all bytes whose checksum is still unknown.
  func verify() throws(CheckpointError) {
    guard hasChecksum else { return }
    while true {
      let start = checked.withLock(\.count)
      if start == count { return }
      _ = try read(start..<min(count, start + 1 << 20))
    }
  }
}

/// A stored member whose checksum is compared before anything of it is given away.
struct VerifiedMember: TensorBytes {
  let member: StoredMember

  var count: Int { member.count }
  var isReadForwards: Bool { false }

  func announce(_ range: Range<Int>) { member.announce(range) }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    try member.verify()
    try member.read(at: offset, into: &buffer)
  }
}

/// A member that is compressed.
private struct DeflatedMember: TensorBytes {
  let archive: ZipArchive
  let number: Int
  let data: FileBytes

  var count: Int { archive.members[number].size }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    let stream = try archive.stream(of: number, data: data, before: offset)
    try stream.skip(to: offset)
    try unsafe buffer.withUnsafeMutableBytes { target throws(CheckpointError) in
      try unsafe stream.read(into: target)
    }
    archive.keep(stream)
  }
}

extension ZipMember {
  /// The error for bytes that are not what was written.
  var wrongChecksum: CheckpointError {
    CheckpointError(.checksum("zip member \"\(name)\""), offset: entryOffset)
  }
}
