import TensorCore

/// Blocks of a big-endian file, read as those of a little-endian one: the numbers in them that have more than a
/// byte are turned round (gguf-py 0.19, `gguf_convert_endian.py`, which knows no other types).
struct SwappedBlocks: TensorBytes {
  let bytes: any TensorBytes
  private let encoding: Encoding
  private let halves: [Int]

  /// - Throws: `CheckpointError` if it is not known what such blocks look like in a big-endian file.
  init(_ bytes: any TensorBytes, _ dtype: DType) throws(CheckpointError) {
    guard let halves = dtype.halves else {
      throw CheckpointError(.unsupported("blocks of \(dtype) are not read from big-endian files"))
    }
    (self.bytes, self.halves, encoding) = (bytes, halves, dtype.encoding)
  }

  var count: Int { bytes.count }
  var workingMemory: Int { bytes.workingMemory }
  var usesSlab: Bool { bytes.usesSlab }
  var isReadForwards: Bool { bytes.isReadForwards }
  func announce(_ range: Range<Int>) { bytes.announce(range) }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    let width = encoding.bytesPerBlock
    let first = offset / width * width
    let last = min(count, (offset + buffer.byteCount + width - 1) / width * width)
    var whole = try bytes.read(first..<last)
    for block in stride(from: 0, to: whole.count, by: width) {
      for place in halves { whole.swapAt(block + place, block + place + 1) }
    }
    unsafe buffer.withUnsafeMutableBytes { target in
      unsafe whole[(offset - first)..<(offset - first + target.count)].withUnsafeBytes {
        unsafe target.copyMemory(from: $0)
      }
    }
  }
}

extension DType {
  /// Where scales in half precision stand in a block; `nil` of types that nobody writes big-endian.
  fileprivate var halves: [Int]? {
    switch self {
    case .q10, .q40, .q80: [0]
    case .q4k: [0, 2]
    case .q6k: [208]
    case .tq20: [64]
    case .mxfp4, .nvfp4: []
    default: nil
    }
  }
}
