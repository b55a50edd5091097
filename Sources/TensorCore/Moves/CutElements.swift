extension MutableRawSpan {
  /// Fills bytes of a tensor that is made in whole elements, of which the first and the last may be wanted in part.
  ///
  /// - Parameters:
  ///   - offset: where the bytes stand in the tensor.
  ///   - width: the bytes of an element.
  ///   - count: how many elements are made at a time.
  ///   - elements: the bytes of a range of elements.
  /// - Throws: what `elements` throws.
  package mutating func fill(
    from offset: Int, width: Int, elementsAtATime count: Int,
    _ elements: (Range<Int>) throws(CheckpointError) -> [UInt8]
  ) throws(CheckpointError) {
    let wanted = offset..<offset + byteCount
    let last = (wanted.upperBound + width - 1) / width
    for start in stride(from: offset / width, to: last, by: count) {
      let bytes = try elements(start..<min(start + count, last))
      let first = start * width
      let part = (first..<first + bytes.count).clamped(to: wanted)
      unsafe withUnsafeMutableBytes { target in
        unsafe bytes.withUnsafeBytes { bytes in
          unsafe UnsafeMutableRawBufferPointer(
            rebasing: target[part.lowerBound - offset..<part.upperBound - offset]
          ).copyMemory(
            from: UnsafeRawBufferPointer(
              rebasing: bytes[part.lowerBound - first..<part.upperBound - first]))
        }
      }
    }
  }
}
