import Kernels
import Models
import TensorCore

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// What attention within windows adds to its scores for the place of a key beside a query.
enum WindowPositions: Sendable, Equatable {
  /// A learned number for each head and place. Liu et al., arXiv 2103.14030, eq. 4.
  case table
  /// What a small network makes of the logarithm of the place, so that windows may be larger than those that were
  /// trained: `trained` patches, or as many as they have if 0; and the angle between query and key in place of their
  /// product. Liu et al., arXiv 2111.09883, §3.3, eq. 2, and §3.2, eq. 3.
  case network(trained: Int)
}

/// Attention of the patches of a window to each other.
struct WindowAttention<Scalar: ComputeScalar> {
  private let query: Linear<Scalar>
  private let key: Linear<Scalar>
  private let value: Linear<Scalar>
  private let output: Linear<Scalar>
  private let shape: AttentionShape
  /// The numbers of places.
  private let positions: Positions
  private let window: Int

  private enum Positions {
    /// `[(2·window − 1)², heads]`
    case table(NDArray<Scalar>)
    /// What makes such a table, and what the cosine of an angle is multiplied by, as a logarithm, `[heads]`.
    case network(
      hidden: Linear<Scalar>, result: Linear<Scalar>, trained: Int, scale: NDArray<Scalar>)
  }

  /// - Parameters:
  ///   - window: how many patches a window is high and wide.
  ///   - hasBias: whether queries, keys and values have one; keys that are compared by angles have none.
  init(
    _ scope: WeightScope<Scalar>, width: Int, heads: Int, window: Int, hasBias: Bool,
    _ positions: WindowPositions
  ) throws(CheckpointError) {
    var shape = AttentionShape(heads: heads, headSize: max(1, width / heads))
    shape.hasHeadBias = true
    self.shape = shape
    self.window = window
    let hasKeyBias = positions == .table && hasBias
    query = try Linear(scope.module("query", .linear), in: width, out: width, bias: hasBias)
    key = try Linear(scope.module("key", .linear), in: width, out: width, bias: hasKeyBias)
    value = try Linear(scope.module("value", .linear), in: width, out: width, bias: hasBias)
    let size = window * window
    scope.constant("position_index", [size, size], .windowPlaces(window))
    switch positions {
    case .table:
      self.positions = .table(
        try scope.module("position_bias", .embedding).weight(
          "weight", [(2 * window - 1) * (2 * window - 1), heads], .embedding))
    case .network(let trained):
      let side = 2 * window - 1
      scope.constant(
        "position_coordinates", [side, side, 2], .windowCoordinates(window, trained: trained))
      self.positions = .network(
        hidden: try Linear(
          scope.module("position_hidden", .linear), in: 2, out: 512, activation: .relu),
        result: try Linear(
          scope.module("position_output", .linear), in: 512, out: heads, bias: false),
        trained: trained, scale: try scope.weight("scale", [heads], .bias))
    }
    output = try Linear(scope.module("output", .linear), in: width, out: width)
    scope.declare(.attention(shape))
  }

  /// The logarithm of 100, the most that a cosine is multiplied by (arXiv 2111.09883, §3.2: 1 / 0.01).
  private static var largestScale: Double { log(100) }

  /// What the cosine of the angle is multiplied by, of each head; `nil` where products are compared.
  private var factors: [Scalar]? {
    guard case .network(_, _, _, let scale) = positions else { return nil }
    return scale.elements.map { Scalar.exp(min($0, Scalar(Self.largestScale))) }
  }

  /// A number for each place and head: `[(2·window − 1)², heads]`.
  private var table: NDArray<Scalar> {
    switch positions {
    case .table(let table): return table
    case .network(let hidden, let result, let trained, _):
      let coordinates = Formula.windowCoordinates(window, trained: trained)
      let count = (2 * window - 1) * (2 * window - 1)
      let places = NDArray(
        shape: [count, 2], elements: (0..<2 * count).map { Scalar(coordinates.number($0)) })
      let numbers = result(hidden(places))
      // 16 times the sigmoid, as the authors' code has it.
      return NDArray(
        shape: numbers.shape, elements: numbers.elements.map { 16 / (1 + Scalar.exp(-$0)) })
    }
  }

