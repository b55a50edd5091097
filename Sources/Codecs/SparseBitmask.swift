import TensorCore

extension Codec {
  /// Weights of which many numbers are zero, as compressed-tensors stored them up to version 0.12: `X.bitmask` U8, a bit for each number,
  /// rows padded to whole bytes, the lowest bit first; `X.compressed`, the numbers where it is set; `X.shape` I64, the weight's.
  /// `sparse-bitmask` has beside them `X.row_offsets` I64, where the numbers of each row begin among `[count]`;
  /// `sparse-24-bitmask` has `[out, in / 2]` numbers. The weight has their type, and zeros elsewhere.
  ///
  /// Source: compressed-tensors 0.12 (`compressors/sparse_compressors/sparse_bitmask.py`, `sparse_24_bitmask.py`).
  static let sparseBitmask = Codec(
    name: codecName, configKeys: [settingsKey]
  ) { table, _ throws(CheckpointError) in
    try table.groups(of: codecName, parts: ["compressed"]) {
      numbers, _, module throws(CheckpointError) in
      guard let mask = module["bitmask"], mask.dtype == .u8 else { return nil }
      return try SparseRows(numbers, mask, module).coded(module)
    }
  }
}

private let codecName = "sparse-bitmask"

private struct SparseRows: Sendable {
  let numbers: Tensor
  let mask: Tensor
  let shapeTensor: Tensor
  /// `nil` where each row has as many numbers as half of it.
  let offsets: Tensor?
  let shape: [Int]
  let rows: Int
  let columns: Int
  private let width: Int

  private var bytesInRow: Int { (columns + 7) / 8 }

  /// Columns of a row that is read for each part of it.
  private static let mostColumns = 1 << 18

  /// - Throws: `CheckpointError` if parts do not fit each other.
  init(_ numbers: Tensor, _ mask: Tensor, _ module: StoredModule) throws(CheckpointError) {
    (self.numbers, self.mask) = (numbers, mask)
    offsets = module["row_offsets"]
    shapeTensor = try module.required("shape", beside: numbers)
    try module.require(shapeTensor, [.i64, .i32])
    let rank = shapeTensor.elementCount
    guard [1, 2].contains(rank), [[rank], [rank, 1]].contains(shapeTensor.shape) else {
      throw module.misfit(shapeTensor, "are those of a row or a matrix")
    }
    shape = try shapeTensor.integers(0..<rank)
    (rows, columns) = (rank == 1 ? 1 : shape[0], shape[rank - 1])
    guard let width = numbers.dtype.byteWidth, module["weight_scale"] == nil else {
      throw CheckpointError(
        .unsupported("is sparse and in codes, which are not decoded together"),
        tensor: numbers.name)
    }
    self.width = width
    guard rows > 0, (1...Self.mostColumns).contains(columns),
      numbers.dtype.byteCount(shape: shape) != nil
    else {
      throw CheckpointError(
        .malformed(
          "\(describe(shape: shape)) is no shape of a weight with rows of up to \(Self.mostColumns)"
        ),
        tensor: shapeTensor.name)
    }
    try module.require(mask, shape: shape.dropLast() + [(columns + 7) / 8])
    if let offsets {
      try module.require(offsets, [.i64, .i32])
      try module.require(offsets, shape: rank == 1 && offsets.shape.isEmpty ? [] : [rows])
      guard numbers.shape.count == 1, numbers.elementCount <= rows * columns else {
        throw module.misfit(numbers, "are those of \(describe(shape: shape))")
      }
    } else {
      guard columns.isMultiple(of: 2) else {
        throw module.misfit(numbers, "are those of rows of \(columns), of which half are none")
      }
      try module.require(numbers, shape: shape.dropLast() + [columns / 2])
    }
  }

  func coded(_ module: StoredModule) -> CodedTensor {
    let (rows, numbers) = (self, numbers)
    let bytes = DecodedBytes(
      self.rows * columns, numbers.dtype, numbers.bytes, { _ in },
      decode: { range throws(CheckpointError) in try rows.bytes(of: range) })
    return CodedTensor(
      codec: codecName,
      stored: [numbers, mask, shapeTensor] + [offsets].compactMap(\.self),
      tensor: Tensor(name: module.weight, dtype: numbers.dtype, shape: shape, bytes: bytes))
  }

  /// The bytes of a range of elements.
  private func bytes(of range: Range<Int>) throws(CheckpointError) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(range.count * width)
    var element = range.lowerBound
    while element < range.upperBound {
      let (row, column) = element.quotientAndRemainder(dividingBy: columns)
      let end = min(columns, column + range.upperBound - element)
      bytes += try self.bytes(ofRow: row, column..<end)
      element += end - column
    }
    return bytes
  }

  private func bytes(
    ofRow row: Int, _ part: Range<Int>
  ) throws(CheckpointError) -> [UInt8] {
    let bits = try mask.bytes(of: row * bytesInRow..<(row + 1) * bytesInRow)
    func isSet(_ column: Int) -> Bool { bits[column / 8] >> UInt8(column % 8) & 1 == 1 }
    let places = (0..<columns).filter(isSet)
    let own = try numbers(ofRow: row)
    guard places.count == own.count else {
      throw CheckpointError(
        .malformed("has \(places.count) bits in row \(row), and there are \(own.count) numbers"),
        tensor: mask.name)
    }
    let first = places.count { $0 < part.lowerBound }
    let count = places.count { part.contains($0) }
    let start = own.lowerBound + first
    let stored = count == 0 ? [] : try numbers.bytes(of: start..<start + count)
    var bytes = [UInt8](repeating: 0, count: part.count * width)
    for (index, column) in places[first..<first + count].enumerated() {
      let place = (column - part.lowerBound) * width
      bytes.replaceSubrange(
        place..<place + width, with: stored[index * width..<(index + 1) * width])
    }
    return bytes
  }

  /// Where the numbers of a row are.
  private func numbers(ofRow row: Int) throws(CheckpointError) -> Range<Int> {
    guard let offsets else { return row * (columns / 2)..<(row + 1) * (columns / 2) }
    let last = row + 1 == rows
    let said = try offsets.integers(row..<(last ? row + 1 : row + 2))
    let (start, end) = (said[0], last ? numbers.elementCount : said[1])
    guard row > 0 || start == 0, start >= 0, start <= end, end <= numbers.elementCount else {
      throw CheckpointError(
        .malformed(
          "row \(row) begins at number \(start) and ends at \(end) of \(numbers.elementCount)"),
        tensor: offsets.name)
    }
    return start..<end
  }
}
