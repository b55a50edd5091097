import Kernels
import TensorCore

/// A matrix of floating-point numbers that is read in parts: a tensor, or what one is more than another.
struct StreamedMatrix: Sendable {
  /// The tensor, or B's.
  let tensor: Tensor
  /// What is subtracted from it.
  var subtrahend: Tensor?

  /// Bytes of doubles that are in memory at a time.
  static let block = 2 << 20

  /// A tensor, if it is a matrix of floating-point numbers.
  init?(_ tensor: Tensor) {
    guard tensor.dtype.isComputable, tensor.shape.count == 2, tensor.shape.allSatisfy({ $0 >= 4 })
    else { return nil }
    self.tensor = tensor
  }

  /// B − A, if both are such matrices of one shape.
  init?(_ b: Tensor, minus a: Tensor) {
    guard a.shape == b.shape, a.dtype.isComputable else { return nil }
    self.init(b)
    subtrahend = a
  }

  var rows: Int { tensor.shape[0] }
  var columns: Int { tensor.shape[1] }
  var shortSide: Int { min(rows, columns) }
  var longSide: Int { max(rows, columns) }

  /// The tensors that are read.
  private var tensors: [Tensor] { [tensor, subtrahend].compactMap(\.self) }

  /// Runs `body`, which reads the matrix, when there is room for the slabs that it may use.
  func inTurn<Result: Sendable>(
    _ body: () throws(CheckpointError) -> Result
  ) throws(CheckpointError) -> Result {
    let bytes = (tensors.first { $0.bytes.usesSlab } ?? tensor).bytes
    return try bytes.inTurn(body)
  }

  /// Multiplications and additions that its singular values take, about: the product, and bringing it to
  /// three diagonals, which goes at the speed of memory.
  var spectrumWork: Double {
    let (short, long) = (Double(shortSide), Double(longSide))
    return long * short * short + 5 * short * short * short
  }

  /// The bytes that they take.
  var spectrumMemory: Int {
    let isCopied = rows < columns
    let copies = tensors.reduce(0) { sum, tensor in
      sum + (isCopied && tensor.bytes.isReadForwards ? tensor.byteCount : 0)
    }
    return 8 * shortSide * shortSide + 2 * Self.block + copies
  }

  /// The singular values, the largest first, from the smaller Gram matrix; `nil` if there are none.
  ///
  /// - Parameter magnitude: the largest absolute value, by which elements are divided, nearly, so that
  ///   squares neither overflow nor vanish.
  func singularValues(magnitude: Double) throws(CheckpointError) -> [Double]? {
    let scale = Self.scale(for: magnitude)
    let gram = rows >= columns ? try gramOfColumns(scale) : try gramOfRows(scale)
    return gram.singularValues()?.map { $0 / scale }
  }

  /// The power of two that brings a magnitude near 1.
  static func scale(for magnitude: Double) -> Double {
    let exponent =
      magnitude > 0 && magnitude.isFinite ? min(1000, max(-1000, Int(magnitude.exponent))) : 0
    return Double(sign: .plus, exponent: -exponent, significand: 1)
  }

  /// AᵀA, read from the front.
  private func gramOfColumns(_ scale: Double) throws(CheckpointError) -> GramMatrix {
    var gram = GramMatrix(order: columns)
    try forEachBlock(scale) { part, count, _ in gram.add(rows: part, count: count) }
    return gram
  }

  /// Calls `body` with some rows at a time, their number, and the same rows of the tensor alone, neither
  /// scaled nor subtracted from.
  func forEachBlock(
    _ scale: Double, _ body: ([Double], _ count: Int, _ plain: [Double]) -> Void
  ) throws(CheckpointError) {
    let height = max(1, Self.block / 8 / columns)
    for row in stride(from: 0, to: rows, by: height) {
      let count = min(height, rows - row)
      let range = row * columns..<(row + count) * columns
      let plain = try tensor.doubles(range)
      body(try difference(plain, range, subtrahend?.bytes, scale), count, plain)
    }
  }

  /// A·Aᵀ, a few columns at a time.
  private func gramOfRows(_ scale: Double) throws(CheckpointError) -> GramMatrix {
    var gram = GramMatrix(order: rows)
    let (source, other) = (try inMemory(tensor), try subtrahend.map(inMemory))
    let width = max(1, Self.block / 8 / rows)
    for column in stride(from: 0, to: columns, by: width) {
      let count = min(width, columns - column)
      var part: [Double] = []
      part.reserveCapacity(count * rows)
      for row in 0..<rows {
        let range = row * columns + column..<row * columns + column + count
        part += try difference(tensor.doubles(range, in: source), range, other, scale)
      }
      gram.add(columns: part, count: count)
    }
    return gram
  }

  /// The bytes of a tensor, as a whole if they can only be read from the front.
  private func inMemory(_ tensor: Tensor) throws(CheckpointError) -> any TensorBytes {
    tensor.bytes.isReadForwards
      ? ByteArray(try tensor.bytes.read(0..<tensor.byteCount)) : tensor.bytes
  }

  /// Elements less those that are subtracted, times a number.
  private func difference(
    _ values: [Double], _ range: Range<Int>, _ other: (any TensorBytes)?, _ scale: Double
  ) throws(CheckpointError) -> [Double] {
    var values = values
    if let subtrahend, let other {
      let less = try subtrahend.doubles(range, in: other)
      for index in values.indices { values[index] -= less[index] }
    }
    if scale != 1 { for index in values.indices { values[index] *= scale } }
    return values
  }
}

extension Tensor {
  /// Elements, from other bytes than its own, which are the same.
  fileprivate func doubles(
    _ range: Range<Int>, in source: any TensorBytes
  ) throws(CheckpointError) -> [Double] {
    dtype.widened(try source.read(byteRange(of: range)))
  }
}
