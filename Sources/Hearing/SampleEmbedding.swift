import Kernels
import Models
import TensorCore

/// What makes frames of what is read, with its weights.
enum SoundEmbedding<Scalar: ComputeScalar> {
  case samples(SampleEmbedding<Scalar>)
  case bands(BandEmbedding<Scalar>)
  case frames(Norm<Scalar>, Linear<Scalar>)

  /// Asks for the weights of a source.
  init(
    _ scope: WeightScope<Scalar>, _ source: SoundSource, width: Int
  ) throws(CheckpointError) {
    switch source {
    case .samples(let form):
      self = .samples(try SampleEmbedding(scope, form, width: width))
    case .bands(let form):
      self = .bands(try BandEmbedding(scope, form, width: width))
      return
    case .frames(let numbers, let norm):
      self = .frames(
        try Norm(scope, "norm", norm, width: numbers),
        try Linear(scope.module("projection", .linear), in: numbers, out: width))
    }
    // What stands for what training masks.
    _ = try scope.module("mask", .embedding, isUnused: true).weight(
      "weight", [width], .embedding, origin: .passenger)
  }

  /// Vectors of the frames of sounds: before they are as wide as the stream, and behind that.
  ///
  /// - Parameter lengths: how much of each sound is no padding.
  func callAsFunction(
    _ x: NDArray<Scalar>, lengths: [Int]?
  ) -> (features: NDArray<Scalar>, stream: NDArray<Scalar>) {
    switch self {
    case .samples(let embedding): return embedding(x)
    case .bands(let embedding):
      let stream = embedding(x, lengths: lengths)
      return (stream, stream)
    case .frames(let norm, let projection):
      let features = norm(x)
      return (features, projection(features))
    }
  }
}

/// What makes frames of samples, with its weights.
struct SampleEmbedding<Scalar: ComputeScalar> {
  private struct Layer {
    let weight: NDArray<Scalar>
    let bias: NDArray<Scalar>?
    let norm: Norm<Scalar>?
    let channels: ChannelNorm<Scalar>?
    let stride: Int
  }

  private let form: SampleForm
  private let layers: [Layer]
  private let norm: Norm<Scalar>?
  private let projection: Linear<Scalar>

  /// Asks for the convolutions, and for the linear layer that makes frames as wide as the stream.
  init(_ scope: WeightScope<Scalar>, _ form: SampleForm, width: Int) throws(CheckpointError) {
    self.form = form
    var layers: [Layer] = []
    var channels = 1
    let inner = scope.module("convolutions", .sequence)
    for (number, layer) in form.layers.enumerated() {
      let scope = inner.module("\(number)", .block)
      let own = scope.module("convolution", .linear)
      let weight = try own.weight("weight", [layer.width, channels, layer.kernel], .linear)
      let bias = form.hasBias ? try own.weight("bias", [layer.width], .bias) : nil
      let norm =
        form.normalization == .layer
        ? try Norm<Scalar>(scope, "norm", .layer(epsilon: 1e-5), width: layer.width) : nil
      let ofChannels =
        form.normalization == .group && number == 0
        ? try ChannelNorm<Scalar>(scope.module("norm", .layerNorm), channels: layer.width) : nil
      layers.append(
        Layer(weight: weight, bias: bias, norm: norm, channels: ofChannels, stride: layer.stride))
      channels = layer.width
    }
    self.layers = layers
    norm = try form.norm.map { norm throws(CheckpointError) in
      try Norm(scope, "norm", norm, width: form.width)
    }
    projection = try Linear(scope.module("projection", .linear), in: form.width, out: width)
  }

  /// Vectors of the frames of samples `[batch, samples]`: as wide as the last convolution makes them, normalised, and as wide
  /// as the stream.
  func callAsFunction(
    _ samples: NDArray<Scalar>
  ) -> (features: NDArray<Scalar>, stream: NDArray<Scalar>) {
    var x = samples.reshaped([samples.shape[0], 1, samples.shape[1]])
    for layer in layers {
      x = convolve(
        x, weight: layer.weight, bias: layer.bias, axis: ConvolutionAxis(stride: layer.stride))
      if let norm = layer.norm { x = permute(norm(permute(x, [0, 2, 1])), [0, 2, 1]) }
      if let channels = layer.channels { x = channels(x) }
      x = apply(form.activation, to: x)
    }
    let features = norm.applied(to: permute(x, [0, 2, 1]))
    return (features, projection(features))
  }
}

/// A convolution over the stream, with its weights.
struct PositionLayer<Scalar: ComputeScalar> {
  private let form: PositionConvolution
  private let weight: NDArray<Scalar>
  private let bias: NDArray<Scalar>

  init(
    _ scope: WeightScope<Scalar>, _ form: PositionConvolution, width: Int
  ) throws(CheckpointError) {
    self.form = form
    weight = try scope.weight("weight", [width, width / form.groups, form.kernel], .linear)
    bias = try scope.weight("bias", [width], .bias)
  }

  /// `[batch, frames, width]` to the same: what is added. A kernel of an even length sees one frame more before than
  /// behind.
  func callAsFunction(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
    let before = form.kernel / 2
    let y = convolve(
      permute(x, [0, 2, 1]), weight: weight, bias: bias,
      axis: ConvolutionAxis(
        before: before, after: before - (form.kernel.isMultiple(of: 2) ? 1 : 0)),
      groups: form.groups)
    return permute(apply(form.activation, to: y), [0, 2, 1])
  }
}
