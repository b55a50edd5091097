import TensorCore

/// The rows of a matrix as bytes; of a vector, its elements.
///
/// - Throws: `CheckpointError` when the bytes cannot be read.
func rows(of tensor: Tensor) throws(CheckpointError) -> [[UInt8]] {
  let count = tensor.shape.first ?? 1
  guard count > 0 else { return [] }
  let size = tensor.byteCount / count
  var rows: [[UInt8]] = []
  rows.reserveCapacity(count)
  for row in 0..<count { rows.append(try tensor.bytes.read(row * size..<(row + 1) * size)) }
  return rows
}

/// The columns of rows of elements that are `width` bytes wide.
func transposed(_ rows: [[UInt8]], width: Int) -> [[UInt8]] {
  guard let first = rows.first else { return [] }
  return (0..<first.count / width).map { column in
    rows.flatMap { $0[column * width..<(column + 1) * width] }
  }
}

extension Tensor {
  /// A tensor of the same type and shape with other elements.
  func replacing(rows: [[UInt8]]) -> Tensor {
    Tensor(name: name, dtype: dtype, shape: shape, bytes: ByteArray(rows.flatMap(\.self)))
  }

  /// The matrix with its axes exchanged.
  ///
  /// - Precondition: it is square.
  func transposed() throws(CheckpointError) -> Tensor {
    let rows = try TransformerKit.rows(of: self)
    return replacing(rows: TransformerKit.transposed(rows, width: dtype.bitWidth / 8))
  }

  /// The tensor whose row (or column) `i` is row `order(i)` of this one.
  func reordered(axis: Int, _ order: (Int) -> Int) throws(CheckpointError) -> Tensor {
    let width = dtype.bitWidth / 8
    var rows = try TransformerKit.rows(of: self)
    if axis == 1 { rows = TransformerKit.transposed(rows, width: width) }
    var moved = rows.indices.map { rows[order($0)] }
    if axis == 1 { moved = TransformerKit.transposed(moved, width: width) }
    return replacing(rows: moved)
  }

  /// The tensor times a number, rounded in its own type.
  func scaled(by factor: Double) throws(CheckpointError) -> Tensor {
    let width = dtype.bitWidth / 8
    let bytes = try doubles(0..<elementCount).flatMap { value -> [UInt8] in
      let bits = dtype.roundedBits(of: value * factor)
      return (0..<width).map { UInt8(truncatingIfNeeded: bits >> (8 * $0)) }
    }
    return Tensor(name: name, dtype: dtype, shape: shape, bytes: ByteArray(bytes))
  }
}
