import Models
public import TensorCore

/// Parts of tensors, as numpy writes them: `0:2,:`. What begins beyond the end, or ends before it begins, is
/// nothing to numpy and an error here.
public enum Slice {
  /// The range of each axis that `text` names; axes that it leaves out are whole.
  ///
  /// - Parameters:
  ///   - text: for each axis `start:stop`, either of which may be missing or negative, or an index.
  ///   - shape: of the tensor.
  /// - Throws: `CheckpointError` if it is no slice, or is outside of the tensor.
  public static func ranges(_ text: String, of shape: [Int]) throws(CheckpointError) -> [Range<Int>]
  {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    guard parts.count <= shape.count else {
      throw fault(text, "has \(parts.count) ranges, the tensor \(shape.count) axes")
    }
    var ranges = shape.map { 0..<$0 }
    for (axis, part) in parts.enumerated() {
      let part = part.filter { $0 != " " }
      if part.count(where: { $0 == ":" }) > 1 {
        throw fault(text, "has a step, and steps are not supported")
      }
      guard let range = range(part, below: shape[axis]) else {
        throw fault(text, "does not fit the shape \(describe(shape: shape))")
      }
      guard range.start <= range.stop else {
        throw fault(text, "has a range that ends before it begins")
      }
      ranges[axis] = range.start..<range.stop
    }
    return ranges
  }

  private static func fault(_ text: String, _ reason: String) -> CheckpointError {
    CheckpointError(.malformed("the slice \"\(text)\" \(reason)"))
  }

  private static func range(
    _ text: String, below extent: Int
  ) -> (start: Int, stop: Int)? {
    let ends = text.split(separator: ":", omittingEmptySubsequences: false)
    func position(_ text: Substring, default standard: Int) -> Int? {
      if text.isEmpty { return standard }
      return Int(text).flatMap { $0 < 0 ? $0 + extent : $0 }
    }
    if ends.count == 1 {
      guard !ends[0].isEmpty, let index = position(ends[0], default: 0),
        (0..<extent).contains(index)
      else { return nil }
      return (index, index + 1)
    }
    guard ends.count == 2, let start = position(ends[0], default: 0),
      let stop = position(ends[1], default: extent), start <= extent, stop >= 0
    else { return nil }
    // As in numpy, a range may begin before the first element, and end behind the last.
    return (max(0, start), min(stop, extent))
  }
}

extension Tensor {
  /// The elements of a part of the tensor, in C order.
  ///
  /// - Throws: `CheckpointError` when bytes cannot be read.
  public func values(in ranges: [Range<Int>]) throws(CheckpointError) -> [ElementValue] {
    var values: [ElementValue] = []
    // The other ranges may have any length.
    if ranges.contains(where: \.isEmpty) { return [] }
    guard let row = ranges.last, dtype.byteWidth != nil else { return try allValues(ranges) }
    for start in rowStarts(ranges.dropLast(), shape) {
      let first = start * (shape.last ?? 1) + row.lowerBound
      let bytes = try bytes(of: first..<first + row.count)
      values += (0..<row.count).map { dtype.element(at: $0, of: bytes) }
    }
    return values
  }

  /// The numbers of blocks, row by row: those that the range touches are decoded, and no others.
  private func blockValues(_ ranges: [Range<Int>]) throws(CheckpointError) -> [ElementValue] {
    guard let row = ranges.last, let block = dtype.blockEncoding?.elementsPerBlock else {
      return []
    }
    let wholeBlocks = row.lowerBound / block * block
    var found: [ElementValue] = []
    for start in rowStarts(ranges.dropLast(), shape) {
      let first = start * (shape.last ?? 1)
      let stored = try bytes(of: first + wholeBlocks..<first + row.upperBound)
      let values = dtype.decodedBlocks(stored)
      found += row.map { ElementValue.single(values[$0 - wholeBlocks]) }
    }
    return found
  }

  /// For scalars, and for packed types, whose elements do not start at bytes.
  private func allValues(_ ranges: [Range<Int>]) throws(CheckpointError) -> [ElementValue] {
    if dtype.isBlock { return try blockValues(ranges) }
    let bytes = try bytes.read(0..<byteCount)
    guard let row = ranges.last else { return [dtype.element(at: 0, of: bytes)] }
    return rowStarts(ranges.dropLast(), shape).flatMap { start in
      row.map { dtype.element(at: start * (shape.last ?? 1) + $0, of: bytes) }
    }
  }
}

extension Tensor {
  /// A part of the tensor, as a tensor whose elements are read when they are asked for.
  ///
  /// - Throws: `CheckpointError` if elements of that size cannot be cut out.
  public func part(_ ranges: [Range<Int>]) throws(CheckpointError) -> Tensor {
    let newShape = ranges.map(\.count)
    if newShape == shape { return self }
    guard let width = dtype.byteWidth, width <= 8 else {
      throw CheckpointError(
        .unsupported("\(dtype) elements cannot be cut out; leave out the slice"), tensor: name)
    }
    // Of an empty tensor, products of the other extents may overflow; they are not used then.
    let strides = rowMajorStrides(shape)
    let offset = zip(ranges, strides).reduce(0) { $0 &+ $1.0.lowerBound &* $1.1 }
    let count = newShape.reduce(1, &*)
    let piece =
      count == 0
      ? Piece(offset: 0, axes: []) : Piece(offset: offset, shape: newShape, strides: strides)
    return Tensor(
      name: name, dtype: dtype, shape: newShape,
      bytes: bytes.moved(Move(reading: piece), dtype, count: count))
  }
}

/// The flat numbers of the rows that the outer ranges select.
private func rowStarts(_ ranges: some Collection<Range<Int>>, _ shape: [Int]) -> [Int] {
  var rows = [0]
  for (range, extent) in zip(ranges, shape) {
    rows = rows.flatMap { row in range.map { row * extent + $0 } }
  }
  return rows
}
