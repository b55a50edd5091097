import Synchronization
import TensorCore

/// The CRC-32C (Castagnoli, RFC 3720 appendix B.4) of bytes, in any number of pieces.
struct CRC32C {
  /// The checksum of what was added.
  var value: UInt32 { ~state }
  private var state: UInt32 = ~0

  /// Eight tables of 256: what a byte does that stands 0 to 7 bytes before the end.
  private static let tables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for byte in 0..<256 {
      var value = UInt32(byte)
      for _ in 0..<8 { value = value & 1 == 0 ? value >> 1 : value >> 1 ^ 0x82F6_3B78 }
      tables[byte] = value
    }
    for index in 256..<8 * 256 {
      let before = tables[index - 256]
      tables[index] = tables[Int(before & 0xFF)] ^ before >> 8
    }
    return tables
  }()

  /// Adds bytes.
  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    state = unsafe Self.tables.withUnsafeBufferPointer { table in
      var state = state
      var index = 0
      while index + 8 <= bytes.count {
        let word = unsafe bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
        let mixed = UInt64(littleEndian: word) ^ UInt64(state)
        var next = unsafe table[7 * 256 + Int(mixed & 0xFF)]
        for step in 1..<8 {
          let byte = Int(truncatingIfNeeded: mixed >> UInt64(8 * step)) & 0xFF
          unsafe next ^= table[(7 - step) * 256 + byte]
        }
        state = next
        index += 8
      }
      while index < bytes.count {
        unsafe state = table[Int(UInt8(truncatingIfNeeded: state) ^ bytes[index])] ^ state >> 8
        index += 1
      }
      return state
    }
  }

  /// The checksum of an array.
  static func of(_ bytes: [UInt8]) -> UInt32 {
    var checksum = CRC32C()
    unsafe bytes.withUnsafeBytes { unsafe checksum.add($0) }
    return checksum.value
  }

  /// What LevelDB and TensorFlow store: a checksum of bytes with a checksum in them would be too regular.
  var masked: UInt32 { (value >> 15 | value << 17) &+ 0xA282_EAD8 }
}

/// Bytes that have a masked CRC-32C.
///
/// It is compared as soon as they have been read without a gap from the first to the last, in pieces of any
/// size.
final class ChecksummedBytes: TensorBytes {
  private let data: FileBytes
  private let expected: UInt32
  private let checked = Mutex<(count: Int, checksum: CRC32C)>((0, CRC32C()))

  init(_ data: FileBytes, masked expected: UInt32) {
    self.data = data
    self.expected = expected
  }

  var count: Int { data.count }
  func announce(_ range: Range<Int>) { data.announce(range) }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    try data.read(at: offset, into: &buffer)
    let size = buffer.byteCount
    let isWrong = unsafe buffer.withUnsafeMutableBytes { bytes in
      checked.withLock { checked -> Bool in
        guard (offset..<offset + size).contains(checked.count) else { return false }
        unsafe checked.checksum.add(
          UnsafeRawBufferPointer(rebasing: bytes[(checked.count - offset)...]))
        checked.count = offset + size
        return checked.count == count && checked.checksum.masked != expected
      }
    }
    if isWrong {
      throw CheckpointError(.checksum("the bytes"), file: data.file.name, offset: data.start)
    }
  }
}
