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
  private let slab = Slab()

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
    try slab.read(at: offset, into: &buffer, size: min(count, Slab.size)) {
      position throws(CheckpointError) in
      let start = position / Slab.size * Slab.size
      let end = min(start + Slab.size, count)
      return (start, try gather(start / width..<end / width))
    }
  }

  /// All that the parts lie in, with what is between: a part is seldom scattered over much more.
  package func announce(_ range: Range<Int>) {
    for part in parts {
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
    return min(count, Slab.size) + ElementWindow.size + deepest
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
  /// What was read from a source and waits for being scattered.
  private var window: ElementWindow

  /// Bytes from one run to the next up to which copying them is cheaper than another read.
  private static let closeDistance = 8 << 10

  init(range: Range<Int>, width: Int) {
    self.range = range
    self.width = width
    bytes = [UInt8](repeating: 0, count: range.count * width)
    window = ElementWindow(width: width)
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
    // Runs that are close to each other are read together, with what is between them; others too if
    // their elements are scattered, since neighbours in the target come from several.
    var group = Move.Axis(extent: 1, source: 0, target: 0)
    if let last = outer.last, last.source * width <= Self.closeDistance {
      group = outer.removeLast()
    } else if run.target != 1,
      let nearest = outer.indices.min(by: { outer[$0].target < outer[$1].target })
    {
      group = outer.remove(at: nearest)
    }
    var counters = outer.map { _ in 0 }
    while true {
      let (sourceStart, targetStart) = zip(counters, outer).reduce((from, to)) {
        ($0.0 + $1.0 * $1.1.source, $0.1 + $1.0 * $1.1.target)
      }
      try copy(run, group, source, from: sourceStart, to: targetStart - range.lowerBound)
      guard let axis = counters.indices.last(where: { counters[$0] + 1 < outer[$0].extent })
      else { return }
      counters[axis] += 1
      for inner in counters.indices where inner > axis { counters[inner] = 0 }
    }
  }

  /// Copies all runs of a group.
  private mutating func copy(
    _ run: Move.Axis, _ group: Move.Axis, _ source: any TensorBytes, from: Int, to: Int
  ) throws(CheckpointError) {
    if group.extent == 1 { return try copy(run, source, from: from, to: to) }
    let room = window.room
    let isClose = group.source * width <= Self.closeDistance
    let perWindow =
      isClose
      ? max(1, (room - min(run.extent, room)) / max(1, group.source) + 1)
      : min(Scattering.runsPerTile, room / max(1, run.extent))
    if perWindow <= 1 || run.extent > room {
      for number in 0..<group.extent {
        try copy(
          run, source, from: from + number * group.source, to: to + number * group.target)
      }
      return
    }
    for first in stride(from: 0, to: group.extent, by: perWindow) {
      let number = min(perWindow, group.extent - first)
      let start = from + first * group.source
      if isClose {
        try window.fill(from: source, start, count: (number - 1) * group.source + run.extent)
      } else {
        for index in 0..<number {
          try window.fill(
            from: source, start + index * group.source, count: run.extent,
            at: index * run.extent)
        }
      }
      scatter(
        run, (number, isClose ? group.source : run.extent, group.target),
        to: to + first * group.target)
    }
  }

  /// Copies a run.
  private mutating func copy(
    _ run: Move.Axis, _ source: any TensorBytes, from: Int, to: Int
  ) throws(CheckpointError) {
    if run.target == 1 {
      let start = from * width
      let places = to * width..<(to + run.extent) * width
      var span = bytes.mutableSpan
      var all = unsafe span.mutableBytes
      var target = all._mutatingExtracting(places)
      return try source.read(at: start, into: &target)
    }
    let room = window.room
    for first in stride(from: 0, to: run.extent, by: room) {
      var some = run
      some.extent = min(room, run.extent - first)
      try window.fill(from: source, from + first, count: some.extent)
      scatter(some, (1, 0, 0), to: to + first * run.target)
    }
  }

  /// Moves runs from the window to their places.
  private mutating func scatter(
    _ run: Move.Axis, _ group: (count: Int, source: Int, target: Int), to: Int
  ) {
    let scattering = Scattering(run: (run.extent, run.target), group: group)
    window.scatter(scattering, to: &bytes, at: to)
  }
}

/// A part of other bytes.
struct ByteRange: TensorBytes {
  let source: any TensorBytes
  let start: Int
  let count: Int
  var isReadForwards: Bool { source.isReadForwards }
  func announce(_ range: Range<Int>) {
    source.announce(start + range.lowerBound..<start + range.upperBound)
  }

  var workingMemory: Int { source.workingMemory }
  var usesSlab: Bool { source.usesSlab }

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
