#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

public import Models
public import TensorCore

/// What weights themselves show of conventions that neither names nor shapes do: whether 1 is to be added to gains,
/// and whether square matrices are transposed.
///
/// Only trained weights show it. Of random ones, of small models, and wherever both readings are possible, nothing is
/// said. Which lanes rotary positions turn together is not measured.
public struct Conventions: Sendable {
  /// What was measured.
  public struct Finding: Sendable, Equatable {
    /// What it is of, with `*` for all layers.
    public let place: String
    /// What is so.
    public let text: String
    /// Whether it contradicts what config and dialect say.
    public let isContradiction: Bool
  }

  /// What was measured; nothing where that would be a guess.
  public private(set) var findings: [Finding] = []
  /// Whether matrices are unlike random ones, so that something can be measured.
  public private(set) var isTrained = false

  /// What contradicts config and dialect.
  public var contradictions: [Finding] { findings.filter(\.isContradiction) }

  /// Measures the weights of a model.
  ///
  /// - Throws: `CheckpointError` when bytes cannot be read.
  public init(_ graph: WeightGraph) throws(CheckpointError) {
    isTrained = try Self.isTrained(graph)
    guard isTrained else { return }
    try checkGains(graph)
    try checkSquares(graph)
  }

  // MARK: Whether something can be told

  /// The paths of matrices of linear layers large enough to tell something, of all layers.
  private static func sampled(_ graph: WeightGraph) -> [String] {
    let all = graph.slots.filter {
      $0.role == .linear && $0.shape.count == 2 && $0.shape.allSatisfy { $0 >= smallest }
        && $0.path.contains("blocks.")
    }
    let step = max(1, all.count / mostMatrices)
    return stride(from: 0, to: all.count, by: step).map { all[$0].path }
  }

  /// Narrower matrices and gains are not looked at, nor more than so many.
  private static let smallest = 64
  private static let mostMatrices = 24
  private static let mostRows = 128
  private static let mostBytes = 64 << 20

  /// Whether rows of matrices differ in size more than those of random ones do: the squared norms of rows of n normal
  /// numbers have the relative variance 2 / n.
  private static func isTrained(_ graph: WeightGraph) throws(CheckpointError) -> Bool {
    var ratios: [Double] = []
    for path in sampled(graph) {
      // One at a time: a matrix that is gathered keeps what it has gathered.
      guard let matrix = graph.tensor(at: path), matrix.dtype.isComputable else { continue }
      let squares = try rows(of: matrix).map { $0.reduce(0) { $0 + $1 * $1 } }
      let sample = ElementSample(squares)
      guard sample.mean > 0, sample.mean.isFinite else { continue }
      let deviation = sample.shift(from: ElementSample(squares.map { _ in 0 })).deviation
      let relative = deviation / sample.mean
      ratios.append(relative * relative * Double(matrix.shape[1]) / 2)
    }
    return ratios.count >= 4 && ratios.sorted()[ratios.count / 2] > 3
  }

  /// Some rows from all of a matrix.
  private static func rows(of matrix: Tensor) throws(CheckpointError) -> [[Double]] {
    let (count, width) = (matrix.shape[0], matrix.shape[1])
    let step = max(1, count / mostRows)
    return try stride(from: 0, to: count, by: step).map { row throws(CheckpointError) in
      try matrix.doubles(row * width..<(row + 1) * width)
    }
  }

  // MARK: Gains

  /// Gains of normalisations are positive in trained models, but for few; stored less 1, most would be negative.
  private mutating func checkGains(_ graph: WeightGraph) throws(CheckpointError) {
    var gains: [Double: (vectors: Int, positive: Int, count: Int, least: Double, sum: Double)] = [:]
    for slot in graph.slots where slot.role == .normWeight && slot.parameterCount >= Self.smallest {
      guard let tensor = graph.tensor(at: slot.path), tensor.dtype.isComputable else { continue }
      let module = slot.path.split(separator: ".").dropLast().joined(separator: ".")
      let offset = if case .gain(let offset)? = graph.layers[module] { offset } else { 0.0 }
      let values = try tensor.doubles(0..<tensor.elementCount)
      guard values.allSatisfy(\.isFinite) else { return }
      var own = gains[offset] ?? (0, 0, 0, .infinity, 0)
      own.vectors += 1
      own.count += values.count
      own.positive += values.count { $0 > 0 }
      own.least = min(own.least, values.min() ?? 0)
      own.sum += values.reduce(0, +)
      gains[offset] = own
    }
    for (offset, found) in gains.sorted(by: { $0.key < $1.key }) where found.vectors >= 3 {
      let mean = Float((found.sum / Double(found.count) * 1000).rounded() / 1000)
      let share = Double(found.positive) / Double(found.count)
      let place = "gains of \(found.vectors) normalisations"
      if offset == 0 {
        if share < 0.8, found.least > -1.5 {
          add(
            place,
            "\(Self.percent(1 - share)) are negative, mean \(mean): the family stores them whole, and these seem"
              + " to be stored less 1", isContradiction: true)
        } else if share > 0.98 {
          add(place, "positive, mean \(mean), as gains that are stored whole")
        }
      } else if offset == 1, found.least > 0, found.vectors >= 4, found.count >= 1024 {
        add(
          place,
          "all positive, mean \(mean): the family adds 1 to them, and that seems to have been done already",
          isContradiction: true)
      } else if offset == 1, share < 0.9 {
        add(place, "of both signs, mean \(mean), as gains that are stored less 1")
      }
    }
  }

