/// How a kernel goes along an axis.
public struct ConvolutionAxis: Sendable, Equatable {
  /// How far it goes from one result to the next.
  public var stride: Int
  /// How many zeros are put before the input.
  public var before: Int
  /// How many zeros are put behind the input.
  public var after: Int
  /// How far its elements are apart.
  public var dilation: Int

  /// Describes an axis.
  ///
  /// - Precondition: the stride and the dilation are above 0, paddings are not below 0.
  public init(stride: Int = 1, before: Int = 0, after: Int = 0, dilation: Int = 1) {
    precondition(stride > 0 && dilation > 0 && before >= 0 && after >= 0)
    (self.stride, self.dilation) = (stride, dilation)
    (self.before, self.after) = (before, after)
  }

  /// An axis with as many zeros before as behind.
  public init(stride: Int = 1, padding: Int, dilation: Int = 1) {
    self.init(stride: stride, before: padding, after: padding, dilation: dilation)
  }

  /// How many results there are; none if the kernel is longer than the padded input.
  public func count(input: Int, kernel: Int) -> Int {
    let places = input + before + after - dilation * (kernel - 1) - 1
    return places < 0 ? 0 : places / stride + 1
  }
}

/// One-dimensional convolution, in the frameworks' sense: the kernel is not turned around.
///
/// - Parameters:
///   - x: `[batch, channels in, length]`
///   - weight: `[channels out, channels in / groups, kernel]`
///   - bias: `[channels out]`, or `nil`
///   - axis: how the kernel goes along.
///   - groups: into how many parts both kinds of channels are divided, of which each sees only its own.
/// - Returns: `[batch, channels out, results]`
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func convolve<Scalar: ComputeScalar>(
  _ x: NDArray<Scalar>, weight: NDArray<Scalar>, bias: NDArray<Scalar>? = nil,
  axis: ConvolutionAxis = ConvolutionAxis(), groups: Int = 1
) -> NDArray<Scalar> {
  precondition(x.shape.count == 3 && weight.shape.count == 3, "a convolution has other axes")
  let y = convolve(
    x.reshaped([x.shape[0], x.shape[1], 1, x.shape[2]]),
    weight: weight.reshaped([weight.shape[0], weight.shape[1], 1, weight.shape[2]]), bias: bias,
    vertical: ConvolutionAxis(), horizontal: axis, groups: groups)
  return y.reshaped([y.shape[0], y.shape[1], y.shape[3]])
}

/// Two-dimensional convolution, in the frameworks' sense: the kernel is not turned around.
///
/// For a tile of results the inputs under the kernel are laid side by side, and multiplied with all
/// kernels at once. Chellapilla, Puri, Simard: "High Performance Convolutional Neural Networks for Document
/// Processing", 2006, §3.
///
/// - Parameters:
///   - x: `[batch, channels in, height, width]`
///   - weight: `[channels out, channels in / groups, kernel height, kernel width]`
///   - bias: `[channels out]`, or `nil`
///   - vertical: how the kernel goes down.
///   - horizontal: how it goes to the right.
///   - groups: into how many parts both kinds of channels are divided, of which each sees only its own.
/// - Returns: `[batch, channels out, rows, columns]`
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func convolve<Scalar: ComputeScalar>(
  _ x: NDArray<Scalar>, weight: NDArray<Scalar>, bias: NDArray<Scalar>? = nil,
  vertical: ConvolutionAxis, horizontal: ConvolutionAxis, groups: Int = 1
) -> NDArray<Scalar> {
  let form = ConvolutionForm(
    input: x.shape, weight: weight.shape, vertical: vertical, horizontal: horizontal,
    groups: groups)
  precondition(bias.map { $0.shape == [form.outputs] } ?? true, "a bias has the wrong length")
  let shape = [form.batch, form.outputs, form.rows, form.columns]
  if shape.contains(0) { return NDArray(shape: shape, repeating: 0) }
  let tiles = pieces(of: form.places, size: ConvolutionForm.placesPerTile)
  return unsafe NDArray(shape: shape) { y in
    unsafe withPointers(to: [x.elements, weight.elements, bias?.elements ?? []]) { pointers in
      let bias = unsafe bias == nil ? nil : pointers[2]
      Parallel.forEach(
        count: form.batch * groups * tiles.count,
        scratch: { form.scratch(of: Scalar.self) }
      ) { patches, piece in
        let (tile, group) = (tiles[piece % tiles.count], piece / tiles.count % groups)
        let member = piece / tiles.count / groups
        unsafe patches.withUnsafeMutableBufferPointer { patches in
          guard let patches = patches.baseAddress else { return }
          unsafe form.gather(
            tile, from: pointers[0] + form.firstChannel(of: group, in: member), into: patches)
          unsafe form.multiply(
            tile, patches, weight: pointers[1], bias: bias, group: group,
            into: y + member * form.outputs * form.places)
        }
      }
    }
  }
}
