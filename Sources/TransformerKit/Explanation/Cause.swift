public import TensorCore

/// What was done to a weight of A to get B's.
public enum Cause: Equatable, Sendable {
  /// The matrix was transposed.
  case transposed
  /// It is another weight of A, and that one's place has this weight.
  case exchanged(with: String)
  /// It is a copy of another weight of A.
  case copied(from: String)
  /// Every row stands where another stood: `B[i] = A[i + offset]`.
  case shifted(axis: Int, offset: Int)
  /// The halves of every head were interleaved (rotary pairs made neighbours), or the other way.
  case interleaved(axis: Int, headSize: Int, inverse: Bool)
  /// Heads and the places inside a head were read in the wrong order.
  case headsTransposed(axis: Int, heads: Int)
  /// Blocks of neighbours were permuted.
  case permuted(axis: Int, block: Int)
  /// Multiplied by a constant.
  case scaled(Double)
  /// A constant was added.
  case offset(Double)
  /// All elements are zero.
  case zeroed
  /// Cast to a smaller type by cutting bits off instead of rounding.
  case truncated(DType)

  /// The cause in words, as a predicate of the weight in B.
  public var text: String {
    func along(_ axis: Int) -> String { axis == 0 ? "rows" : "columns" }
    switch self {
    case .transposed: return "transposed in B"
    case .exchanged(let other): return "exchanged with \(other) in B"
    case .copied(let other): return "a copy of \(other) in B"
    case .shifted(let axis, let offset):
      return "\(along(axis)) moved by \(abs(offset)) \(offset < 0 ? "down" : "up") in B"
    case .interleaved(let axis, let size, let inverse):
      let change = inverse ? "half-split" : "interleaved"
      return "\(along(axis)) of each head of \(size) \(change) in B"
    case .headsTransposed(let axis, let heads):
      return "\(along(axis)) of \(heads) heads in the wrong order in B"
    case .permuted(let axis, let block):
      return block > 1
        ? "\(along(axis)) permuted in blocks of \(block) in B" : "\(along(axis)) permuted in B"
    case .scaled(let factor): return "multiplied by \(factor) in B"
    case .offset(let amount): return "\(amount) was added in B"
    case .zeroed: return "zero in B"
    case .truncated(let type): return "cut off to \(type) instead of rounded in B"
    }
  }
}
