import Kernels
import TensorCore

/// The order of rows, or of columns, that makes one matrix from another. Only strips of either are in
/// memory, however large they are.
struct LineOrder {
  /// 0 for rows, 1 for columns.
  let axis: Int
  /// For each line of the second matrix, the line of the first one that it equals; equal ones in order.
  let order: [Int]
}

/// More rows or columns than these are not looked at one by one.
private let mostLines = 1 << 21

/// Finds the order of rows, or of columns, that makes `b` from `a`, and proves it byte by byte.
///
/// - Parameters:
///   - b: of the type and shape of `a`. A tensor of more axes is a matrix with the rest in its columns.
/// - Returns: `nil` if there is no such order.
/// - Throws: `CheckpointError` when bytes cannot be read.
func lineOrder(of b: Tensor, in a: Tensor) throws(CheckpointError) -> LineOrder? {
  guard let rows = a.shape.first, rows > 1, a.elementCount > 0, a.shape == b.shape,
    a.dtype == b.dtype, let width = a.dtype.byteWidth, width <= 8
  else { return nil }
  let columns = a.elementCount / rows
  guard rows <= mostLines, columns <= mostLines else { return nil }
  let (x, y) = (try lineHashes(a, rows, columns, width), try lineHashes(b, rows, columns, width))
  if let order = lineOrder(of: y.rows, in: x.rows),
    try areRows(of: b, order, of: a, rowSize: columns * width)
  {
    return LineOrder(axis: 0, order: order)
  }
  if columns > 1, let order = lineOrder(of: y.columns, in: x.columns),
    try areColumns(of: b, order, of: a, width: width)
  {
    return LineOrder(axis: 1, order: order)
  }
  return nil
}

private func lineHashes(
  _ tensor: Tensor, _ rows: Int, _ columns: Int, _ width: Int
) throws(CheckpointError) -> LineHashes {
  var hashes = LineHashes(rows: rows, columns: columns, width: width)
  try tensor.stream(of: 0..<rows * columns) { bytes, _ in hashes.add(bytes) }
  return hashes
}

/// For each line of `b`, the line of `a` that it equals; equal ones in order.
private func lineOrder(of b: [UInt64], in a: [UInt64]) -> [Int]? {
  var places: [UInt64: [Int]] = [:]
  for (index, hash) in a.enumerated().reversed() { places[hash, default: []].append(index) }
  var order: [Int] = []
  order.reserveCapacity(b.count)
  for hash in b {
    guard let place = places[hash]?.popLast() else { return nil }
    order.append(place)
  }
  return order
}

/// Whether row `i` of `b` is row `order[i]` of `a`: `a` is held strip by strip, and `b` read once for
/// each.
private func areRows(
  of b: Tensor, _ order: [Int], of a: Tensor, rowSize: Int
) throws(CheckpointError) -> Bool {
  let rowsPerStrip = max(1, (16 << 20) / rowSize)
  let rowsPerBlock = max(1, (1 << 20) / rowSize)
  for start in stride(from: 0, to: order.count, by: rowsPerStrip) {
    let strip = start..<min(start + rowsPerStrip, order.count)
    let held = try a.bytes.read(strip.lowerBound * rowSize..<strip.upperBound * rowSize)
    for first in stride(from: 0, to: order.count, by: rowsPerBlock) {
      let rows = first..<min(first + rowsPerBlock, order.count)
      let bytes = try b.bytes.read(rows.lowerBound * rowSize..<rows.upperBound * rowSize)
      for row in rows where strip.contains(order[row]) {
        let (there, here) = ((row - first) * rowSize, (order[row] - start) * rowSize)
        guard
          isEqual(
            unsafe bytes.span.bytes.extracting(there..<there + rowSize),
            unsafe held.span.bytes.extracting(here..<here + rowSize))
        else { return false }
      }
    }
  }
  return true
}

/// Whether column `i` of `b` is column `order[i]` of `a`.
private func areColumns(
  of b: Tensor, _ order: [Int], of a: Tensor, width: Int
) throws(CheckpointError) -> Bool {
  let rowSize = order.count * width
  let rowsPerBlock = max(1, (1 << 20) / rowSize)
  for start in stride(from: 0, to: a.shape[0], by: rowsPerBlock) {
    let range = start * rowSize..<min(start + rowsPerBlock, a.shape[0]) * rowSize
    let (x, y) = (try a.bytes.read(range), try b.bytes.read(range))
    for row in stride(from: 0, to: range.count, by: rowSize) {
      for (column, origin) in order.enumerated() {
        let (there, here) = (row + column * width, row + origin * width)
        for byte in 0..<width where y[there + byte] != x[here + byte] { return false }
      }
    }
  }
  return true
}

// MARK: Moved rows

/// How far rows moved, if all that are not at an end moved alike: `b[i] = a[i + offset]`. Of a vector,
/// elements.
///
/// - Throws: `CheckpointError` when bytes cannot be read.
func shift(of b: Tensor, in a: Tensor) throws(CheckpointError) -> Int? {
  guard let count = a.shape.first, count > 2, a.shape == b.shape, a.dtype == b.dtype else {
    return nil
  }
  let rowSize = a.byteCount / count
  for offset in [1, -1, 2, -2] {
    let inner = max(0, -offset)..<min(count, count - offset)
    guard inner.count > 1 else { continue }
    let range = inner.lowerBound * rowSize..<inner.upperBound * rowSize
    if try hasEqualBytes(b, a, range, shiftedBy: offset * rowSize),
      try !hasEqualBytes(b, a, range, shiftedBy: 0)
    {
      return offset
    }
  }
  return nil
}

/// Whether the bytes of `b` in a range are those of `a`, which lie `shift` further on.
private func hasEqualBytes(
  _ b: Tensor, _ a: Tensor, _ range: Range<Int>, shiftedBy shift: Int
) throws(CheckpointError) -> Bool {
  for start in stride(from: range.lowerBound, to: range.upperBound, by: 1 << 18) {
    let block = start..<min(start + 1 << 18, range.upperBound)
    let there = block.lowerBound + shift..<block.upperBound + shift
    let (y, x) = (try b.bytes.read(block), try a.bytes.read(there))
    if !isEqual(unsafe y.span.bytes, unsafe x.span.bytes) { return false }
  }
  return true
}

// MARK: Several together

extension Tensor {
  /// Tensors of one type, one under the other along their first axis; `nil` if other extents differ.
  init?(stacking tensors: [Tensor]) {
    guard let first = tensors.first, !first.shape.isEmpty,
      tensors.allSatisfy({
        $0.dtype == first.dtype && $0.shape.dropFirst() == first.shape.dropFirst()
          && $0.shape.count == first.shape.count
      }),
      let bytes = JoinedBytes(tensors.map(\.bytes))
    else { return nil }
    self.init(
      name: first.name, dtype: first.dtype,
      shape: [tensors.reduce(0) { $0 + $1.shape[0] }] + first.shape.dropFirst(),
      bytes: bytes)
  }
}
