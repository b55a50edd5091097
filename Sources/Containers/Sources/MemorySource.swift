import TensorCore

/// Bytes in memory as a source.
struct MemorySource: ByteSource {
  let name: String
  let bytes: [UInt8]

  var fileName: [UInt8] { [] }
  var size: Int { bytes.count }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    guard offset >= 0, offset <= size, buffer.byteCount <= size - offset else {
      throw CheckpointError(
        .truncated(needed: buffer.byteCount, available: max(0, size - offset)), file: name,
        offset: offset)
    }
    try ByteArray(bytes).read(at: offset, into: &buffer)
  }

  func announce(_ range: Range<Int>) {}
}
