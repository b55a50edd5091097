import TensorCore

/// The elements of a tensor as bytes, in rows along its first axis; of a vector, an element a row.
///
/// It is what the known mistakes are tried on: elements move as they are, whatever they mean.
struct ElementMatrix {
  /// The number of rows.
  let rows: Int
  /// The number of elements in a row.
  let columns: Int
  /// The bytes of an element.
  let width: Int
  /// Row after row.
  let bytes: [UInt8]

  /// Reads a tensor of whole bytes.
  ///
  /// - Throws: `CheckpointError` when the bytes cannot be read.
  init(_ tensor: Tensor) throws(CheckpointError) {
    rows = tensor.shape.first ?? 1
    columns = tensor.shape.dropFirst().reduce(1, *)
    width = tensor.dtype.byteCount(of: 1)
    bytes = try tensor.bytes.read(0..<tensor.byteCount)
  }

  private init(rows: Int, columns: Int, width: Int, bytes: [UInt8]) {
    (self.rows, self.columns, self.width, self.bytes) = (rows, columns, width, bytes)
  }

  /// The bytes of a row.
  func row(_ index: Int) -> ArraySlice<UInt8> {
    bytes[index * columns * width..<(index + 1) * columns * width]
  }

  /// The same elements in rows of another length.
  ///
  /// - Precondition: `rows * columns` is the number of elements.
  func reshaped(rows: Int, columns: Int) -> ElementMatrix {
    precondition(rows * columns == self.rows * self.columns)
    return ElementMatrix(rows: rows, columns: columns, width: width, bytes: bytes)
  }

  /// The matrix with rows and columns exchanged.
  var transposed: ElementMatrix {
    var result = [UInt8](repeating: 0, count: bytes.count)
    for row in 0..<rows {
      for column in 0..<columns {
        let (from, to) = ((row * columns + column) * width, (column * rows + row) * width)
        for byte in 0..<width { result[to + byte] = bytes[from + byte] }
      }
    }
    return ElementMatrix(rows: columns, columns: rows, width: width, bytes: result)
  }

  /// The matrix whose row `i` is row `order(i)` of this one.
  func reordered(_ order: (Int) -> Int) -> ElementMatrix {
    let moved = (0..<rows).flatMap { row(order($0)) }
    return ElementMatrix(rows: rows, columns: columns, width: width, bytes: moved)
  }

  /// This matrix, and another one under it; `nil` unless rows and elements of both are of one size.
  func stacked(_ other: ElementMatrix) -> ElementMatrix? {
    guard columns == other.columns, width == other.width else { return nil }
    return ElementMatrix(
      rows: rows + other.rows, columns: columns, width: width, bytes: bytes + other.bytes)
  }

  /// Some of the rows.
  func rows(_ range: Range<Int>) -> ElementMatrix {
    let size = columns * width
    return ElementMatrix(
      rows: range.count, columns: columns, width: width,
      bytes: Array(bytes[range.lowerBound * size..<range.upperBound * size]))
  }
}

extension Tensor {
  /// A tensor of the same type and shape with other elements.
  func replacing(_ matrix: ElementMatrix) -> Tensor {
    Tensor(name: name, dtype: dtype, shape: shape, bytes: ByteArray(matrix.bytes))
  }

  /// The tensor whose row (axis 0) or column (axis 1) `i` is that of number `order(i)` of this one.
  func reordered(axis: Int, _ order: (Int) -> Int) throws(CheckpointError) -> Tensor {
    let matrix = try ElementMatrix(self)
    return replacing(
      axis == 0
        ? matrix.reordered(order) : matrix.transposed.reordered(order).transposed)
  }

  /// The tensor with a function applied to its elements, rounded in its own type.
  func mapping(_ function: (Double) -> Double) throws(CheckpointError) -> Tensor {
    let width = dtype.byteCount(of: 1)
    let bytes = try doubles(0..<elementCount).flatMap { value -> [UInt8] in
      let bits = dtype.roundedBits(of: function(value))
      return (0..<width).map { UInt8(truncatingIfNeeded: bits >> (8 * $0)) }
    }
    return Tensor(name: name, dtype: dtype, shape: shape, bytes: ByteArray(bytes))
  }
}
