public import Kernels
package import TensorCore

/// How far attention that goes by blocks of a text sees, and what it sees of the rest.
///
/// Guo et al., arXiv 2112.07916, §3.1; Ainslie et al.: "ETC", arXiv 2004.08483, §3.
public struct BlockwiseForm: Sendable, Equatable {
  /// How many positions to either side a query sees.
  public var radius: Int
  /// How many positions become one that every query sees; `nil` if none do.
  public var globalBlock: Int?

  /// Describes it.
  public init(radius: Int, globalBlock: Int?) {
    (self.radius, self.globalBlock) = (radius, globalBlock)
  }

  /// How many positions a block has: of one block a query sees no more than that and the two beside it.
  public var block: Int { radius + 1 }
}

/// Attention of each position to those near it, and to sums of stretches of the text, with biases for distances.
///
/// As in Hugging Face's code (transformers 5.x) each block of queries has scores for the keys of three
/// blocks, those beyond the text included, which are zero, and for the sums; what is not seen scores 10¹⁰ less. So a
/// query that is padding, which sees nothing, weighs all of these by their scores, if no sum is empty.
public struct BlockwiseAttention<Scalar: ComputeScalar> {
  private let attention: Attention<Scalar>
  private let form: BlockwiseForm
  private let globalNorm: RMSNorm<Scalar>?

  /// - Parameter epsilon: of the normalisation of sums.
  package init(
    _ scope: WeightScope<Scalar>, width: Int, shape: AttentionShape, form: BlockwiseForm,
    epsilon: Double
  ) throws(CheckpointError) {
    var shape = shape
    shape.window = form.block
    shape.seesAhead = true
    attention = try Attention(scope, width: width, shape: shape, scale: 1, bias: false)
    globalNorm = try form.globalBlock.map { _ throws(CheckpointError) in
      try RMSNorm(scope.module("global_norm", .rmsNorm), width: width, epsilon: epsilon)
    }
    self.form = form
  }

  /// - Parameters:
  ///   - x: `[batch, length, width]`
  ///   - allowed: `[batch, length]`, what is no padding; `nil` if nothing is.
  ///   - bias: `[heads, 4·block − 1]`, for each distance from that of 2·block − 1 positions before a query on.
  ///   - globalBias: `[heads, 2·sums + 1]`, for each distance between numbers of sums, from `sums` before on.
  ///   - addend: `[batch, length, width]`, added to the result.
  /// - Returns: `[batch, length, width]`
  package func callAsFunction(
    _ x: NDArray<Scalar>, allowed: NDArray<Bool>?, bias: NDArray<Scalar>,
    globalBias: NDArray<Scalar>?, adding addend: NDArray<Scalar>
  ) -> NDArray<Scalar> {
    let (batch, length) = (x.shape[0], x.shape[1])
    let sums = form.globalBlock.map {
      TextSums(batch: batch, length: length, size: $0, allowed: allowed)
    }
    let parts = project(
      x, by: [attention.query, attention.key, attention.value].map(\.projection))
    var (sideKeys, sideValues): (NDArray<Scalar>?, NDArray<Scalar>?)
    if let sums, sums.count > 0, let globalNorm {
      let side = project(
        globalNorm(sums.sums(of: x)), by: [attention.key, attention.value].map(\.projection))
      (sideKeys, sideValues) = (side[0], side[1])
    }
    let places = BlockPlaces(size: form.block, length: length)
    let scoring = BlockwiseBias(
      form: form, places: places, allowed: allowed, bias: bias, sums: sums, globalBias: globalBias,
      heads: attention.shape.heads)
    let results = (0..<places.count).map { block -> NDArray<Scalar> in
      var keys = places.threeBlocks(of: parts[1], around: block)
      var values = places.threeBlocks(of: parts[2], around: block)
      if let sideKeys, let sideValues {
        keys = join([keys, sideKeys], axis: 1)
        values = join([values, sideValues], axis: 1)
      }
      return Kernels.attention(
        query: places.block(of: parts[0], block), key: keys, value: values,
        heads: attention.shape.heads,
        scores: Scores(scale: attention.scale, bias: scoring.bias(of: block, batch: batch)))
    }
    return attention.output(join(results, axis: 1), adding: addend)
  }
}

/// Where the blocks of a text are.
private struct BlockPlaces {
  let size: Int
  let length: Int

  var count: Int { (length + size - 1) / size }

  /// The positions of a block that the text has.
  func range(of block: Int) -> Range<Int> { block * size..<min((block + 1) * size, length) }

  /// `[batch, length, width]` to `[batch, positions of the block, width]`.
  func block<Scalar: ComputeScalar>(of x: NDArray<Scalar>, _ block: Int) -> NDArray<Scalar> {
    rows(of: x, range(of: block))
  }

