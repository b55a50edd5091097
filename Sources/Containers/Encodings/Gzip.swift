import CZlib
import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Files that are compressed with gzip as a whole (RFC 1952).
enum Gzip {
  /// How they begin.
  static let magic: [UInt8] = [0x1F, 0x8B]

  /// Bytes that are inflated at once.
  private static let piece = 1 << 20

  /// What a file holds, in memory.
  ///
  /// - Throws: `CheckpointError` if it is broken, or holds more than `Limits.gzip` bytes.
  static func inflated(_ file: any ByteSource) throws(CheckpointError) -> [UInt8] {
    var result: [UInt8] = []
    var position = 0
    var stream = try GzipStream()
    defer { stream.end() }
    while !stream.isAtEnd {
      let count = min(piece, file.size - position)
      guard count > 0 else {
        throw CheckpointError(
          .malformed("its compressed data end before gzip's trailer"), offset: position)
      }
      let input = try file.read(position..<position + count)
      let used = try stream.inflate(input, into: &result, at: position)
      position += used
    }
    guard position == file.size else {
      throw CheckpointError(
        .malformed("\(file.size - position) bytes follow gzip's trailer"), offset: position)
    }
    return result
  }

  /// The first bytes of what a file holds that begins so, as far as they are there.
  static func beginning(_ bytes: [UInt8], count: Int) -> [UInt8] {
    guard var stream = try? GzipStream() else { return [] }
    defer { stream.end() }
    var result: [UInt8] = []
    _ = try? stream.inflate(bytes, into: &result, at: 0, most: count)
    return Array(result.prefix(count))
  }
}

/// A stream of zlib's.
@safe private struct GzipStream {
  private let stream: UnsafeMutablePointer<z_stream>
  private(set) var isAtEnd = false

  init() throws(CheckpointError) {
    unsafe stream = .allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    guard unsafe tfkit_inflate_gzip_init(stream) == Z_OK else {
      unsafe stream.deallocate()
      throw CheckpointError(.system(ENOMEM, "cannot read compressed bytes"))
    }
  }

  func end() {
    unsafe inflateEnd(stream)
    unsafe stream.deallocate()
  }

  /// Inflates bytes that lie at `position` in a file.
  ///
  /// - Parameter most: how many bytes are made before it is enough, if that is few.
  /// - Returns: how many of them were used: all, unless the stream has ended.
  mutating func inflate(
    _ input: [UInt8], into result: inout [UInt8], at position: Int, most: Int? = nil
  ) throws(CheckpointError) -> Int {
    var input = input
    var room = [UInt8](repeating: 0, count: 1 << 16)
    var (status, left) = (Z_OK, input.count)
    repeat {
      let used = input.count - left
      let made = unsafe input.withUnsafeMutableBufferPointer { source in
        unsafe room.withUnsafeMutableBufferPointer { target in
          unsafe stream.pointee.next_in = source.baseAddress?.advanced(by: used)
          unsafe stream.pointee.avail_in = UInt32(left)
          unsafe stream.pointee.next_out = target.baseAddress
          unsafe stream.pointee.avail_out = UInt32(target.count)
          status = unsafe CZlib.inflate(stream, Z_NO_FLUSH)
          left = Int(unsafe stream.pointee.avail_in)
          return target.count - Int(unsafe stream.pointee.avail_out)
        }
      }
      guard status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR else {
        throw CheckpointError(
          .malformed("is not valid gzip data"), offset: position + input.count - left)
      }
      result += room[..<made]
      guard result.count <= Limits.gzip else {
        throw CheckpointError(
          .limitExceeded("what it holds, in bytes", limit: Limits.gzip, found: result.count))
      }
      if let most, result.count >= most { break }
      if made == 0, left == 0 || status == Z_BUF_ERROR { break }
    } while status != Z_STREAM_END && (left > 0 || status == Z_OK)
    isAtEnd = status == Z_STREAM_END
    return input.count - left
  }
}
