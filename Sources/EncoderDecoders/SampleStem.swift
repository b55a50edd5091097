public import Kernels
import Models
import TensorCore

/// What samples become before the first block: vectors of positions, by convolutions without padding one behind the
/// other, each with an activation; what the first one makes is normalised, all channels and places of a sound together.
///
/// Jeffries et al., arXiv 2410.15608, §3.1.
public struct SampleStem: Sendable, Equatable {
  /// A convolution.
  public struct Layer: Sendable, Equatable {
    /// How many channels it makes.
    public var width: Int
    public var kernel: Int
    public var stride: Int
    /// What is applied behind it.
    public var activation: Activation
    /// Whether it has a bias.
    public var hasBias: Bool

    /// Describes a convolution.
    public init(
      width: Int, kernel: Int, stride: Int, activation: Activation, hasBias: Bool = true
    ) {
      (self.width, self.kernel, self.stride) = (width, kernel, stride)
      (self.activation, self.hasBias) = (activation, hasBias)
    }
  }

  /// The convolutions in order.
  public var layers: [Layer]

  /// Describes what samples become.
  public init(layers: [Layer]) {
    self.layers = layers
  }

  /// How many positions so many samples become; 0 if they are too few.
  func frames(of samples: Int) -> Int {
    layers.reduce(samples) { count, layer in
      count < layer.kernel ? 0 : (count - layer.kernel) / layer.stride + 1
    }
  }

  /// How many samples there are from one position to the next.
  var stride: Int { layers.reduce(1) { $0 * $1.stride } }

  /// How many samples a position is made of.
  var reach: Int { layers.reversed().reduce(1) { ($0 - 1) * $1.stride + $1.kernel } }
}

/// The convolutions over samples, with their weights.
struct SampleLayers<Scalar: ComputeScalar> {
  private let stem: SampleStem
  private let weights: [(weight: NDArray<Scalar>, bias: NDArray<Scalar>?)]
  private let norm: ChannelNorm<Scalar>?

  /// Asks for the weights.
  init(_ scope: WeightScope<Scalar>, _ stem: SampleStem) throws(CheckpointError) {
    self.stem = stem
    var weights: [(weight: NDArray<Scalar>, bias: NDArray<Scalar>?)] = []
    var channels = 1
    let inner = scope.module("convolutions", .sequence)
    for (number, layer) in stem.layers.enumerated() {
      let own = inner.module("\(number)", .linear)
      let weight = try own.weight("weight", [layer.width, channels, layer.kernel], .linear)
      weights.append((weight, layer.hasBias ? try own.weight("bias", [layer.width], .bias) : nil))
      channels = layer.width
    }
    self.weights = weights
    norm = try stem.layers.first.map { layer throws(CheckpointError) in
      try ChannelNorm(scope.module("norm", .layerNorm), channels: layer.width, isOfAll: true)
    }
  }

  /// `[batch, samples]` to `[batch, positions, width]`
  func callAsFunction(_ samples: NDArray<Scalar>) -> NDArray<Scalar> {
    var x = samples.reshaped([samples.shape[0], 1, samples.shape[1]])
    for (number, layer) in stem.layers.enumerated() {
      x = apply(
        layer.activation,
        to: convolve(
          x, weight: weights[number].weight, bias: weights[number].bias,
          axis: ConvolutionAxis(stride: layer.stride)))
      if number == 0, let norm { x = norm(x) }
    }
    return permute(x, [0, 2, 1])
  }
}
