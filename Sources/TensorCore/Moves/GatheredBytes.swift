/// A tensor whose elements are gathered from others: a weight read out of a fused, transposed or
/// stacked tensor, a tensor of another dialect put together from weights, an array in another order.
///
/// Any part can be read, with a fixed amount of memory. A piece that lies together in its source is
/// read at once; where elements are scattered, a slab is gathered and kept for the next reads. A
/// source that is best read forwards is read so, once a slab.
package final class GatheredBytes: TensorBytes {
  /// A source and how its elements move.
  package struct Part: Sendable {
    let source: any TensorBytes
    let move: Move

    package init(source: any TensorBytes, move: Move) {
      self.source = source
      self.move = move
    }
  }

  package let count: Int
  private let width: Int
  private let parts: [Part]
  /// Bytes of a slab, if not those of any.
  private let ownSlabSize: Int?
  /// The elements that were gathered last.
  private let slab = Slab()

  /// - Parameters:
  ///   - width: the bytes of an element.
  ///   - elementCount: how many there are.
  ///   - parts: fill them all, without overlap.
  ///   - slabSize: the bytes that are gathered at a time, if not as many as everywhere.
  package init(width: Int, elementCount: Int, parts: [Part], slabSize: Int? = nil) {
    self.width = width
    count = width * elementCount
    self.parts = elementCount == 0 ? [] : parts
    ownSlabSize = slabSize
  }

  /// The bytes that parts fill: read through where they are neighbours in one source.
  ///
  /// - Precondition: elements of the type have whole bytes.
  package static func from(
    _ parts: [Part], _ dtype: DType, count: Int
  ) -> any TensorBytes {
    if parts.count == 1, parts[0].move.isContiguous {
      let (source, start) = (parts[0].source, parts[0].move.sourceOffset)
      let range = dtype.byteRange(of: start..<start + count)
      return range == 0..<source.count
        ? source : ByteRange(of: source, start: range.lowerBound, count: range.count)
    }
    return GatheredBytes(width: dtype.byteCount(of: 1), elementCount: count, parts: parts)
  }

  private var slabSize: Int { min(count, ownSlabSize ?? Slab.size) }

  package func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    try slab.read(at: offset, into: &buffer, size: slabSize) { position throws(CheckpointError) in
      let length = slabLength
      let start = position / width / length * length
      let end = min(start + length, count / width)
      return (start * width, try gather(start..<end))
    }
  }

  /// Elements of a slab: of whole rows where they fit, since what is cut off a row costs as much as all
  /// of it.
  private var slabLength: Int {
    let most = max(1, slabSize / width)
    let rows = parts.flatMap { $0.move.axes.map(\.target) }.filter { $0 <= most }
    return most - most % max(1, rows.max() ?? 1)
  }

  /// All that the parts lie in, with what is between: a part is seldom scattered over much more.
  package func announce(_ range: Range<Int>) {
    for part in parts where count > 0 {
      let first = part.move.sourceOffset
      let last = part.move.axes.reduce(first) { $0 + ($1.extent - 1) * $1.source }
      part.source.announce(first * width..<(last + 1) * width)
    }
  }

  package var usesSlab: Bool { true }

  package func beginning(_ count: Int) throws(CheckpointError) -> [UInt8] {
    let count = min(count, self.count)
    return Array(try gather(0..<(count + width - 1) / width).prefix(count))
  }

  package var workingMemory: Int {
    let deepest = parts.map(\.source.workingMemory).max() ?? 0
    return slabSize + ElementWindow.size + deepest
  }

  /// The elements of a range, from all parts.
  private func gather(_ range: Range<Int>) throws(CheckpointError) -> [UInt8] {
    var gathering = Gathering(range: range, width: width)
    for part in parts { try gathering.add(part) }
    return gathering.bytes
  }
}

extension TensorBytes {
  /// The `count` elements that a move brings from here.
  ///
  /// - Precondition: elements of the type have whole bytes.
  package func moved(_ move: Move, _ dtype: DType, count: Int) -> any TensorBytes {
    GatheredBytes.from([GatheredBytes.Part(source: self, move: move)], dtype, count: count)
  }
}
