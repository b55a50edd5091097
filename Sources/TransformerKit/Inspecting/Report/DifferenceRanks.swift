import Kernels
import TensorCore

/// The ranks of what was added to matrices: a low rank is what merging an adapter of low rank (LoRA,
/// Hu and others, 2021) leaves.
///
/// B's elements were rounded to its type, which adds noise of full rank. So only those directions count
/// in which B − A is longer than rounding makes it.
public struct DifferenceRanks: Sendable {
  /// What is known of a matrix.
  public struct Matrix: Sendable {
    /// The change's place in the list of changes.
    public let index: Int
    /// The layer, if it is in one.
    public let layer: Int?
    /// The shorter side: the largest rank that there can be.
    public let shortSide: Int
    /// The directions in which the difference is longer than rounding makes it, as far as they were
    /// counted.
    public let rank: Int
    /// Whether there may be more of them than were counted.
    public let isAtLeast: Bool

    /// The rank as a part of what it can be at most.
    fileprivate var share: Double { Double(rank) / Double(shortSide) }
    /// Whether the rank is at most a quarter of what it can be.
    public var isLow: Bool { !isAtLeast && rank > 0 && 4 * rank <= shortSide }
    /// Whether nothing is longer than rounding makes it.
    public var isHidden: Bool { !isAtLeast && rank == 0 }
  }

  /// The matrices that were looked at, in the order of the changes.
  public let matrices: [Matrix]
  /// How many matrices changed.
  public let candidates: Int
  /// How many of those are left out because not all elements are finite.
  public let notFinite: Int
  /// How many weights changed that are no matrices.
  public let others: Int

  /// Multiplications and additions, about, after which no more matrices are looked at.
  private static let mostWork = 1e12
  /// Wider matrices are not looked at.
  private static let mostColumns = 1 << 17

  /// Sketches B − A of the matrices that changed.
  ///
  /// - Throws: `CheckpointError` when bytes cannot be read.
  init(_ changes: [TensorChange], layers: [Int: Int]) throws(CheckpointError) {
    var (found, work): ([(index: Int, matrix: StreamedMatrix, scale: Double)], Double) = ([], 0)
    var (candidates, notFinite, others) = (0, 0, 0)
    for (index, change) in changes.enumerated() where change.kind == .changed {
      guard let matrix = change.movement, let difference = change.difference else {
        others += 1
        continue
      }
      candidates += 1
      if difference.incomparable > 0 {
        notFinite += 1
        continue
      }
      let cost =
        Double(matrix.rows) * Double(matrix.columns) * Double(RankSketch.mostDirections)
      guard matrix.columns <= Self.mostColumns, work + cost <= Self.mostWork else { continue }
      work += cost
      found.append((index, matrix, StreamedMatrix.scale(for: difference.largestFinite)))
    }
    let chosen = found
    let ranks = try inParallel(chosen.count) { number throws(CheckpointError) in
      let (_, matrix, scale) = chosen[number]
      return try matrix.inTurn { () throws(CheckpointError) in try matrix.rank(scale: scale) }
    }
    matrices = zip(chosen, ranks).compactMap { item, rank in
      rank.map {
        Matrix(
          index: item.index, layer: layers[item.index], shortSide: item.matrix.shortSide,
          rank: $0.rank, isAtLeast: $0.isAtLeast)
      }
    }
    // Infinities and NaN may also be the same in both.
    self.notFinite = notFinite + ranks.count { $0 == nil }
    (self.candidates, self.others) = (candidates, others)
  }

  /// Whether B can be what A is after merging a LoRA, as far as ranks can say.
  public var verdict: String? {
    guard let lowest = matrices.min(by: { $0.share < $1.share }) else { return nil }
    let (low, hidden) = (matrices.filter(\.isLow), matrices.filter(\.isHidden))
    if hidden.count == matrices.count {
      return "Cannot be told: no matrix differs by more than rounding to its type does."
    }
    guard let most = low.map(\.rank).max() else {
      let unresolved = matrices.filter { $0.isAtLeast && 4 * $0.rank <= $0.shortSide }
      return unresolved.isEmpty
        ? "No: no rank is low. The lowest is \(lowest.rank)\(lowest.isAtLeast ? " or more" : "")"
          + " of \(lowest.shortSide)."
        : "No, unless its rank is \(lowest.rank) or more: none is lower than that."
    }
    guard low.count + hidden.count == matrices.count else {
      return
        "In part: the rank is low, \(most) at most, in \(low.count) of \(matrices.count) matrices."
    }
    let which = low.count == 1 ? "in the one matrix" : "in all \(low.count) matrices"
    var text = "It can be: \(which) in which it is seen, B − A has rank \(most)"
    if low.count > 1 { text += " at most" }
    if !hidden.isEmpty { text += "; \(hidden.count) more differ by no more than rounding does" }
    if others > 0 {
      text +=
        "; but \(others) other \(others == 1 ? "weight" : "weights") changed as well,"
        + " which a LoRA usually leaves alone"
    }
    return text + "."
  }
}

extension TensorChange {
  /// B − A, if both are matrices of floating-point numbers at the same place.
  var movement: StreamedMatrix? {
    guard let (a, b) = tensors?() else { return nil }
    return StreamedMatrix(b, minus: a)
  }
}

extension StreamedMatrix {
  /// The number of directions in which B − A is longer than rounding makes it; `nil` if something is not
  /// finite.
  ///
  /// Rounding moves an element by a twelfth of its unit in the last place squared, on average, and a
  /// matrix of independent numbers of deviation s stretches nothing by more than s(√m + √n), nearly.
  fileprivate func rank(
    scale: Double
  ) throws(CheckpointError) -> (rank: Int, isAtLeast: Bool)? {
    var sketch = RankSketch(columns: columns)
    var squaredUnits = 0.0
    let types =
      [tensor.dtype] + (subtrahend.map { $0.dtype == tensor.dtype ? [] : [$0.dtype] } ?? [])
    let epsilon = types.map(\.epsilon).max() ?? 0
    try forEachBlock(scale) { rows, count, plain in
      sketch.add(rows: rows, count: count)
      squaredUnits += sumOfSquaredBinades(plain, scale: scale)
    }
    let (m, n, k) = (Double(rows), Double(columns), Double(sketch.width))
    let deviation = (squaredUnits / (m * n) / 12).squareRoot() * epsilon
    let noise =
      sketch.isExact
      ? deviation * (m.squareRoot() + n.squareRoot())
      : deviation * n.squareRoot() * (m.squareRoot() + k.squareRoot())
    let width = sketch.width
    guard let values = sketch.singularValues(), let first = values.first else { return nil }
    // What the Gram matrix of doubles resolves.
    let limit = max(1.3 * noise, 1e-7 * first)
    let rank = values.count { $0 > limit }
    return (min(rank, shortSide), rank == width && width < shortSide)
  }
}

/// The sum of (2^⌊log₂|x|⌋)², times the square of a scale: what units in the last place are by.
private func sumOfSquaredBinades(_ values: [Double], scale: Double) -> Double {
  values.reduce(0) { sum, value in
    let binade = Double(bitPattern: value.bitPattern & 0x7FF0_0000_0000_0000) * scale
    return sum + binade * binade
  }
}
