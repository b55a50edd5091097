/// A stretch of other bytes.
package struct ByteRange: TensorBytes {
  /// What it is a part of.
  package let source: any TensorBytes
  private let start: Int
  package let count: Int

  /// The `count` bytes of `source` from `start` on.
  package init(of source: any TensorBytes, start: Int, count: Int) {
    self.source = source
    self.start = start
    self.count = count
  }

  package var isReadForwards: Bool { source.isReadForwards }
  package var workingMemory: Int { source.workingMemory }
  package var usesSlab: Bool { source.usesSlab }
  package var stated: StatedBytes? {
    source.stated.map {
      let first = $0.range.lowerBound + start
      return StatedBytes(file: $0.file, sha256: $0.sha256, range: first..<first + count)
    }
  }

  package func announce(_ range: Range<Int>) {
    source.announce(start + range.lowerBound..<start + range.upperBound)
  }

  package func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    precondition(offset >= 0 && offset <= count - buffer.byteCount, "read past the end of a tensor")
    try source.read(at: start + offset, into: &buffer)
  }
}

/// Zeros: weights that a dialect leaves out because they are zero.
package struct ZeroBytes: TensorBytes {
  package let count: Int

  /// `count` bytes.
  package init(count: Int) {
    self.count = count
  }

  package var isReadForwards: Bool { false }

  package func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    unsafe buffer.withUnsafeMutableBytes { bytes in
      _ = unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }
  }
}
