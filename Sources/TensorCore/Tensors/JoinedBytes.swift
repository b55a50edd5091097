/// Stretches of bytes as one, one behind the other.
package struct JoinedBytes: TensorBytes {
  package let count: Int
  private let parts: [any TensorBytes]
  /// Where each part begins.
  private let starts: [Int]

  /// Joins parts; `nil` if their bytes together are too many to count.
  package init?(_ parts: [any TensorBytes]) {
    self.parts = parts
    var starts: [Int] = []
    var end = 0
    for part in parts {
      starts.append(end)
      let (next, overflows) = end.addingReportingOverflow(part.count)
      guard !overflows else { return nil }
      end = next
    }
    self.starts = starts
    count = end
  }

  package var isReadForwards: Bool { parts.contains { $0.isReadForwards } }
  package var workingMemory: Int { parts.map(\.workingMemory).max() ?? 0 }
  package var usesSlab: Bool { parts.contains { $0.usesSlab } }

  package func announce(_ range: Range<Int>) {
    forEachPart(of: range) { part, inner in part.announce(inner) }
  }

  package func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    precondition(offset >= 0 && offset <= count - buffer.byteCount, "read past the end of a tensor")
    let range = offset..<offset + buffer.byteCount
    try unsafe buffer.withUnsafeMutableBytes { target throws(CheckpointError) in
      var rest = unsafe target[...]
      try forEachPart(of: range) { part, inner throws(CheckpointError) in
        let piece = unsafe UnsafeMutableRawBufferPointer(rebasing: rest.prefix(inner.count))
        var span = unsafe MutableRawSpan(_unsafeBytes: piece)
        try part.read(at: inner.lowerBound, into: &span)
        unsafe rest = rest.dropFirst(inner.count)
      }
    }
  }

  /// Calls `body` with every part that has bytes of `range`, and which of its own bytes they are.
  private func forEachPart<Failure: Error>(
    of range: Range<Int>, _ body: (any TensorBytes, Range<Int>) throws(Failure) -> Void
  ) throws(Failure) {
    guard !range.isEmpty else { return }
    var number = index(of: range.lowerBound)
    while number < parts.count, starts[number] < range.upperBound {
      let (start, part) = (starts[number], parts[number])
      let inner = max(0, range.lowerBound - start)..<min(part.count, range.upperBound - start)
      if !inner.isEmpty { try body(part, inner) }
      number += 1
    }
  }

  /// The last part that begins at `offset` or before it.
  private func index(of offset: Int) -> Int {
    var (low, high) = (0, parts.count)
    while low + 1 < high {
      let middle = (low + high) / 2
      if starts[middle] <= offset { low = middle } else { high = middle }
    }
    return low
  }
}
