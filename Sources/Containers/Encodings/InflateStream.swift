import CZlib
import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A compressed member of a zip archive that is read forwards.
///
/// It never makes more bytes than the archive declares, and compares length and checksum when it
/// comes to the end.
@safe final class InflateStream: @unchecked Sendable {
  /// Which member of its archive it reads.
  let number: Int
  /// How many bytes it has made.
  private(set) var position = 0

  private let member: ZipMember
  private let data: FileBytes
  private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
  private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: inputSize, alignment: 16)
  private static let inputSize = 64 << 10
  /// How many compressed bytes have been read from the file.
  private var consumed = 0
  /// How many are read next: few for a header, many later.
  private var nextCount = 512
  private var crc: UInt32 = 0

  /// Begins at the start of a member.
  init(of member: ZipMember, number: Int, data: FileBytes) throws(CheckpointError) {
    self.member = member
    self.number = number
    self.data = data
    unsafe stream.initialize(to: z_stream())
    guard unsafe tfkit_inflate_raw_init(stream) == Z_OK else {
      throw CheckpointError(.system(ENOMEM, "cannot read a compressed zip member"))
    }
  }

  deinit {
    unsafe inflateEnd(stream)
    unsafe stream.deallocate()
    unsafe input.deallocate()
  }

  /// Whether everything has been made.
  var isAtEnd: Bool { position == member.size }

  /// Makes bytes and forgets them.
  func skip(to offset: Int) throws(CheckpointError) {
    guard position < offset else { return }
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
    defer { unsafe scratch.deallocate() }
    while position < offset {
      let count = min(scratch.count, offset - position)
      try unsafe read(into: UnsafeMutableRawBufferPointer(rebasing: scratch[..<count]))
    }
  }

  /// Fills `target` with the next bytes.
  func read(into target: UnsafeMutableRawBufferPointer) throws(CheckpointError) {
    do throws(CheckpointError) {
      try unsafe fill(target)
    } catch {
      throw error.inFile(data.file.name)
    }
  }

  private func fill(_ target: UnsafeMutableRawBufferPointer) throws(CheckpointError) {
    precondition(target.count <= member.size - position, "read past the end of a zip member")
    var rest = unsafe target[...]
    while unsafe !rest.isEmpty {
      let count = try unsafe make(UnsafeMutableRawBufferPointer(rebasing: rest))
      unsafe rest = rest.dropFirst(count)
      position += count
    }
    unsafe crc = crc32(crc, UnsafeRawBufferPointer(target))
    if isAtEnd { try checkEnd() }
  }

  /// Makes at least one byte.
  private func make(_ target: UnsafeMutableRawBufferPointer) throws(CheckpointError) -> Int {
    while true {
      let (status, count) = try unsafe step(target)
      if count > 0 { return count }
      guard status == Z_OK || status == Z_BUF_ERROR, hasInput else {
        throw member.fault(
          status == Z_STREAM_END || !hasInput
            ? "ends after \(position) of \(member.size) bytes" : "is not valid deflate data")
      }
    }
  }

  private var hasInput: Bool {
    unsafe stream.pointee.avail_in > 0 || consumed < data.count
  }

  /// Runs zlib once, after giving it input if it has none.
  private func step(
    _ target: UnsafeMutableRawBufferPointer
  ) throws(CheckpointError) -> (status: Int32, count: Int) {
    if unsafe stream.pointee.avail_in == 0 { try refill() }
    let capacity = min(target.count, 1 << 30)
    unsafe stream.pointee.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
    unsafe stream.pointee.avail_out = UInt32(capacity)
    let status = unsafe inflate(stream, Z_NO_FLUSH)
    return (status, capacity - Int(unsafe stream.pointee.avail_out))
  }

  private func refill() throws(CheckpointError) {
    let count = min(nextCount, data.count - consumed)
    let target = unsafe UnsafeMutableRawBufferPointer(rebasing: input[..<count])
    var span = unsafe MutableRawSpan(_unsafeBytes: target)
    try data.read(at: consumed, into: &span)
    consumed += count
    nextCount = min(nextCount * 4, Self.inputSize)
    unsafe stream.pointee.next_in = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
    unsafe stream.pointee.avail_in = UInt32(count)
  }

  /// After the last declared byte, the compressed data must end as well.
  private func checkEnd() throws(CheckpointError) {
    var extra: UInt8 = 0
    let isComplete = try unsafe withUnsafeMutableBytes(of: &extra) {
      target throws(CheckpointError) in
      while true {
        let (status, count) = try unsafe step(target)
        if count > 0 { throw member.fault("has more than its \(member.size) bytes") }
        if status == Z_STREAM_END { return unsafe stream.pointee.avail_in == 0 }
        guard status == Z_OK || status == Z_BUF_ERROR, hasInput else { return false }
      }
    }
    guard isComplete, consumed == data.count else {
      throw member.fault("has compressed bytes that do not end where they should")
    }
    guard crc == member.crc else { throw member.wrongChecksum }
  }
}

/// The CRC-32 of zip, continued over `bytes`.
func crc32(_ crc: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
  var crc = UInt(crc)
  var rest = unsafe bytes[...]
  while unsafe !rest.isEmpty {
    let piece = unsafe UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 30))
    unsafe crc = CZlib.crc32(
      crc, piece.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt32(piece.count))
    unsafe rest = rest.dropFirst(piece.count)
  }
  return UInt32(truncatingIfNeeded: crc)
}
