public import Kernels
package import TensorCore

/// A normalisation, described.
public struct NormForm: Sendable, Equatable {
  /// What is divided by.
  public enum Kind: Sendable, Equatable {
    /// The standard deviation, after the mean is taken away. See `layerNorm`.
    case layer
    /// The root of the mean square. See `rmsNorm`.
    case rootMeanSquare
  }

  /// What is divided by.
  public var kind: Kind
  /// What is added under the root.
  public var epsilon: Double
  /// Whether a layer normalisation has an offset.
  public var hasBias = true
  /// Whether it has a gain.
  public var hasGain = true
  /// What is added to the stored weights to get the gain: 1 where they are stored as their distance from it.
  public var gainOffset = 0.0

  /// Layer normalisation. Ba et al., arXiv 1607.06450, eq. 4.
  public static func layer(
    epsilon: Double, hasBias: Bool = true, hasGain: Bool = true, gainOffset: Double = 0
  ) -> NormForm {
    NormForm(
      kind: .layer, epsilon: epsilon, hasBias: hasBias, hasGain: hasGain, gainOffset: gainOffset)
  }

  /// Root-mean-square normalisation. Zhang & Sennrich, arXiv 1910.07467, eq. 4.
  public static func rootMeanSquare(epsilon: Double, gainOffset: Double = 0) -> NormForm {
    NormForm(kind: .rootMeanSquare, epsilon: epsilon, hasBias: false, gainOffset: gainOffset)
  }
}

/// A normalisation with its weights, whichever it is.
public enum Norm<Scalar: ComputeScalar> {
  case layer(LayerNorm<Scalar>)
  case rootMeanSquare(RMSNorm<Scalar>)

  /// Asks for the weights of the module `name` in `scope`.
  ///
  /// - Parameter width: of what is normalised.
  package init(
    _ scope: WeightScope<Scalar>, _ name: String, _ form: NormForm, width: Int
  ) throws(CheckpointError) {
    switch form.kind {
    case .layer:
      self = .layer(
        try LayerNorm(
          scope.module(name, .layerNorm), width: width, epsilon: form.epsilon, bias: form.hasBias,
          gain: form.hasGain, gainOffset: form.gainOffset))
    case .rootMeanSquare:
      self = .rootMeanSquare(
        try RMSNorm(
          scope.module(name, .rmsNorm), width: width, epsilon: form.epsilon,
          gainOffset: form.gainOffset))
    }
  }

  /// `[…, width]` to the same.
  package func callAsFunction(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
    switch self {
    case .layer(let norm): norm(x)
    case .rootMeanSquare(let norm): norm(x)
    }
  }
}

extension Optional {
  /// What a normalisation makes of `x`; `x` if there is none.
  package func applied<Scalar>(to x: NDArray<Scalar>) -> NDArray<Scalar>
  where Wrapped == Norm<Scalar> {
    map { $0(x) } ?? x
  }
}

/// Layer normalisation with, unless told otherwise, gain and offset. See `layerNorm`.
public struct LayerNorm<Scalar: ComputeScalar> {
  private let gain: NDArray<Scalar>?  // [width]
  private let bias: NDArray<Scalar>?  // [width]
  let epsilon: Double

  /// - Parameters:
  ///   - width: of what is normalised.
  ///   - gainOffset: see `NormForm`.
  package init(
    _ scope: WeightScope<Scalar>, width: Int, epsilon: Double, bias hasBias: Bool = true,
    gain hasGain: Bool = true, gainOffset: Double = 0
  ) throws(CheckpointError) {
    gain = hasGain ? try scope.gain(width, offset: gainOffset) : nil
    bias = hasBias ? try scope.weight("bias", [width], .normBias) : nil
    self.epsilon = epsilon
  }

  /// `[…, width]` to the same.
  package func callAsFunction(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
    layerNorm(
      x, weight: gain ?? NDArray(shape: [x.width], repeating: 1),
      bias: bias ?? NDArray(shape: [x.width], repeating: 0), epsilon: epsilon)
  }
}

/// Root-mean-square normalisation with gain. See `rmsNorm`.
public struct RMSNorm<Scalar: ComputeScalar> {
  private let gain: NDArray<Scalar>  // [width]
  let epsilon: Double

  /// - Parameters:
  ///   - width: of what is normalised.
  ///   - gainOffset: see `NormForm`.
  package init(
    _ scope: WeightScope<Scalar>, width: Int, epsilon: Double, gainOffset: Double = 0
  ) throws(CheckpointError) {
    gain = try scope.gain(width, offset: gainOffset)
    self.epsilon = epsilon
  }

  /// `[…, width]` to the same.
  package func callAsFunction(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
    rmsNorm(x, weight: gain, epsilon: epsilon)
  }
}

extension WeightScope {
  /// The gain of a normalisation: the weight, and what is added to it.
  fileprivate func gain(
    _ width: Int, offset: Double
  ) throws(CheckpointError) -> NDArray<Scalar> {
    if offset != 0 { declare(.gain(offset: offset)) }
    let weight = try weight("weight", [width], .normWeight)  // [width]
    return offset == 0
      ? weight : addBroadcasting(weight, NDArray(shape: [1], elements: [Scalar(offset)]))
  }
}
