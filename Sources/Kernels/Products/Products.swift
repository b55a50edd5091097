/// How many columns (output features) a piece of a product has at most.
private let mostColumnsPerPiece = 1024
/// How many rows (positions) a piece of a product has.
private let rowsPerPiece = 512

/// How many columns a piece has, of a matrix of so many. Shapes alone decide it, because the cut decides
/// bits: a multiple of four pieces, so that several cores have the same to do.
///
/// Pieces are as large as that allows: OpenBLAS copies both factors of each product before it begins.
public func columnsPerPiece(of columns: Int) -> Int {
  let pieces = (columns + 4 * mostColumnsPerPiece - 1) / (4 * mostColumnsPerPiece) * 4
  // Whole vectors, whatever the machine's are, and not so few that copying takes longest.
  return max(64, ((columns + pieces - 1) / max(1, pieces) + 15) / 16 * 16)
}

/// A linear map, with a function after it.
public struct Projection<Scalar: ComputeScalar>: Sendable {
  /// `[out, in]`
  public let weight: NDArray<Scalar>
  /// `[out]`, or `nil`
  public let bias: NDArray<Scalar>?
  /// What is applied to the results.
  public let activation: Activation

  /// Puts a linear map together.
  public init(
    weight: NDArray<Scalar>, bias: NDArray<Scalar>?, activation: Activation = .linear
  ) {
    self.weight = weight
    self.bias = bias
    self.activation = activation
  }
}

/// `x·Wᵀ + b`: the linear layer.
///
/// - Parameters:
///   - x: `[…, in]`
///   - weight: `[out, in]`
///   - bias: `[out]`, or `nil`
///   - columnsPerPiece: how the product is cut; given when `weight` is a part of a larger matrix.
/// - Returns: `[…, out]`
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func linear<Scalar: ComputeScalar>(
  _ x: NDArray<Scalar>, weight: NDArray<Scalar>, bias: NDArray<Scalar>?,
  columnsPerPiece size: Int? = nil
) -> NDArray<Scalar> {
  project(x, by: Projection(weight: weight, bias: bias), columnsPerPiece: size)
}

/// `activation(x·Wᵀ + b) + y`
///
/// - Parameters:
///   - x: `[…, in]`
///   - addend: `[…, out]`: `y`, or `nil` for nothing.
///   - columnsPerPiece: how the product is cut; given when the weight is a part of a larger matrix.
/// - Returns: `[…, out]`
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func project<Scalar: ComputeScalar>(
  _ x: NDArray<Scalar>, by projection: Projection<Scalar>, adding addend: NDArray<Scalar>? = nil,
  columnsPerPiece size: Int? = nil
) -> NDArray<Scalar> {
  let columns = projection.weight.rows
  let shape = Array(x.shape.dropLast()) + [columns]
  projection.check(inputWidth: x.width)
  precondition(addend.map { $0.shape == shape } ?? true, "the terms of a sum differ in shape")
  let cut = Cut(rows: x.rows, columns: columns, columnsPerPiece: size)
  return unsafe NDArray(shape: shape) { y in
    unsafe withPointers(
      to: [
        x.elements, projection.weight.elements, projection.bias?.elements ?? [],
        addend?.elements ?? [],
      ]
    ) {
      let (x, weight, bias) = unsafe ($0[0], $0[1], $0[2])
      let addend = unsafe addend == nil ? nil : $0[3]
      Parallel.forEach(count: cut.count) { piece in
        unsafe projection.compute(
          cut[piece], x: x, weight: weight, bias: bias, addend: addend, y: y)
      }
    }
  }
}

