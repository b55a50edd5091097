import Synchronization
package import TensorCore

/// A tensor whose elements are gathered from others: a weight read out of a fused, transposed or
/// stacked tensor, or a tensor of another dialect put together from weights.
///
/// Any part can be read, with a fixed amount of memory. A piece that lies together in its source is
/// read at once; where elements are scattered, a slab is gathered and kept for the next reads.
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
  /// The elements that were gathered last.
  private let slab = Mutex(Slab(start: 0, bytes: []))

  private struct Slab {
    var start: Int
    var bytes: [UInt8]
  }

  /// The most bytes that are kept.
  private static let slabSize = 16 << 20

  /// - Parameters:
  ///   - width: the bytes of an element.
  ///   - elementCount: how many there are.
  ///   - parts: fill them all, without overlap.
  package init(width: Int, elementCount: Int, parts: [Part]) {
    self.width = width
    count = width * elementCount
    self.parts = parts
  }

  package func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    var done = 0
    while done < buffer.byteCount {
      let position = offset + done
      let size = try withSlab(covering: position) { slab in
        let first = position - slab.start
        let size = min(slab.bytes.count - first, buffer.byteCount - done)
        unsafe buffer.withUnsafeMutableBytes { target in
          unsafe slab.bytes.withUnsafeBytes { source in
            unsafe UnsafeMutableRawBufferPointer(rebasing: target[done..<done + size])
              .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[first..<first + size]))
          }
        }
        return size
      }
      done += size
    }
  }

  private func withSlab(
    covering position: Int, _ body: (Slab) -> Int
  ) throws(CheckpointError) -> Int {
    // Mutex.withLock cannot carry a typed error past its closure and a result at once.
    let result = slab.withLock { slab -> Result<Int, CheckpointError> in
      do throws(CheckpointError) {
        if !(slab.start..<slab.start + slab.bytes.count).contains(position) {
          let start = position / Self.slabSize * Self.slabSize
          let end = min(start + Self.slabSize, count)
          slab = Slab(start: start, bytes: try gather(start / width..<end / width))
        }
        let size = body(slab)
        // Read to its end, a slab is not needed any more, and a model has many of them.
        if position + size == slab.start + slab.bytes.count { slab = Slab(start: 0, bytes: []) }
        return .success(size)
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  /// The elements of a range, from all parts.
  private func gather(_ range: Range<Int>) throws(CheckpointError) -> [UInt8] {
    var gathering = Gathering(range: range, width: width)
    for part in parts { try gathering.add(part) }
    return gathering.bytes
  }
}

/// The work of filling a range of elements.
private struct Gathering {
  let range: Range<Int>
  let width: Int
  private(set) var bytes: [UInt8]

  init(range: Range<Int>, width: Int) {
    self.range = range
    self.width = width
    bytes = [UInt8](repeating: 0, count: range.count * width)
  }

  mutating func add(_ part: GatheredBytes.Part) throws(CheckpointError) {
    try add(
      part.move.axes[...], part.source, from: part.move.sourceOffset, to: part.move.targetOffset)
  }

  /// Adds what of the box lies in the range.
  private mutating func add(
    _ axes: ArraySlice<Move.Axis>, _ source: any TensorBytes, from: Int, to: Int
  ) throws(CheckpointError) {
    let reach = axes.reduce(to + 1) { $0 + ($1.extent - 1) * $1.target }
    if reach <= range.lowerBound || to >= range.upperBound { return }
    if to >= range.lowerBound && reach <= range.upperBound {
      return try copy(Array(axes), source, from: from, to: to)
    }
    guard let axis = axes.first else { return }
    let rest = axes.dropFirst()
    let inner = rest.reduce(1) { $0 + ($1.extent - 1) * $1.target }
    // The steps of the outermost axis that touch the range; those wholly inside go together.
    let first = max(0, (range.lowerBound - to - inner + axis.target) / axis.target)
    let last = min(axis.extent - 1, (range.upperBound - 1 - to) / axis.target)
    var index = first
    while index <= last {
      let start = to + index * axis.target
      if start < range.lowerBound || start + inner > range.upperBound {
        try add(rest, source, from: from + index * axis.source, to: start)
        index += 1
        continue
      }
      let end = min(last, (range.upperBound - inner - to) / axis.target)
      var box = axis
      box.extent = end - index + 1
      try copy([box] + rest, source, from: from + index * axis.source, to: start)
      index = end + 1
    }
  }

  /// Copies a box that lies wholly in the range, run by run of neighbours in the source.
  private mutating func copy(
    _ axes: [Move.Axis], _ source: any TensorBytes, from: Int, to: Int
  ) throws(CheckpointError) {
    var outer = axes
    let runAxis = outer.firstIndex { $0.source == 1 }
    let run = runAxis.map { outer.remove(at: $0) } ?? Move.Axis(extent: 1, source: 1, target: 1)
    outer.sort { $0.source > $1.source }
    var counters = outer.map { _ in 0 }
    while true {
      let (sourceStart, targetStart) = zip(counters, outer).reduce((from, to)) {
        ($0.0 + $1.0 * $1.1.source, $0.1 + $1.0 * $1.1.target)
      }
      try copy(run, source, from: sourceStart, to: targetStart - range.lowerBound)
      guard let axis = counters.indices.last(where: { counters[$0] + 1 < outer[$0].extent })
      else { return }
      counters[axis] += 1
      for inner in counters.indices where inner > axis { counters[inner] = 0 }
    }
  }

  private mutating func copy(
    _ run: Move.Axis, _ source: any TensorBytes, from: Int, to: Int
  ) throws(CheckpointError) {
    let elements = try source.read(from * width..<(from + run.extent) * width)
    if run.target == 1 {
      bytes.replaceSubrange(to * width..<to * width + elements.count, with: elements)
      return
    }
    switch width {
    case 2: scatter(elements, as: UInt16.self, to: to, distance: run.target)
    case 4: scatter(elements, as: UInt32.self, to: to, distance: run.target)
    default: scatter(elements, as: UInt64.self, to: to, distance: run.target)
    }
  }

  private mutating func scatter<Element: FixedWidthInteger & BitwiseCopyable>(
    _ elements: [UInt8], as _: Element.Type, to: Int, distance: Int
  ) {
    let width = MemoryLayout<Element>.size
    let count = elements.count / width
    precondition(count == 0 || (to + (count - 1) * distance + 1) * width <= bytes.count)
    unsafe elements.withUnsafeBytes { source in
      unsafe bytes.withUnsafeMutableBytes { target in
        for index in 0..<count {
          let element = unsafe source.loadUnaligned(fromByteOffset: index * width, as: Element.self)
          unsafe target.storeBytes(
            of: element, toByteOffset: (to + index * distance) * width, as: Element.self)
        }
      }
    }
  }
}

/// A part of other bytes.
struct ByteRange: TensorBytes {
  let source: any TensorBytes
  let start: Int
  let count: Int
  var isReadForwards: Bool { source.isReadForwards }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    try source.read(at: start + offset, into: &buffer)
  }
}

/// Zeros: weights that a dialect leaves out because they are zero.
struct ZeroBytes: TensorBytes {
  let count: Int
  var isReadForwards: Bool { false }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    unsafe buffer.withUnsafeMutableBytes { bytes in
      _ = unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }
  }
}
