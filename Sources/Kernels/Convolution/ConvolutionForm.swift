/// The extents of a convolution, and its two steps.
struct ConvolutionForm: Sendable {
  /// How many results a tile has at most.
  static let placesPerTile = 256

  let batch: Int
  /// Channels of the result.
  let outputs: Int
  /// Extents of the result.
  let rows: Int
  let columns: Int
  private let groups: Int
  /// Channels that a kernel sees.
  private let channels: Int
  private let input: (height: Int, width: Int)
  private let kernel: (height: Int, width: Int)
  private let vertical: ConvolutionAxis
  private let horizontal: ConvolutionAxis

  /// - Precondition: the arrays fit each other.
  init(
    input: [Int], weight: [Int], vertical: ConvolutionAxis, horizontal: ConvolutionAxis,
    groups: Int
  ) {
    precondition(input.count == 4 && weight.count == 4, "a convolution has other axes")
    precondition(
      groups > 0 && input[1] == weight[1] * groups && weight[0].isMultiple(of: groups),
      "channels do not fit the groups")
    (batch, outputs, channels) = (input[0], weight[0], weight[1])
    self.groups = groups
    self.input = (input[2], input[3])
    kernel = (weight[2], weight[3])
    precondition(kernel.height > 0 && kernel.width > 0, "a kernel is empty")
    (self.vertical, self.horizontal) = (vertical, horizontal)
    rows = vertical.count(input: input[2], kernel: weight[2])
    columns = horizontal.count(input: input[3], kernel: weight[3])
  }

  /// Results of a channel.
  var places: Int { rows * columns }

  /// How many inputs are under a kernel.
  private var patch: Int { channels * kernel.height * kernel.width }

  /// Room for the patches of a tile.
  func scratch<Scalar: ComputeScalar>(of _: Scalar.Type) -> [Scalar] {
    Array(repeating: 0, count: max(1, patch * min(places, Self.placesPerTile)))
  }

  /// Where a group's channels begin in the input.
  func firstChannel(of group: Int, in member: Int) -> Int {
    (member * groups + group) * channels * input.height * input.width
  }

  /// Lays the inputs under the kernel side by side: `[patch, places of the tile]`.
  @inline(__always)
  func gather<Scalar: ComputeScalar>(
    _ tile: Range<Int>, from x: UnsafePointer<Scalar>, into patches: UnsafeMutablePointer<Scalar>
  ) {
    var patches = unsafe patches
    for channel in 0..<channels {
      for down in 0..<kernel.height {
        for right in 0..<kernel.width {
          unsafe gather(
            tile, from: x + channel * input.height * input.width,
            down: down * vertical.dilation - vertical.before,
            right: right * horizontal.dilation - horizontal.before, into: patches)
          unsafe patches += tile.count
        }
      }
    }
  }

  /// The inputs of a channel under one element of the kernel, zero where there are none.
  @inline(__always)
  private func gather<Scalar: ComputeScalar>(
    _ tile: Range<Int>, from x: UnsafePointer<Scalar>, down: Int, right: Int,
    into row: UnsafeMutablePointer<Scalar>
  ) {
    var (top, left) = tile.lowerBound.quotientAndRemainder(dividingBy: columns)
    for place in 0..<tile.count {
      let (i, j) = (top * vertical.stride + down, left * horizontal.stride + right)
      let isInside = i >= 0 && i < input.height && j >= 0 && j < input.width
      unsafe row[place] = isInside ? x[i * input.width + j] : 0
      left += 1
      if left == columns { (top, left) = (top + 1, 0) }
    }
  }

  /// Multiplies patches with the group's kernels.
  ///
  /// - Parameter y: `[outputs, places]`
  @inline(__always)
  func multiply<Scalar: ComputeScalar>(
    _ tile: Range<Int>, _ patches: UnsafePointer<Scalar>, weight: UnsafePointer<Scalar>,
    bias: UnsafePointer<Scalar>?, group: Int, into y: UnsafeMutablePointer<Scalar>
  ) {
    let count = outputs / groups
    let first = group * count
    let start = unsafe y + first * places + tile.lowerBound
    for output in 0..<count {
      let value = unsafe bias.map { unsafe $0[first + output] } ?? 0
      for place in 0..<tile.count { unsafe start[output * places + place] = value }
    }
    if patch == 0 { return }
    unsafe Scalar.product(
      rows: count, columns: tile.count, inner: patch, a: weight + first * patch, strideA: patch,
      b: patches, strideB: tile.count, transposeB: false, c: start, strideC: places,
      accumulates: true)
  }
}
