/// What a stored tensor is made of: one line of a dialect's table, on the side of the weights.
///
/// Every case is invertible, so a layout reads and writes. `{i}` in a path stands for a layer's number
/// and `{e}` for an expert's, the same as in the stored name.
package indirect enum Layout: Sendable {
  /// A weight as it is.
  case weight(String)
  /// With the last two axes exchanged.
  case transposed(Layout)
  /// Several parts, one behind the other along an axis.
  case joined([Layout], axis: Int)
  /// With the axes in another order: axis `k` is axis `axes[k]` of the part.
  case permuted(Layout, axes: [Int])
  /// The same part of all layers, along a new axis: then `{i}` runs over the layers. Or of all that
  /// another hole stands for: the experts of a layer.
  case stacked(Layout, over: Character = "i", axis: Int)
  /// The same part once for each layer of its stack, along a new axis: copies that must be equal.
  case repeated(Layout, axis: Int)
  /// With a new axis of one element.
  case unit(Layout, axis: Int)
  /// With an axis divided in two, the inner one as long as the model's dimension of that name.
  case divided(Layout, axis: Int, inner: String)
  /// With an axis and the next one taken together.
  case merged(Layout, axis: Int)
  /// With the two halves of each head interleaved along an axis: rotary pairs (i, i + size/2) become
  /// neighbours. The dimension is the size of a head.
  case interleavedHeads(Layout, axis: Int, size: String)
  /// With a number added to each element, which only a whole tensor has: the outermost case.
  case plus(Layout, Double)
  /// Without the last element along an axis before which all others are 1, which is zero: the outermost case.
  case withoutLast(Layout, axis: Int)
  /// Without the first rows, as many as the model's dimension of that name says: zeros when it is read, and not kept
  /// when it is written. The outermost case.
  case withoutFirst(Layout, rows: String)
  /// With zeros as one of `of` equal parts along the first axis, the one that `part` counts from 0: they are checked when it
  /// is read, and are no weight. The outermost case.
  case withZeros(Layout, part: Int, of: Int)

  /// The paths of the weights in it, with `{i}`.
  package var paths: [String] {
    switch self {
    case .weight(let path): [path]
    case .transposed(let inner), .permuted(let inner, _), .stacked(let inner, _, _),
      .repeated(let inner, _), .unit(let inner, _), .divided(let inner, _, _),
      .merged(let inner, _), .interleavedHeads(let inner, _, _), .plus(let inner, _),
      .withoutLast(let inner, _), .withoutFirst(let inner, _), .withZeros(let inner, _, _):
      inner.paths
    case .joined(let parts, _): parts.flatMap(\.paths)
    }
  }

  /// The holes that it runs over, so that one tensor takes in all of their numbers.
  var stackedHoles: Set<Character> {
    switch self {
    case .weight: []
    case .stacked(let inner, let hole, _): inner.stackedHoles.union([hole])
    case .transposed(let inner), .permuted(let inner, _), .repeated(let inner, _),
      .unit(let inner, _), .divided(let inner, _, _), .merged(let inner, _),
      .interleavedHeads(let inner, _, _), .plus(let inner, _), .withoutLast(let inner, _),
      .withoutFirst(let inner, _), .withZeros(let inner, _, _):
      inner.stackedHoles
    case .joined(let parts, _): parts.reduce([]) { $0.union($1.stackedHoles) }
    }
  }

  /// What is added to each element.
  var addend: Double {
    if case .plus(_, let number) = self { number } else { 0 }
  }

  /// The axis along which a zero is not stored.
  var axisWithoutLast: Int? {
    if case .withoutLast(_, let axis) = self { axis } else { nil }
  }

  /// The dimension that says how many rows at the beginning are not stored.
  var rowsWithoutFirst: String? {
    if case .withoutFirst(_, let name) = self { name } else { nil }
  }

  /// Which of how many parts along the first axis are zeros, if one is.
  var zeroPart: (part: Int, of: Int)? {
    if case .withZeros(_, let part, let count) = self { (part, count) } else { nil }
  }

  /// The layout in words: `transposed`, `joined along 0`.
  var text: String {
    switch self {
    case .weight: ""
    case .transposed(let inner): joined("transposed", inner)
    case .joined(let parts, let axis):
      joined("joined along \(axis)", parts.first ?? .weight(""))
    case .permuted(let inner, let axes):
      joined("axes \(axes.map(String.init).joined(separator: ", "))", inner)
    case .stacked(let inner, "i", let axis): joined("stacked along \(axis)", inner)
    case .stacked(let inner, let hole, let axis):
      joined("stacked over {\(hole)} along \(axis)", inner)
    case .repeated(let inner, let axis): joined("repeated along \(axis)", inner)
    case .unit(let inner, let axis): joined("unit axis \(axis)", inner)
    case .divided(let inner, let axis, let name): joined("axis \(axis) divided by \(name)", inner)
    case .merged(let inner, let axis): joined("axes \(axis) and \(axis + 1) merged", inner)
    case .interleavedHeads(let inner, _, _): joined("heads interleaved", inner)
    case .plus(let inner, let number): joined("plus \(number)", inner)
    case .withoutLast(let inner, let axis): joined("without the last along \(axis)", inner)
    case .withoutFirst(let inner, let name): joined("without the first \(name)", inner)
    case .withZeros(let inner, let part, let count):
      joined("with zeros as part \(part) of \(count)", inner)
    }
  }

  private func joined(_ text: String, _ inner: Layout) -> String {
    inner.text.isEmpty ? text : inner.text + ", " + text
  }
}