  private static func percent(_ share: Double) -> String { "\(Int((share * 100).rounded())) %" }

  private mutating func add(_ place: String, _ text: String, isContradiction: Bool = false) {
    findings.append(Finding(place: place, text: text, isContradiction: isContradiction))
  }

  // MARK: Square matrices

  /// What reads hidden states weighs their numbers alike in all matrices of a block, and what adds to them likewise; a
  /// square one that does so by its rows instead of its columns is transposed.
  private mutating func checkSquares(_ graph: WeightGraph) throws(CheckpointError) {
    guard let width = graph.architecture.hiddenWidth, width >= Self.smallest else { return }
    var found: [String: [(right: Double, turned: Double)]] = [:]
    let blocks = Self.feedForwards(graph)
    let step = max(1, blocks.count / 6)
    for index in stride(from: 0, to: blocks.count, by: step) {
      let block = blocks[index]
      for (part, reference, isReading) in [
        ("attention.query", "feed_forward.up", true), ("attention.key", "feed_forward.up", true),
        ("attention.value", "feed_forward.up", true),
        ("attention.output", "feed_forward.down", false),
      ] {
        guard let square = Self.matrix("\(block).\(part).weight", graph),
          square.shape == [width, width],
          let other = Self.matrix("\(block).\(reference).weight", graph),
          other.shape[0] != other.shape[1], other.shape[isReading ? 1 : 0] == width
        else { continue }
        let profile = try Self.sizes(of: other, ofRows: !isReading)
        let rows = try Self.sizes(of: square, ofRows: true)
        let columns = try Self.sizes(of: square, ofRows: false)
        let values = [rows, columns].map { abs(profile.correlation(with: $0)) }
        found[part, default: []].append(
          isReading ? (values[1], values[0]) : (values[0], values[1]))
      }
    }
    for (part, pairs) in found.sorted(by: { $0.key < $1.key }) {
      let count = Double(pairs.count)
      let right = pairs.reduce(0) { $0 + $1.right } / count
      let turned = pairs.reduce(0) { $0 + $1.turned } / count
      // Of unlike profiles the correlation is about 1 / √width.
      let least = max(0.3, 5 / Double(width).squareRoot())
      let place = "blocks.*.\(part).weight"
      if turned >= least, right <= turned / 2, right < 0.25 {
        add(
          place,
          "its rows go with hidden states where its columns should, correlation"
            + " \(Self.rounded(turned)) against \(Self.rounded(right)): it seems to be transposed",
          isContradiction: true)
      } else if right >= least, turned <= right / 2, turned < 0.25 {
        add(
          place,
          "not transposed, by what goes with hidden states: \(Self.rounded(right)) against"
            + " \(Self.rounded(turned))")
      }
    }
  }

  /// The blocks that have a feed-forward network.
  private static func feedForwards(_ graph: WeightGraph) -> [String] {
    graph.slots.compactMap { slot in
      slot.path.hasSuffix(".feed_forward.up.weight")
        ? String(slot.path.dropLast(".feed_forward.up.weight".count)) : nil
    }
  }

  private static func matrix(_ path: String, _ graph: WeightGraph) -> Tensor? {
    guard let tensor = graph.tensor(at: path), tensor.dtype.isComputable, tensor.shape.count == 2,
      tensor.byteCount <= mostBytes
    else { return nil }
    return tensor
  }

  /// The logarithms of the sizes of all rows, or of all columns.
  private static func sizes(of matrix: Tensor, ofRows: Bool) throws(CheckpointError)
    -> ElementSample
  {
    let (count, width) = (matrix.shape[0], matrix.shape[1])
    var squares = [Double](repeating: 0, count: ofRows ? count : width)
    for row in 0..<count {
      let values = try matrix.doubles(row * width..<(row + 1) * width)
      for (column, value) in values.enumerated() { squares[ofRows ? row : column] += value * value }
    }
    return ElementSample(squares.map { log($0 + .leastNormalMagnitude) })
  }

  private static func rounded(_ value: Double) -> Float { Float((value * 100).rounded() / 100) }
}
