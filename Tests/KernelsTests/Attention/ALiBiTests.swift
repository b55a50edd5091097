import Foundation
import Kernels
import TestSupport
import Testing

@Suite struct ALiBiTests {
  /// The article's, §3: 1/2, 1/4, … 1/256 for 8 heads, 1/2^0.5, 1/2^1, … 1/2^8 for 16.
  @Test func `slopes of a power of two are those of the article`() {
    #expect(ALiBi.slopes(of: 8) == (1...8).map { 1 / Double(1 << $0) })
    #expect(ALiBi.slopes(of: 1) == [1 / 256])
    #expect(ALiBi.slopes(of: 2) == [1 / 16, 1 / 256])
    for (slope, expected) in zip(ALiBi.slopes(of: 16), (1...16).map { pow(0.5, Double($0) / 2) }) {
      #expect(abs(slope - expected) < 1e-15)
    }
  }

  /// Printed by transformers: `_get_alibi_slopes` of BLOOM and `build_mpt_alibi_tensor`, which agree.
  @Test func `slopes of other numbers are those of the frameworks`() {
    #expect(ALiBi.slopes(of: 3) == [0.0625, 0.00390625, 0.25])
    #expect(ALiBi.slopes(of: 6) == [0.25, 0.0625, 0.015625, 0.00390625, 0.5, 0.125])
    let twelve = [
      0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125, 0.00390625, 0.7071067690849304,
      0.3535533845424652, 0.1767766773700714, 0.0883883386850357,
    ]
    for (slope, expected) in zip(ALiBi.slopes(of: 12), twelve) {
      #expect(abs(slope - expected) < 2e-7 * expected)
    }
    for heads in 1...130 { #expect(ALiBi.slopes(of: heads).count == heads) }
  }

  private func bias(
    _ positions: ALiBi.Positions, keys: Int, allowed: NDArray<Bool>? = nil, scale: Double = 1,
    isRounded: Bool = false, heads: Int = 2
  ) -> NDArray<Double> {
    let alibi = ALiBi(heads: heads, positions: positions, scale: scale, isRounded: isRounded)
    return alibi(keys: keys, allowed: allowed, of: Double.self)
  }

  @Test func `positions are counted among all keys, or among those that may be seen`() {
    let allowed = NDArray(
      shape: [2, 5],
      elements: [true, true, true, false, false, false, true, false, true, true])
    let all = bias(.amongAll, keys: 5, allowed: allowed)
    #expect(all.shape == [1, 2, 5])
    #expect(Array(all.elements.prefix(5)) == [-4.0, -3, -2, -1, 0].map { $0 / 16 })
    let counted = bias(.amongAllowed, keys: 5, allowed: allowed)
    #expect(counted.shape == [2, 2, 5])
    // 0 1 2 and two hidden ones; a hidden one, 0, a hidden one, 1 2: less 2.
    #expect(Array(counted.elements.prefix(5)) == [-2.0, -1, 0, -2, -2].map { $0 / 16 })
    #expect(Array(counted.elements[10..<15]) == [-2.0, -2, -2, -1, 0].map { $0 / 16 })
    #expect(bias(.amongAllowed, keys: 5).elements == bias(.amongAll, keys: 5).elements)
  }

  @Test func `a row in which nothing may be seen, and no keys at all`() {
    let allowed = NDArray(shape: [1, 3], elements: [false, false, false])
    #expect(
      bias(.amongAllowed, keys: 3, allowed: allowed).elements == Array(repeating: 0, count: 6))
    #expect(bias(.amongAll, keys: 0).shape == [1, 2, 0])
  }

  /// bfloat16 has eight bits: from 256 to 512 every second number, 2^−½ is 0.70703125.
  @Test func `slopes, positions and products are rounded to bfloat16, then scaled`() {
    let whole = bias(.amongAll, keys: 304, isRounded: true, heads: 1)
    // By 1/256 products need no rounding of their own: 257 and 259 are 256 and 260, ties to even.
    let position = { (key: Int) in whole.elements[key] * 256 + 304 }
    #expect(
      [255, 256, 257, 258, 259, 260, 301, 302].map(position)
        == [255, 256, 256, 258, 260, 260, 300, 302])
    let scaled = bias(.amongAll, keys: 4, scale: 0.5, isRounded: true, heads: 16)
    // 3 · 0.70703125 = 2.12109375 is between 2.109375 and 2.125.
    #expect(
      Array(scaled.elements.prefix(4))
        == [0, 0.70703125, 1.4140625, 2.125].map { ($0 - 2.125) / 2 })
  }

  /// Subtracting a query's position from all its keys' changes no weight, so the sum over keys is that of
  /// the article's `slope · (key − query)`.
  @Test(arguments: [1, 5, 8], [0, 3])
  func `weights are those of the distance between key and query`(_ heads: Int, _ before: Int) {
    var randoms = Randoms(seed: UInt64(heads))
    let (queries, keys, size) = (4, 4 + before, 3)
    let parts = [queries, keys, keys].map { randoms.array(2, $0, heads * size, of: Double.self) }
    let plan = KeyPlan.causal(firstQuery: before)
    func attend(_ bias: ScoreBias<Double>) -> [Double] {
      attention(
        query: parts[0], key: parts[1], value: parts[2], heads: heads,
        scores: Scores(scale: 0.5, bias: bias, keys: plan)
      ).elements
    }
    let slopes = ALiBi.slopes(of: heads)
    let pairs = slopes.flatMap { slope in
      (0..<queries).flatMap { query in (0..<keys).map { slope * Double($0 - query - before) } }
    }
    let alibi = ALiBi(heads: heads, positions: .amongAll)
    let ours = attend(.keys(alibi(keys: keys, allowed: nil, of: Double.self)))
    let expected = attend(.pairs(NDArray(shape: [1, heads, queries, keys], elements: pairs)))
    for (a, b) in zip(ours, expected) { #expect(abs(a - b) < 1e-14) }
  }
}
