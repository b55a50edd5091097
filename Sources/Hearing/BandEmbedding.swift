import Kernels
import Models
import TensorCore

/// What makes frames of bands of frequencies, with its weights.
struct BandEmbedding<Scalar: ComputeScalar> {
  private struct Convolution {
    let weight: NDArray<Scalar>
    let bias: NDArray<Scalar>
  }

  private let form: BandForm
  private let first: Convolution
  private let rest: [(depthwise: Convolution, pointwise: Convolution)]
  private let projection: Linear<Scalar>

  /// Asks for the convolutions, and for the linear layer that makes what they leave of a frame as wide as the stream.
  ///
  /// They are numbered as layers of one sequence, in which each activation has a number, too.
  init(_ scope: WeightScope<Scalar>, _ form: BandForm, width: Int) throws(CheckpointError) {
    self.form = form
    let inner = scope.module("convolutions", .sequence)
    func convolution(
      _ number: Int, in channels: Int, kernel: Int
    ) throws(CheckpointError) -> Convolution {
      let own = inner.module("\(number)", .linear)
      return Convolution(
        weight: try own.weight("weight", [form.channels, channels, kernel, kernel], .linear),
        bias: try own.weight("bias", [form.channels], .bias))
    }
    first = try convolution(0, in: 1, kernel: form.kernel)
    var rest: [(Convolution, Convolution)] = []
    for number in 1..<max(1, form.layers) {
      rest.append(
        (
          try convolution(3 * number - 1, in: 1, kernel: form.kernel),
          try convolution(3 * number, in: form.channels, kernel: 1)
        ))
    }
    self.rest = rest
    projection = try Linear(
      scope.module("projection", .linear),
      in: form.channels * form.places(of: form.bands, behind: form.layers), out: width)
  }

  /// `[batch, frames, bands]` to `[batch, fewer frames, width]`: behind each convolution padding is zero.
  func callAsFunction(_ bands: NDArray<Scalar>, lengths: [Int]?) -> NDArray<Scalar> {
    let axis = form.axis
    var lengths = lengths
    var x = bands.reshaped([bands.shape[0], 1, bands.shape[1], bands.shape[2]])
    func shorten() {
      lengths = lengths.map { $0.map { axis.count(input: $0, kernel: form.kernel) } }
    }
    x = convolve(x, weight: first.weight, bias: first.bias, vertical: axis, horizontal: axis)
    shorten()
    x = apply(.relu, to: silenced(x, lengths))
    for layer in rest {
      x = convolve(
        x, weight: layer.depthwise.weight, bias: layer.depthwise.bias, vertical: axis,
        horizontal: axis, groups: form.channels)
      shorten()
      x = convolve(
        silenced(x, lengths), weight: layer.pointwise.weight, bias: layer.pointwise.bias,
        vertical: ConvolutionAxis(), horizontal: ConvolutionAxis())
      x = apply(.relu, to: silenced(x, lengths))
    }
    let (frames, width) = (x.shape[2], x.shape[1] * x.shape[3])
    let y = projection(permute(x, [0, 2, 1, 3]).reshaped([x.shape[0], frames, width]))
    return form.factor == 1 ? y : scaled(y, by: form.factor)
  }

  /// `[batch, channels, frames, bands]` with zeros in frames behind the length of a sound.
  private func silenced(_ x: NDArray<Scalar>, _ lengths: [Int]?) -> NDArray<Scalar> {
    guard let lengths else { return x }
    var x = x
    let (channels, frames, bands) = (x.shape[1], x.shape[2], x.shape[3])
    for (row, length) in lengths.enumerated() where length < frames {
      for channel in 0..<channels {
        let start = (row * channels + channel) * frames
        for index in (start + length) * bands..<(start + frames) * bands { x.elements[index] = 0 }
      }
    }
    return x
  }
}