/// `activation(x·Wᵀ + b)` for several maps of the same vectors, all at once.
///
/// - Parameter x: `[…, in]`
/// - Returns: for each map `[…, out]`
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func project<Scalar: ComputeScalar>(
  _ x: NDArray<Scalar>, by projections: [Projection<Scalar>]
) -> [NDArray<Scalar>] {
  let columns = projections.map(\.weight.rows)
  for projection in projections { projection.check(inputWidth: x.width) }
  let cuts = columns.map { Cut(rows: x.rows, columns: $0) }
  let owners = cuts.indices.flatMap { Array(repeating: $0, count: cuts[$0].count) }
  let firsts = cuts.indices.map { index in cuts[..<index].reduce(0) { $0 + $1.count } }
  return unsafe arrays(shapes: columns.map { x.shape.dropLast() + [$0] }) { ys in
    let (weights, biases) = (projections.map(\.weight), projections.map(\.bias))
    unsafe withPointers(
      to: [x.elements] + weights.map(\.elements) + biases.map { $0?.elements ?? [] }
    ) { pointers in
      Parallel.forEach(count: owners.count) { piece in
        let owner = owners[piece]
        unsafe projections[owner].compute(
          cuts[owner][piece - firsts[owner]], x: pointers[0], weight: pointers[1 + owner],
          bias: pointers[1 + cuts.count + owner], addend: nil, y: ys[owner])
      }
    }
  }
}

/// How a product's result is cut into pieces.
private struct Cut {
  private let rows: [Range<Int>]
  private let columns: [Range<Int>]

  init(rows: Int, columns: Int, columnsPerPiece size: Int? = nil) {
    self.rows = pieces(of: rows, size: rowsPerPiece)
    self.columns = pieces(of: columns, size: size ?? columnsPerPiece(of: columns))
  }

  var count: Int { rows.count * columns.count }

  subscript(piece: Int) -> (rows: Range<Int>, columns: Range<Int>) {
    (rows[piece / columns.count], columns[piece % columns.count])
  }
}

extension Projection {
  fileprivate func check(inputWidth: Int) {
    precondition(weight.width == inputWidth, "a linear layer's input has the wrong width")
    precondition(
      bias.map { $0.elements.count == weight.rows } ?? true, "a bias has the wrong length")
  }

  /// Computes a piece of `activation(x·Wᵀ + b) + addend`. What a product is added to is there before it,
  /// which saves writing zeros; what follows it is done while the piece is still near.
  @inline(__always)
  fileprivate func compute(
    _ piece: (rows: Range<Int>, columns: Range<Int>), x: UnsafePointer<Scalar>,
    weight start: UnsafePointer<Scalar>, bias: UnsafePointer<Scalar>,
    addend: UnsafePointer<Scalar>?, y: UnsafeMutablePointer<Scalar>
  ) {
    let (inner, stride, columns) = (weight.width, weight.rows, piece.columns)
    let bias = unsafe self.bias == nil ? nil : bias + columns.lowerBound
    let isLinear = activation == .linear
    for row in piece.rows {
      let first = row * stride + columns.lowerBound
      unsafe begin(
        y + first, columns.count, bias: bias,
        addend: isLinear ? addend.map { unsafe $0 + first } : nil)
    }
    unsafe Scalar.product(
      rows: piece.rows.count, columns: columns.count, inner: inner,
      a: x + piece.rows.lowerBound * inner, strideA: inner,
      b: start + columns.lowerBound * inner, strideB: inner, transposeB: true,
      c: y + piece.rows.lowerBound * stride + columns.lowerBound, strideC: stride,
      accumulates: bias != nil || isLinear && addend != nil)
    if isLinear { return }
    for row in piece.rows {
      let first = row * stride + columns.lowerBound
      let y = unsafe UnsafeMutableBufferPointer(start: y + first, count: columns.count)
      unsafe apply(activation, to: y)
      if let addend = unsafe addend {
        for i in 0..<columns.count { unsafe y[i] += addend[first + i] }
      }
    }
  }
}

/// Writes the sum of what is given to a row; nothing if nothing is given.
@inline(__always)
private func begin<Scalar: ComputeScalar>(
  _ y: UnsafeMutablePointer<Scalar>, _ width: Int, bias: UnsafePointer<Scalar>?,
  addend: UnsafePointer<Scalar>?
) {
  if let bias = unsafe bias, let addend = unsafe addend {
    for i in 0..<width { unsafe y[i] = bias[i] + addend[i] }
  } else if let only = unsafe bias ?? addend {
    unsafe y.update(from: only, count: width)
  }
}
