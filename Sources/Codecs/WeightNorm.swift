import Synchronization
import TensorCore

extension Codec {
  /// Directions and lengths of the kernels of a convolution: `X.weight_v` `[out, in, kernel]` and `X.weight_g`
  /// `[1, 1, kernel]`, or as `X.parametrizations.weight.original1` and `original0`. The weight `X.weight` is
  /// `v · (g / ‖v‖)`, with the norm over the first two axes, in double precision.
  ///
  /// Salimans & Kingma: "Weight Normalization", arXiv 1602.07868, eq. 2; torch's `weight_norm` with `dim=2`
  /// (nn/utils/weight_norm.py, nn/utils/parametrizations.py).
  public static let weightNorm = Codec(
    name: codecName, configKeys: ["num_conv_pos_embeddings"]
  ) { table, _ throws(CheckpointError) in
    var found: [CodedTensor] = []
    for lengths in table.tensors {
      guard let (directions, name) = directions(of: lengths, in: table) else { continue }
      let norm = try WeightNorm(lengths, directions)
      found.append(
        CodedTensor(
          codec: codecName, stored: [lengths, directions], tensor: norm.tensor(named: name),
          isComputed: true))
    }
    return found
  }
}

private let codecName = "weight-norm"

/// Names and shapes of the lengths and directions that are stored of a kernel `X.weight`, as torch names its
/// parametrisations; `nil` for what is no kernel of a convolution over one dimension.
public func weightNormParts(
  _ name: String, _ shape: [Int]
) -> [(name: String, shape: [Int])]? {
  guard shape.count == 3, name.hasSuffix(".weight") else { return nil }
  let module = name.dropLast("weight".count)
  return [
    ("\(module)parametrizations.weight.original0", [1, 1, shape[2]]),
    ("\(module)parametrizations.weight.original1", shape),
  ]
}

/// The directions beside lengths, and the name of the weight that both are.
private func directions(
  of lengths: Tensor, in table: TensorTable
) -> (Tensor, name: TensorName)? {
  let name = lengths.name.text
  for (own, other, plain) in [
    ("weight_g", "weight_v", "weight"),
    ("parametrizations.weight.original0", "parametrizations.weight.original1", "weight"),
  ] where name.hasSuffix("." + own) {
    let module = name.dropLast(own.count)
    guard let directions = table[TensorName(module + other)] else { return nil }
    return (directions, TensorName(module + plain))
  }
  return nil
}

/// Directions with their lengths.
private struct WeightNorm: Sendable {
  let lengths: Tensor
  let directions: Tensor

  /// - Throws: `CheckpointError` if they are of shapes or types that do not go together.
  init(_ lengths: Tensor, _ directions: Tensor) throws(CheckpointError) {
    for tensor in [lengths, directions] where !tensor.dtype.isComputable || tensor.dtype.isBlock {
      throw CheckpointError(
        .unsupported("\(codecName) has floating-point numbers, this is \(tensor.dtype)"),
        tensor: tensor.name)
    }
    guard directions.shape.count == 3, let kernel = directions.shape.last,
      lengths.shape == [1, 1, kernel]
    else {
      throw CheckpointError(
        .unsupported(
          "\(codecName) has a length for each place of a kernel: \(describe(shape: lengths.shape))"
            + " beside \(describe(shape: directions.shape))"), tensor: lengths.name)
    }
    (self.lengths, self.directions) = (lengths, directions)
  }

  /// The plain numbers.
  func tensor(named name: TensorName) -> Tensor {
    let factors = Factors(self)
    let (directions, kernel) = (directions, max(1, directions.shape[2]))
    return Tensor(
      name: name, dtype: .f64, shape: directions.shape,
      bytes: DecodedBytes(
        elementCount: directions.elementCount, doubles: directions.bytes,
        announce: { directions.bytes.announce(directions.dtype.byteRange(of: $0)) },
        decode: { range throws(CheckpointError) in
          let factors = try factors.values()
          var values = try directions.doubles(of: range)
          for index in values.indices {
            values[index] *= factors[(range.lowerBound + index) % kernel]
          }
          return values
        }))
  }
}

/// What directions are multiplied by: found once, when they are read first.
private final class Factors: Sendable {
  private let norm: WeightNorm
  private let found = Mutex<[Double]?>(nil)

  init(_ norm: WeightNorm) { self.norm = norm }

  /// The length over the norm, for each place of a kernel.
  func values() throws(CheckpointError) -> [Double] {
    if let known = found.withLock({ $0 }) { return known }
    let directions = norm.directions
    let kernel = max(1, directions.shape[2])
    var squares = [Double](repeating: 0, count: kernel)
    let count = directions.elementCount
    for start in stride(from: 0, to: count, by: 1 << 16) {
      let piece = start..<min(start + (1 << 16), count)
      for (index, value) in try directions.doubles(of: piece).enumerated() {
        squares[(start + index) % kernel] += value * value
      }
    }
    let lengths = try norm.lengths.doubles(of: 0..<norm.lengths.elementCount)
    let factors = zip(lengths, squares).map { $0 / $1.squareRoot() }
    found.withLock { $0 = factors }
    return factors
  }
}

extension Tensor {
  /// Numbers of a range of elements.
  fileprivate func doubles(of range: Range<Int>) throws(CheckpointError) -> [Double] {
    let bytes = try bytes(of: range)
    var values = [Double](repeating: 0, count: range.count)
    var span = values.mutableSpan
    dtype.widen(unsafe bytes.span.bytes, into: &span)
    return values
  }
}
