import Kernels
import Testing

@Suite struct QueryGrowthTests {
  @Test func `queries grow in steps, with the logarithm of their number`() {
    let positions = NDArray(shape: [1, 5], elements: [0, 4, 5, 14, 15])
    let factors = QueryGrowth(beta: 0.5, step: 5).factors(at: positions, of: Double.self)
    #expect(factors.shape == [1, 5, 1])
    let two = 1 + 0.5 * 0.693_147_180_559_945_3
    let expected = [1, 1, two, 1 + 0.5 * 1.098_612_288_668_109_8, 1 + (two - 1) * 2]
    for (x, y) in zip(factors.elements, expected) { #expect(abs(x - y) < 1e-15) }
  }
}
