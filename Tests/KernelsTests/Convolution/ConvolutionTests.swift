import Foundation
import Kernels
import TestSupport
import Testing

/// What torch computes: Tools/oracle/convolution.py.
private struct Oracle: Decodable {
  struct Array: Decodable {
    var shape: [Int]
    var elements: [Double]

    func array<Scalar: Precision>(of _: Scalar.Type) -> NDArray<Scalar> {
      NDArray(shape: shape, elements: elements.map { Scalar($0) })
    }
  }

  var stride: [Int]
  var padding: [Int]
  var dilation: [Int]
  var groups: Int
  var arrays: [String: Array]

  var axes: [ConvolutionAxis] {
    stride.indices.map {
      ConvolutionAxis(stride: stride[$0], padding: padding[$0], dilation: dilation[$0])
    }
  }
}

@Suite struct ConvolutionTests {
  @Test func `convolutions are those of torch`() throws {
    let bytes = readFile(fixture("kernels/convolution.json"))
    let cases = try JSONDecoder().decode([String: Oracle].self, from: Data(bytes))
    #expect(cases.count == 10)
    for (name, oracle) in cases {
      try check(name, oracle, Float.self)
      try check(name, oracle, Double.self)
    }
  }

  private func check<Scalar: Precision>(
    _ name: String, _ oracle: Oracle, _: Scalar.Type
  ) throws {
    let x = try #require(oracle.arrays["x"]).array(of: Scalar.self)
    let weight = try #require(oracle.arrays["weight"]).array(of: Scalar.self)
    let bias = oracle.arrays["bias"]?.array(of: Scalar.self)
    let expected = try #require(oracle.arrays["y"])
    let y =
      oracle.axes.count == 1
      ? convolve(x, weight: weight, bias: bias, axis: oracle.axes[0], groups: oracle.groups)
      : convolve(
        x, weight: weight, bias: bias, vertical: oracle.axes[0], horizontal: oracle.axes[1],
        groups: oracle.groups)
    #expect(y.shape == expected.shape, "\(name)")
    #expect(y.error(from: expected.elements) <= 30 * Scalar.tolerance, "\(name)")
  }

  /// Batch, groups, channels of each group in and out, height, width, kernel, axes.
  private static let forms: [Form] = [
    Form(groups: 1, inputs: 1, outputs: 1, size: (1, 1), kernel: (1, 1)),
    Form(groups: 3, inputs: 2, outputs: 5, size: (9, 7), kernel: (2, 3)),
    Form(
      groups: 7, inputs: 1, outputs: 1, size: (33, 31), kernel: (3, 5),
      vertical: ConvolutionAxis(stride: 2, before: 1, after: 2),
      horizontal: ConvolutionAxis(before: 4, dilation: 2)),
    // Several tiles of results, with a rest.
    Form(
      groups: 2, inputs: 3, outputs: 2, size: (40, 41), kernel: (3, 3),
      vertical: ConvolutionAxis(padding: 1), horizontal: ConvolutionAxis(padding: 1)),
    // The kernel is longer than the input.
    Form(groups: 1, inputs: 2, outputs: 2, size: (2, 9), kernel: (3, 3)),
  ]

  struct Form: Sendable {
    var batch = 2
    var groups: Int
    var inputs: Int
    var outputs: Int
    var size: (Int, Int)
    var kernel: (Int, Int)
    var vertical = ConvolutionAxis()
    var horizontal = ConvolutionAxis()
  }

  @Test(arguments: forms) func `each result is a sum over the kernel`(_ form: Form) {
    check(form, Float.self)
    check(form, Double.self)
  }

  private func check<Scalar: Precision>(_ form: Form, _: Scalar.Type) {
    var randoms = Randoms(seed: 31)
    let (inputs, outputs) = (form.inputs * form.groups, form.outputs * form.groups)
    let x = randoms.array(form.batch, inputs, form.size.0, form.size.1, of: Scalar.self)
    let weight = randoms.array(outputs, form.inputs, form.kernel.0, form.kernel.1, of: Scalar.self)
    let bias = randoms.array(outputs, of: Scalar.self)
    let y = convolve(
      x, weight: weight, bias: bias, vertical: form.vertical, horizontal: form.horizontal,
      groups: form.groups)
    let rows = naiveCount(form.size.0, form.kernel.0, form.vertical)
    let columns = naiveCount(form.size.1, form.kernel.1, form.horizontal)
    #expect(y.shape == [form.batch, outputs, rows, columns])
    var expected: [Double] = []
    for member in 0..<form.batch {
      for output in 0..<outputs {
        for row in 0..<rows {
          for column in 0..<columns {
            var sum = bias.at(output)
            for channel in 0..<form.inputs {
              for down in 0..<form.kernel.0 {
                for right in 0..<form.kernel.1 {
                  let i =
                    row * form.vertical.stride + down * form.vertical.dilation
                    - form.vertical.before
                  let j =
                    column * form.horizontal.stride + right * form.horizontal.dilation
                    - form.horizontal.before
                  guard (0..<form.size.0).contains(i), (0..<form.size.1).contains(j) else {
                    continue
                  }
                  let input = output / form.outputs * form.inputs + channel
                  sum += weight.at(output, channel, down, right) * x.at(member, input, i, j)
                }
              }
            }
            expected.append(sum)
          }
        }
      }
    }
    #expect(y.error(from: expected) <= Scalar.tolerance, "seed 31")
  }

  /// How often the kernel fits, counted.
  private func naiveCount(_ input: Int, _ kernel: Int, _ axis: ConvolutionAxis) -> Int {
    let last = axis.dilation * (kernel - 1)
    let room = input + axis.before + axis.after
    return stride(from: 0, to: room, by: axis.stride).count { $0 + last < room }
  }

  @Test func `results do not depend on the number of threads`() {
    var randoms = Randoms(seed: 32)
    let x = randoms.array(2, 6, 40, 41, of: Float.self)
    let weight = randoms.array(4, 3, 3, 3, of: Float.self)
    let results = exclusively {
      defer { Parallel.workers = 0 }
      return [1, 2, 5].map { workers in
        Parallel.workers = workers
        return convolve(
          x, weight: weight, vertical: ConvolutionAxis(), horizontal: ConvolutionAxis(), groups: 2)
      }
    }
    #expect(results[0] == results[1] && results[0] == results[2])
  }
}
