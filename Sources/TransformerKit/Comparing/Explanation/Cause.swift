public import TensorCore

/// What was done to a weight of A to get B's.
public indirect enum Cause: Equatable, Sendable {
  /// The matrix was transposed.
  case transposed
  /// It should have been transposed, but its bytes were only given the other shape.
  case reshaped
  /// It is another weight of A, and that one's place has this weight.
  case exchanged(with: String)
  /// It is a copy of another weight of A.
  case copied(from: String)
  /// Layers or experts stand for one another.
  case renumbered(Renumbering)
  /// B takes another weight for it, and A has one of its own.
  case tied(to: String)
  /// B has one of its own, and A takes another weight for it.
  case untied(from: String)
  /// Every row stands where another stood: `B[i] = A[i + offset]`.
  case shifted(axis: Int, offset: Int)
  /// The halves of every head were interleaved (rotary pairs made neighbours), or the other way.
  case interleaved(axis: Int, headSize: Int, inverse: Bool)
  /// Heads and the places inside a head were read in the wrong order.
  case headsTransposed(axis: Int, heads: Int)
  /// Two blocks of neighbours were exchanged.
  case blocksExchanged(axis: Int, block: Int, Int, Int)
  /// Blocks of neighbours were permuted.
  case permuted(axis: Int, block: Int)
  /// Channels of kernels stand in another order, that of the numbers for all: blue, green, red.
  case channels([Int])
  /// Axes of kernels were exchanged or run backwards.
  case kernels(KernelOrder)
  /// Query, key and value, or two of them, were taken from their common matrix as if it held them head by
  /// head, or the other way.
  case fused([String], headSize: Int, inverse: Bool)
  /// Gate and up were taken from their common matrix by turns and not as its halves, or the other way.
  case halved(inverse: Bool)
  /// Multiplied by a constant.
  case scaled(Double)
  /// A constant was added.
  case offset(Double)
  /// All elements are that.
  case constant(Double)
  /// Cast to a smaller type by cutting bits off instead of rounding.
  case truncated(DType)
  /// Rounded to a smaller type, though stored in the larger one.
  case rounded(DType)
  /// Rounded as the sum with a number is in a type, which was then taken away again: what a dialect that keeps
  /// w + 1 makes of w.
  case roundedSum(Double, DType)
  /// Only some rows (axis 0), columns (axis 1) or elements of a vector were changed, and like this.
  case part(axis: Int?, [Int], Cause)
  /// The first, and then the second.
  case both(Cause, Cause)

  /// The cause in words, as a predicate of the weight in B.
  public var text: String {
    switch self {
    case .transposed: return "transposed in B"
    case .reshaped: return "given the other shape instead of being transposed in B"
    case .exchanged(let other): return "exchanged with \(other) in B"
    case .copied(let other): return "a copy of A's \(other) in B"
    case .renumbered(let change): return change.text
    case .tied(let other): return "tied to \(other) in B, a weight of its own in A"
    case .untied(let other): return "a weight of its own in B, tied to \(other) in A"
    case .shifted(let axis, let offset):
      return "\(lines(axis)) moved by \(abs(offset)) \(offset < 0 ? "down" : "up") in B"
    case .interleaved(let axis, let size, let inverse):
      let change = inverse ? "half-split" : "interleaved"
      return "\(lines(axis)) of each head of \(size) \(change) in B"
    case .headsTransposed(let axis, let heads):
      return "\(lines(axis)) of \(heads) heads in the wrong order in B"
    case .blocksExchanged(let axis, 1, let first, let second):
      return "\(lines(axis)) \(first) and \(second) exchanged in B"
    case .blocksExchanged(let axis, let block, let first, let second):
      return "blocks \(first) and \(second) of \(block) \(lines(axis)) exchanged in B"
    case .permuted(let axis, 1): return "\(lines(axis)) permuted in B"
    case .permuted(let axis, let block):
      return "\(lines(axis)) permuted in blocks of \(block) in B"
    case .channels(let order) where order.count > 8: return "channels permuted in B"
    case .channels(let order):
      let isReversed = order == Array(order.indices.reversed())
      let list = order.map(String.init).joined(separator: ", ")
      return "channels \(isReversed ? "reversed" : "in the order \(list)") in B"
    case .kernels(let order): return "\(order.text) in B"
    case .fused(let parts, let size, let inverse):
      let (right, wrong) =
        inverse ? ("head by head", "part by part") : ("part by part", "head by head")
      return "\(parts.listed) split \(wrong) instead of \(right) in B, heads of \(size)"
    case .halved(let inverse):
      let (right, wrong) = inverse ? ("by turns", "as halves") : ("as halves", "by turns")
      return "gate and up split \(wrong) instead of \(right) in B"
    case .scaled(let factor): return "multiplied by \(factor) in B"
    case .offset(let amount): return "\(amount) was added in B"
    case .constant(0): return "zero in B"
    case .constant(let value): return "all \(value) in B"
    case .truncated(let type): return "cut off to \(type) instead of rounded in B"
    case .rounded(let type): return "rounded to \(type) in B, though stored wider"
    case .roundedSum(let number, let type):
      return "rounded in B as the sum with \(number) is in \(type)"
    case .part(let axis, let indices, let cause):
      return "\(lines(axis, indices)): \(cause.text)"
    case .both(let first, let second): return "\(first.ownText), \(second.text)"
    }
  }

  /// The same without saying of which model.
  var ownText: String { text.hasSuffix(" in B") ? String(text.dropLast(5)) : text }

  /// Another weight that this one is, and whether that is this one.
  var confusion: (other: String, isExchange: Bool)? {
    switch self {
    case .exchanged(let other): (other, true)
    case .copied(let other): (other, false)
    case .both(let first, _): first.confusion
    default: nil
    }
  }

  /// The same with another name of the other weight.
  func confused(with other: String) -> Cause {
    switch self {
    case .exchanged: .exchanged(with: other)
    case .copied: .copied(from: other)
    case .both(let first, let second): .both(first.confused(with: other), second)
    default: self
    }
  }
}

private func lines(_ axis: Int) -> String { axis == 0 ? "rows" : "columns" }

/// `row 3`, `rows 3…5`, `rows 0…3, 8…11`, `rows 1, 4, 9 and 12 more`.
private func lines(_ axis: Int?, _ indices: [Int]) -> String {
  let name = axis.map { $0 == 0 ? "row" : "column" } ?? "element"
  guard indices.count > 1 else { return "\(name) \(indices.first ?? 0)" }
  let runs = runs(indices)
  let shown = runs.prefix(3).map { run in
    run.count == 1 ? "\(run.lowerBound)" : "\(run.lowerBound)…\(run.upperBound)"
  }.joined(separator: ", ")
  let rest = runs.dropFirst(3).reduce(0) { $0 + $1.count }
  return "\(name)s \(shown)\(rest > 0 ? " and \(rest) more" : "")"
}

/// Ascending numbers as ranges of those that follow each other.
func runs(_ numbers: [Int]) -> [ClosedRange<Int>] {
  numbers.reduce(into: []) { runs, number in
    if let last = runs.last, last.upperBound + 1 == number {
      runs[runs.count - 1] = last.lowerBound...number
    } else {
      runs.append(number...number)
    }
  }
}

extension [String] {
  /// `query, key and value`.
  var listed: String {
    count < 2 ? joined() : dropLast().joined(separator: ", ") + " and " + (last ?? "")
  }
}
