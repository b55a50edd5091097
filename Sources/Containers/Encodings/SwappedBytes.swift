import TensorCore

/// Big-endian numbers, read as little-endian ones.
struct SwappedBytes: TensorBytes {
  /// The numbers as they are stored.
  let bytes: any TensorBytes
  /// Bytes of a number: 2, 4 or 8.
  let unit: Int

  var count: Int { bytes.count }
  var workingMemory: Int { bytes.workingMemory }
  var usesSlab: Bool { bytes.usesSlab }
  var isReadForwards: Bool { bytes.isReadForwards }
  func announce(_ range: Range<Int>) { bytes.announce(range) }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    let size = buffer.byteCount
    if offset.isMultiple(of: unit) && size.isMultiple(of: unit) {
      try bytes.read(at: offset, into: &buffer)
      reverseUnits(&buffer, unit: unit)
      return
    }
    // Whole numbers around what was asked for.
    let start = offset - offset % unit
    let end = min(count, (offset + size + unit - 1) / unit * unit)
    var whole = try bytes.read(start..<end)
    var span = whole.mutableSpan
    var raw = unsafe span.mutableBytes
    reverseUnits(&raw, unit: unit)
    unsafe buffer.withUnsafeMutableBytes { target in
      unsafe whole[(offset - start)..<(offset - start + size)].withUnsafeBytes {
        unsafe target.copyMemory(from: $0)
      }
    }
  }
}

/// Reverses the bytes of each `unit` of `buffer`.
private func reverseUnits(_ buffer: inout MutableRawSpan, unit: Int) {
  switch unit {
  case 2: swapUnits(&buffer, of: UInt16.self)
  case 4: swapUnits(&buffer, of: UInt32.self)
  default: swapUnits(&buffer, of: UInt64.self)
  }
}

private func swapUnits<Unit: FixedWidthInteger & BitwiseCopyable>(
  _ buffer: inout MutableRawSpan, of: Unit.Type
) {
  unsafe buffer.withUnsafeMutableBytes { bytes in
    for offset in stride(from: 0, to: bytes.count, by: MemoryLayout<Unit>.size) {
      let value = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: Unit.self)
      unsafe bytes.storeBytes(of: value.byteSwapped, toByteOffset: offset, as: Unit.self)
    }
  }
}
