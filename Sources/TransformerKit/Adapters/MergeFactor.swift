import Models
public import TensorCore

/// How much of what adapters add is in a model that is not the base with the adapters in it.
///
/// In `W + t · Δ`, Δ what the adapters add to the weight W, t is found by least squares for each weight that adapters
/// change; what is then left over must be no more than rounding makes of it.
public enum MergeFactor: Equatable, Sendable {
  /// The same t in so many weights, which are all that adapters change.
  case same(Double, weights: Int)
  /// √rank of each weight, as of scales alpha / √rank instead of alpha / rank; or its inverse.
  case rootOfRank(inverse: Bool, weights: Int)

  /// What is found, as a sentence.
  public var text: String {
    switch self {
    case .same(let factor, let count) where abs(factor) < Self.tolerance:
      return "nothing of what the adapters add is in B: \(count) weights there are the base's"
    case .same(let factor, let count):
      let factor = (factor * 1e4).rounded() / 1e4
      let text = factor == factor.rounded() ? "\(Int(factor))" : "\(factor)"
      let likely =
        switch factor {
        case 2: "merged twice, or with twice the scale"
        case 3...9 where factor == factor.rounded():
          "merged \(text) times, or with \(text) times the scale"
        case -1: "subtracted"
        default: "another scale"
        }
      return "\(count) weights of B have \(text) times what the adapters add: \(likely)"
    case .rootOfRank(let inverse, let count):
      return inverse
        ? "\(count) weights of B have what the adapters add over the root of the rank: scales alpha / rank, and"
          + " use_rslora asks for alpha / √rank"
        : "\(count) weights of B have the root of the rank times what the adapters add: scales alpha / √rank, as with"
          + " use_rslora, which is not set"
    }
  }

  /// How far factors may be apart, and what may be left over of a weight's Δ.
  private static let tolerance = 2e-3

  /// Finds it.
  ///
  /// - Parameters:
  ///   - merge: how A was made.
  ///   - a: the base with the adapters in it.
  ///   - b: the model that should be the same.
  /// - Returns: `nil` if t = 1, weights have different ones, or something else lies between the models' weights.
  /// - Throws: `CheckpointError` when bytes cannot be read.
  public static func find(
    _ merge: Merge, _ a: Model, _ b: Model, options: OpenOptions = OpenOptions()
  ) throws(CheckpointError) -> MergeFactor? {
    let base = try Model(merge.unmerged, options: merge.options(options)).graph
    let modules = Dictionary(
      merge.changes.compactMap { change in change.module.map { (change.name, $0) } }
    ) { first, _ in first }
    var (factors, roots): ([Double], [Double]) = ([], [])
    for slot in a.graph.slots where a.graph.ties[slot.path] == nil {
      let names = a.graph.storedNames(at: slot.path)
      guard let name = names.first, names.count == 1, let module = modules[name],
        module.magnitude == nil
      else { continue }
      guard let w = base.tensor(at: slot.path), let x = a.graph.tensor(at: slot.path),
        let y = b.graph.tensor(at: slot.path), w.shape == x.shape, w.shape == y.shape,
        let factor = try factor(w, x, y)
      else { return nil }
      factors.append(factor)
      roots.append(Double(module.rank).squareRoot())
    }
    guard let first = factors.first else { return nil }
    func isClose(_ value: Double, _ other: Double) -> Bool {
      abs(value - other) <= tolerance * max(1, abs(other))
    }
    let isSame = factors.allSatisfy { isClose($0, first) }
    // A root of 2 is that of rank 4; merging twice is likelier.
    if isSame, isClose(first, 2) { return .same(2, weights: factors.count) }
    for isInverse in [false, true] {
      let wanted = roots.map { isInverse ? 1 / $0 : $0 }
      if roots.contains(where: { $0 > 1 }), zip(factors, wanted).allSatisfy(isClose) {
        return .rootOfRank(inverse: isInverse, weights: factors.count)
      }
    }
    return isSame && !isClose(first, 1) ? .same(first, weights: factors.count) : nil
  }

  /// Elements that are read at a time.
  private static let piece = 1 << 16

  /// t of a weight; `nil` if it explains it not.
  private static func factor(
    _ w: Tensor, _ x: Tensor, _ y: Tensor
  ) throws(CheckpointError) -> Double? {
    guard w.dtype.isComputable, x.dtype.isComputable, y.dtype.isComputable else { return nil }
    var (product, square, other, size) = (0.0, 0.0, 0.0, 0.0)
    for start in stride(from: 0, to: w.elementCount, by: piece) {
      let range = start..<min(start + piece, w.elementCount)
      let (p, q, r) = (try w.doubles(range), try x.doubles(range), try y.doubles(range))
      for index in p.indices {
        let (delta, found) = (q[index] - p[index], r[index] - p[index])
        product += delta * found
        square += delta * delta
        other += found * found
        size += r[index] * r[index]
      }
    }
    guard square > 0, other.isFinite, size.isFinite else { return nil }
    let factor = product / square
    // |found - t · delta|², of which rounding may make so much.
    let left = max(0, other - factor * product)
    let rounding = y.dtype.epsilon * y.dtype.epsilon * size
    return left <= tolerance * tolerance * square + rounding ? factor : nil
  }
}
