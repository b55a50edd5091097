/// The work of filling a range of elements.
struct Gathering {
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
    if part.move.axes.contains(where: { $0.extent == 0 }) { return }
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
    let group = takeGroup(for: run, from: &outer, isReadForwards: source.isReadForwards)
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

  /// Takes the axis whose runs are read together out of `outer`, the largest step first.
  ///
  /// Runs that are close to each other are read with what is between them. Others too if their elements
  /// are scattered: those of neighbours in the target, unless the source is best read in its order.
  private func takeGroup(
    for run: Move.Axis, from outer: inout [Move.Axis], isReadForwards: Bool
  ) -> Move.Axis {
    if let last = outer.last, isClose(last) || isReadForwards && run.target != 1 {
      return outer.removeLast()
    }
    guard run.target != 1,
      let nearest = outer.indices.min(by: { outer[$0].target < outer[$1].target })
    else { return Move.Axis(extent: 1, source: 0, target: 0) }
    return outer.remove(at: nearest)
  }

  private func isClose(_ axis: Move.Axis) -> Bool { axis.source * width <= Self.closeDistance }

  /// Copies all runs of a group.
  private mutating func copy(
    _ run: Move.Axis, _ group: Move.Axis, _ source: any TensorBytes, from: Int, to: Int
  ) throws(CheckpointError) {
    if group.extent == 1 { return try copy(run, source, from: from, to: to) }
    guard isClose(group), run.extent <= window.room else {
      return try copyTiles(run, group, source, from: from, to: to)
    }
    let perWindow = (window.room - run.extent) / max(1, group.source) + 1
    for first in stride(from: 0, to: group.extent, by: perWindow) {
      let number = min(perWindow, group.extent - first)
      try window.fill(
        from: source, from + first * group.source,
        count: (number - 1) * group.source + run.extent)
      scatter(run, (number, group.source, group.target), to: to + first * group.target)
    }
  }

  /// Copies runs that are far from each other, some of them at a time: as many as fill a line of the
  /// cache together, and of each as much as there is room for. Of a source that is best read forwards,
  /// only whole runs.
  private mutating func copyTiles(
    _ run: Move.Axis, _ group: Move.Axis, _ source: any TensorBytes, from: Int, to: Int
  ) throws(CheckpointError) {
    let most =
      source.isReadForwards
      ? min(Scattering.runsPerTile, max(1, window.room / max(1, run.extent)))
      : Scattering.runsPerTile
    let length = min(max(1, run.extent), window.room / most)
    for first in stride(from: 0, to: group.extent, by: most) {
      let number = min(most, group.extent - first)
      for start in stride(from: 0, to: run.extent, by: length) {
        var part = run
        part.extent = min(length, run.extent - start)
        for index in 0..<number {
          try window.fill(
            from: source, from + (first + index) * group.source + start, count: part.extent,
            at: index * part.extent)
        }
        scatter(
          part, (number, part.extent, group.target),
          to: to + first * group.target + start * run.target)
      }
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