  /// The numbers of the table for each head, query and key: `[1, heads, window², window²]`.
  private var bias: NDArray<Scalar> {
    let (table, size, heads) = (table, window * window, shape.heads)
    let place = Formula.windowPlaces(window)
    let rows = (0..<size * size).map { Int(place.number($0)) }
    var elements: [Scalar] = []
    elements.reserveCapacity(heads * rows.count)
    for head in 0..<heads {
      for row in rows { elements.append(table.elements[row * heads + head]) }
    }
    return NDArray(shape: [1, heads, size, size], elements: elements)
  }

  /// `[pictures × windows, window², width]` to the same.
  ///
  /// - Parameter mask: `[windows, window², window²]`, added to the scores of each picture's windows.
  func callAsFunction(_ x: NDArray<Scalar>, mask: NDArray<Scalar>?) -> NDArray<Scalar> {
    var queries = query(x)
    var keys = key(x)
    let values = value(x)
    if let factors {
      queries = directions(of: queries, times: factors)
      keys = directions(of: keys, times: factors.map { _ in 1 })
    }
    let scale = factors == nil ? 1 / Double(shape.headSize).squareRoot() : 1
    let bias = bias
    let added = mask.map { masked(bias, by: $0, windows: x.shape[0]) } ?? bias
    let attended = attention(
      query: queries, key: keys, value: values, heads: shape.heads,
      scores: Scores(scale: scale, bias: .pairs(added)))
    return output(attended)
  }

  /// The bias of each window with its mask: `[windows of all pictures, heads, window², window²]`.
  private func masked(
    _ bias: NDArray<Scalar>, by mask: NDArray<Scalar>, windows: Int
  ) -> NDArray<Scalar> {
    let (size, own) = (window * window, mask.shape[0])
    let area = size * size
    var elements: [Scalar] = []
    elements.reserveCapacity(windows * shape.heads * area)
    for index in 0..<windows {
      let start = index % own * area
      for head in 0..<shape.heads {
        for place in 0..<area {
          elements.append(bias.elements[head * area + place] + mask.elements[start + place])
        }
      }
    }
    return NDArray(shape: [windows, shape.heads, size, size], elements: elements)
  }

  /// The vectors of each head at length 1, and then at the head's.
  private func directions(of x: NDArray<Scalar>, times lengths: [Scalar]) -> NDArray<Scalar> {
    var elements = x.elements
    let size = shape.headSize
    for start in stride(from: 0, to: elements.count, by: size) {
      let vector = elements[start..<start + size]
      let length = vector.reduce(Scalar(0)) { $0 + $1 * $1 }.squareRoot()
      let factor = lengths[start / size % shape.heads] / max(length, 1e-12)
      for index in start..<start + size { elements[index] *= factor }
    }
    return NDArray(shape: x.shape, elements: elements)
  }
}

extension Formula {
  /// For each patch of a window as a query, and each as a key, the number of the key's place beside it.
  static func windowPlaces(_ window: Int) -> Formula {
    let (size, side) = (window * window, 2 * window - 1)
    return Formula("holds the numbers of places in a window and is computed") { index in
      let (query, key) = (index / size, index % size)
      let row = query / window - key / window + window - 1
      let column = query % window - key % window + window - 1
      return Double(row * side + column)
    }
  }

  /// For each place beside a patch how far it is below and to the right, as a logarithm: from −1 to 1 within a window of
  /// `trained` patches.
  static func windowCoordinates(_ window: Int, trained: Int) -> Formula {
    let side = 2 * window - 1
    let reach = trained > 0 ? trained - 1 : max(1, window - 1)
    return Formula("holds the places in a window and is computed", tolerance: 2e-6) { index in
      let place = index / 2
      let offset = (index % 2 == 0 ? place / side : place % side) - (window - 1)
      let distance = 8 * Double(offset) / Double(reach)
      let size = log2(abs(distance) + 1) / 3
      return distance < 0 ? -size : size
    }
  }
}
