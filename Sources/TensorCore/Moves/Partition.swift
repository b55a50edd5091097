/// Whether pieces cover a stored tensor completely, and no element twice: the proof that a layout is
/// a bijection, on shapes alone.
///
/// Counted like an odometer: the largest stride divides the positions into blocks. Every piece says
/// which blocks it takes part in and what it covers inside them; in each run of blocks with the same
/// pieces, these must cover one block, and so on inwards.
///
/// - Parameters:
///   - pieces: by their strides in the stored tensor.
///   - size: the number of elements of the stored tensor.
package func isPartition(_ pieces: [Piece], of size: Int) -> Bool {
  covers(
    pieces.map { piece in
      Region(
        offset: piece.offset,
        axes: piece.axes.map { Region.Axis(extent: $0.extent, stride: $0.stored) }
          .sorted { $0.stride > $1.stride })
    }, size)
}

private struct Region: Equatable {
  struct Axis: Equatable {
    let extent: Int
    let stride: Int
  }

  var offset: Int
  /// Largest stride first.
  var axes: [Axis]

  var count: Int { axes.reduce(1) { $0 * $1.extent } }
}

private func covers(_ regions: [Region], _ size: Int) -> Bool {
  let regions = regions.filter { $0.count > 0 }
  guard regions.reduce(0, { $0 + $1.count }) == size else { return false }
  if size == 0 { return true }
  let block = regions.compactMap { $0.axes.first?.stride }.max() ?? 1
  guard size.isMultiple(of: block) else { return false }
  // Which blocks each region takes part in, and what it is inside of one.
  var parts: [(blocks: Range<Int>, inside: Region)] = []
  for region in regions {
    var inside = region
    inside.offset = region.offset % block
    var extent = 1
    if let first = region.axes.first, first.stride == block {
      inside.axes.removeFirst()
      extent = first.extent
    }
    let reach = inside.axes.reduce(inside.offset) { $0 + ($1.extent - 1) * $1.stride }
    guard reach < block else { return false }
    let start = region.offset / block
    parts.append((start..<start + extent, inside))
  }
  if block == 1 {
    // Inside a block there is one element; the blocks must follow each other.
    let ranges = parts.map(\.blocks).sorted { $0.lowerBound < $1.lowerBound }
    return ranges.first?.lowerBound == 0 && ranges.last?.upperBound == size
      && zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound }
  }
  let cuts = Set(
    parts.flatMap { [$0.blocks.lowerBound, $0.blocks.upperBound] } + [0, size / block])
  let sorted = cuts.sorted()
  return zip(sorted, sorted.dropFirst()).allSatisfy { start, _ in
    covers(parts.filter { $0.blocks.contains(start) }.map(\.inside), block)
  }
}