  /// `[batch, length, width]` to `[batch, 3·size, width]`: the block, the ones before and behind it, and zeros where
  /// there is no text.
  func threeBlocks<Scalar: ComputeScalar>(
    of x: NDArray<Scalar>, around block: Int
  ) -> NDArray<Scalar> {
    rows(of: x, (block - 1) * size..<(block + 2) * size)
  }

  private func rows<Scalar: ComputeScalar>(
    of x: NDArray<Scalar>, _ range: Range<Int>
  ) -> NDArray<Scalar> {
    let present = range.clamped(to: 0..<length)
    let zeros = { (count: Int) in [Scalar](repeating: 0, count: count * x.width) }
    var elements: [Scalar] = []
    elements.reserveCapacity(x.shape[0] * range.count * x.width)
    for text in 0..<x.shape[0] {
      let first = text * length
      elements += zeros(present.lowerBound - range.lowerBound)
      elements +=
        x.elements[
          (first + present.lowerBound) * x.width..<(first + present.upperBound) * x.width]
      elements += zeros(range.upperBound - present.upperBound)
    }
    return NDArray(shape: [x.shape[0], range.count, x.width], elements: elements)
  }
}

/// Sums of stretches of a text, each of so many positions: those that are over make part of the last one.
///
/// transformers' `_make_global_fixed_block_ids` and `_create_global_aggregates`.
private struct TextSums {
  /// How many sums a text may have, be they empty.
  let count: Int
  /// `[batch, length]`: the number of the sum that a position is a part of, or −1.
  let numbers: [Int]
  /// `[batch]`: how many of its sums a text uses.
  let used: [Int]
  private let length: Int

  init(batch: Int, length: Int, size: Int, allowed: NDArray<Bool>?) {
    count = length / size
    self.length = length
    var (numbers, used) = ([Int](), [Int]())
    for text in 0..<batch {
      let isAllowed = { (position: Int) in allowed?.elements[text * length + position] ?? true }
      let ends = stride(from: size - 1, to: length, by: size).count(where: isAllowed)
      let own = (0..<length).map { isAllowed($0) ? min($0 / size, ends - 1) : -1 }
      numbers += own
      used.append((own.max() ?? -1) + 1)
    }
    (self.numbers, self.used) = (numbers, used)
  }

  /// `[batch, length, width]` to `[batch, count, width]`.
  func sums<Scalar: ComputeScalar>(of x: NDArray<Scalar>) -> NDArray<Scalar> {
    let (batch, width) = (x.shape[0], x.width)
    var sums = [Scalar](repeating: 0, count: batch * count * width)
    for text in 0..<batch {
      for position in 0..<length {
        let number = numbers[text * length + position]
        guard number >= 0 else { continue }
        let (target, row) = ((text * count + number) * width, x.row(text * length + position))
        for (column, element) in row.enumerated() { sums[target + column] += element }
      }
    }
    return NDArray(shape: [batch, count, width], elements: sums)
  }
}

/// What is added to the scores of blocks.
private struct BlockwiseBias<Scalar: ComputeScalar> {
  let form: BlockwiseForm
  let places: BlockPlaces
  let allowed: NDArray<Bool>?
  let bias: NDArray<Scalar>
  let sums: TextSums?
  let globalBias: NDArray<Scalar>?
  let heads: Int

  /// What scores less for not being seen.
  private static var hidden: Scalar { -1e10 }

  /// For each query of a block, each key of the three blocks and each sum.
  func bias(of block: Int, batch: Int) -> ScoreBias<Scalar> {
    let (size, range) = (form.block, places.range(of: block))
    let sideCount = sums?.count ?? 0
    let keys = 3 * size + sideCount
    var elements: [Scalar] = []
    elements.reserveCapacity(batch * heads * range.count * keys)
    for text in 0..<batch {
      let seen = { (position: Int) -> Bool in
        guard (0..<places.length).contains(position) else { return false }
        return allowed?.elements[text * places.length + position] ?? true
      }
      let keysSeen = (0..<3 * size).map { seen((block - 1) * size + $0) }
      for head in 0..<heads {
        let strip = bias.row(head)
        let sideStrip = globalBias?.row(head)
        for query in range {
          let (own, isSeen) = (query - (block - 1) * size, seen(query))
          for key in 0..<3 * size {
            let distance = key - own
            let isNear = isSeen && keysSeen[key] && abs(distance) < size
            let number = strip[strip.startIndex + distance + 2 * size - 1]
            elements.append(isNear ? number : number + Self.hidden)
          }
          guard let sums, let sideStrip else { continue }
          let number = sums.numbers[text * places.length + query]
          for sum in 0..<sideCount {
            // A query that is padding sees the sums that are empty.
            let isUsed = sum < sums.used[text]
            let side = sideStrip[sideStrip.startIndex + sum - number + sideCount]
            elements.append(isUsed == isSeen ? side : Self.hidden + side)
          }
        }
      }
    }
    return .pairs(NDArray(shape: [batch, heads, range.count, keys], elements: elements))
  }
}
