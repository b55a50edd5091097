import Kernels
import Testing

/// What Python's `math` gives for the formula of tensor2tensor's code, and transformers' module
/// (`XGLMSinusoidalPositionalEmbedding`) in single precision.
@Suite struct SinusoidTests {
  private static let cases: [(position: Int, numbers: [Double])] = [
    (
      3,
      [
        0.1411200080598672, 0.029995500202495647, 0.0002999999954999997, -0.9899924966004454,
        0.9995500337489875, 0.9999999550000004,
      ]
    ),
    (
      2050,
      [
        0.9938686723546553, 0.9968297942788001, 0.2035671599047778, -0.11056700281727352,
        -0.07956356727852944, 0.9790609845195051, 0,
      ]
    ),
  ]

  @Test(arguments: cases.indices) func `sines stand before cosines`(_ index: Int) {
    let (position, numbers) = Self.cases[index]
    let sinusoids = Sinusoids(width: numbers.count)
    let vectors = sinusoids(NDArray(shape: [1, 2], elements: [0, position]), of: Double.self)
    #expect(vectors.shape == [1, 2, numbers.count])
    let half = numbers.count / 2
    let first = [0, 1].flatMap { Array(repeating: Double($0), count: half) }
    #expect(Array(vectors.elements.prefix(2 * half)) == first)
    for (index, expected) in numbers.enumerated() {
      // An angle of 2050 is known to 2e-13.
      #expect(abs(vectors.elements[numbers.count + index] - expected) < 1e-12)
      #expect(abs(sinusoids.number(index, at: position) - expected) < 1e-12)
    }
  }

  @Test func `one position may have none`() {
    let sinusoids = Sinusoids(width: 4, zero: 7)
    let vectors = sinusoids(NDArray(shape: [2, 1], elements: [7, 8]), of: Float.self)
    #expect(vectors.elements.prefix(4).allSatisfy { $0 == 0 })
    #expect(vectors.elements.suffix(4).allSatisfy { $0 != 0 })
    #expect((0..<4).allSatisfy { sinusoids.number($0, at: 7) == 0 })
  }
}
