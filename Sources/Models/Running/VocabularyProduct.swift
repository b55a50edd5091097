public import Kernels
public import TensorCore

/// `x·Wᵀ + b` with a matrix over a vocabulary: the scores of every word at every position, which can be
/// the largest array of all. It is computed when it is asked for, whole or block by block.
public struct VocabularyProduct<Scalar: ComputeScalar>: Sendable {
  /// What is multiplied: `[…, width]`.
  private let x: NDArray<Scalar>
  /// `[words, width]`, and its number of rows.
  private let weight: Tensor
  private let words: Int
  /// The matrix, if it is in memory.
  private let table: NDArray<Scalar>?
  private let bias: NDArray<Scalar>?
  /// The bound of the results, if they have one.
  private let softcap: Double?

  init(
    _ x: NDArray<Scalar>, weight: Tensor, table: NDArray<Scalar>?, bias: NDArray<Scalar>?,
    softcap: Double? = nil
  ) {
    self.x = x
    self.weight = weight
    words = weight.shape[0]
    self.table = table
    self.bias = bias
    self.softcap = softcap
  }

  /// `[…, words]`
  public var shape: [Int] { x.shape.dropLast() + [words] }

  /// The ranges of words that blocks are made of: whole pieces of the product with the whole matrix, so
  /// that both ways give the same bits.
  public var blocks: [Range<Int>] {
    let piece = columnsPerPiece(of: words)
    let size = max(1, Self.wordsPerBlock / piece) * piece
    return stride(from: 0, to: words, by: size).map { $0..<min($0 + size, words) }
  }

  /// Words of a block, about.
  package static var wordsPerBlock: Int { 2048 }

  /// The scores of a block of words: `[…, words of the block]`.
  ///
  /// - Parameter range: one of `blocks`.
  /// - Throws: `CheckpointError` when the bytes cannot be read.
  public func block(_ range: Range<Int>) throws(CheckpointError) -> NDArray<Scalar> {
    var rows = NDArray(shape: [range.count, x.width], repeating: Scalar(0))
    if let table {
      let (first, last) = (range.lowerBound * x.width, range.upperBound * x.width)
      rows.elements.replaceSubrange(0..., with: table.elements[first..<last])
    } else {
      try rows.read(weight, from: range.lowerBound * x.width)
    }
    let part = bias.map { NDArray(shape: [range.count], elements: Array($0.elements[range])) }
    return bounded(
      linear(x, weight: rows, bias: part, columnsPerPiece: columnsPerPiece(of: words)))
  }

  /// All scores.
  ///
  /// - Throws: `CheckpointError` when the bytes cannot be read.
  public func whole() throws(CheckpointError) -> NDArray<Scalar> {
    if let table { return bounded(linear(x, weight: table, bias: bias)) }
    var y = NDArray(shape: shape, repeating: Scalar(0))
    for range in blocks { y.replaceColumns(range, by: try block(range)) }
    return y
  }

  private func bounded(_ y: consuming NDArray<Scalar>) -> NDArray<Scalar> {
    guard let softcap else { return y }
    return softcapped(y, bound: softcap)
  }
}

/// What a state is.
public enum StateValue<Scalar: ComputeScalar>: Sendable {
  /// Numbers.
  case array(NDArray<Scalar>)
  /// Scores that are computed when they are asked for.
  case product(VocabularyProduct<Scalar>)

  /// The extents.
  public var shape: [Int] {
    switch self {
    case .array(let array): array.shape
    case .product(let product): product.shape
    }
  }

  /// The numbers, all of them.
  ///
  /// - Throws: `CheckpointError` when weights cannot be read.
  public func array() throws(CheckpointError) -> NDArray<Scalar> {
    switch self {
    case .array(let array): array
    case .product(let product): try product.whole()
    }
  }
}
