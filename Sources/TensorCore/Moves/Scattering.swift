/// Where elements go that were read together: a grid of runs, whose elements lie side by side in the
/// source.
package struct Scattering {
  /// Elements of a run, and from one to the next in the target.
  package var run: (count: Int, target: Int)
  /// The runs, and elements from one to the next in the source and in the target.
  package var group: (count: Int, source: Int, target: Int)

  package init(run: (count: Int, target: Int), group: (count: Int, source: Int, target: Int)) {
    self.run = run
    self.group = group
  }

  /// Runs whose elements are moved together: what they fill of a target's row is a line of the cache.
  package static let runsPerTile = 16

  /// Moves all elements of `width` bytes from the beginning of `source` to their places in `target`,
  /// counted from element `start`.
  ///
  /// - Precondition: both have room for all of them; the width is 1, 2, 4, 8 or 16.
  package func move(
    _ source: RawSpan, to target: inout MutableRawSpan, at start: Int, width: Int
  ) {
    if run.count == 0 || group.count == 0 { return }
    let lastSource = (group.count - 1) * group.source + run.count
    let lastTarget = start + (run.count - 1) * run.target + (group.count - 1) * group.target + 1
    precondition(start >= 0 && run.target >= 0 && group.target >= 0 && group.source >= 0)
    precondition(lastSource * width <= source.byteCount, "elements of a run are missing")
    precondition(lastTarget * width <= target.byteCount, "elements have no place")
    unsafe source.withUnsafeBytes { source in
      unsafe target.withUnsafeMutableBytes { target in
        switch width {
        case 1: unsafe move(UInt8.self, source, target, start)
        case 2: unsafe move(UInt16.self, source, target, start)
        case 4: unsafe move(UInt32.self, source, target, start)
        case 8: unsafe move(UInt64.self, source, target, start)
        case 16: unsafe move(SIMD2<UInt64>.self, source, target, start)
        default: preconditionFailure("no element has \(width) bytes")
        }
      }
    }
  }

  private func move<Element: BitwiseCopyable>(
    _: Element.Type, _ source: UnsafeRawBufferPointer, _ target: UnsafeMutableRawBufferPointer,
    _ start: Int
  ) {
    let width = MemoryLayout<Element>.size
    for first in stride(from: 0, to: group.count, by: Self.runsPerTile) {
      let runs = first..<min(first + Self.runsPerTile, group.count)
      for index in 0..<run.count {
        let place = start + index * run.target
        for number in runs {
          let element = unsafe source.loadUnaligned(
            fromByteOffset: (number * group.source + index) * width, as: Element.self)
          unsafe target.storeBytes(
            of: element, toByteOffset: (place + number * group.target) * width, as: Element.self)
        }
      }
    }
  }
}

/// Elements that were read and wait for being scattered.
package struct ElementWindow {
  /// Bytes that are read at once where elements are scattered.
  package static let size = 1 << 20
  /// Bytes of an element.
  private let width: Int
  /// Empty before the first use.
  private var bytes: [UInt8] = []

  /// Room for elements of `width` bytes.
  package init(width: Int) {
    self.width = width
  }

  /// How many elements there is room for.
  package var room: Int { Self.size / width }

  /// Reads `count` elements of `source`, from its element `first` on, to the window's element `place`.
  ///
  /// - Throws: `CheckpointError` when the bytes cannot be read.
  package mutating func fill(
    from source: any TensorBytes, _ first: Int, count: Int, at place: Int = 0
  ) throws(CheckpointError) {
    if bytes.isEmpty { bytes = [UInt8](repeating: 0, count: Self.size) }
    let width = width
    var span = bytes.mutableSpan
    var all = unsafe span.mutableBytes
    var target = all._mutatingExtracting(place * width..<(place + count) * width)
    try source.read(at: first * width, into: &target)
  }

  /// Moves elements to their places in `target`, counted from element `start`.
  package func scatter(_ scattering: Scattering, to target: inout [UInt8], at start: Int) {
    var span = target.mutableSpan
    var places = unsafe span.mutableBytes
    scattering.move(unsafe bytes.span.bytes, to: &places, at: start, width: width)
  }
}
