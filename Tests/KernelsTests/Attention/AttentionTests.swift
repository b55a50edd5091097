import Kernels
import TestSupport
import Testing

/// A form of attention to try.
struct AttentionCase: Sendable, CustomTestStringConvertible {
  var batch = 2
  var queries = 7
  var keys = 7
  var heads = 3
  var headSize = 5
  var valueSize = 5
  var hasBias = false
  var hasMask = false
  var isCausal = false
  var firstQuery = 0

  var testDescription: String {
    "\(batch)×\(queries)×\(keys), \(heads) heads of \(headSize) and \(valueSize)"
      + (hasBias ? ", bias" : "") + (hasMask ? ", mask" : "")
      + (isCausal ? ", causal from \(firstQuery)" : "")
  }
}

private let cases: [AttentionCase] = [
  AttentionCase(),
  AttentionCase(batch: 1, queries: 1, keys: 1, heads: 1, headSize: 1, valueSize: 1),
  AttentionCase(queries: 33, keys: 65, hasMask: true),
  AttentionCase(queries: 65, keys: 65, heads: 2, headSize: 7, isCausal: true),
  AttentionCase(queries: 65, keys: 65, hasMask: true, isCausal: true),
  AttentionCase(queries: 130, keys: 130, heads: 1, hasBias: true, hasMask: true),
  AttentionCase(queries: 7, keys: 33, headSize: 1, valueSize: 7, hasBias: true),
  AttentionCase(batch: 1, queries: 300, keys: 300, heads: 1, headSize: 33, isCausal: true),
  AttentionCase(queries: 1, keys: 33, hasMask: true, isCausal: true, firstQuery: 32),
  AttentionCase(queries: 3, keys: 10, isCausal: true, firstQuery: 7),
  AttentionCase(queries: 70, keys: 80, hasBias: true, isCausal: true, firstQuery: 10),
  // Several tiles of queries and of keys.
  AttentionCase(batch: 1, queries: 130, keys: 1100, heads: 2, hasBias: true, hasMask: true),
  AttentionCase(batch: 1, queries: 140, keys: 1030, heads: 1, isCausal: true, firstQuery: 890),
  AttentionCase(queries: 600, keys: 600, heads: 1, hasBias: true, hasMask: true, isCausal: true),
]

@Suite struct AttentionTests {
  @Test(arguments: cases) func `is a mean of the values, weighted by softmax`(_ form: AttentionCase)
  {
    check(form, Float.self)
    check(form, Double.self)
  }

  private func check<Scalar: Precision>(_ form: AttentionCase, _: Scalar.Type) {
    var randoms = Randoms(seed: 5)
    let query = randoms.array(form.batch, form.queries, form.heads * form.headSize, of: Scalar.self)
    let key = randoms.array(form.batch, form.keys, form.heads * form.headSize, of: Scalar.self)
    let value = randoms.array(form.batch, form.keys, form.heads * form.valueSize, of: Scalar.self)
    let bias = randoms.array(form.heads, form.queries + form.keys - 1, of: Scalar.self)
    var mask = AttentionMask(isCausal: form.isCausal, firstQuery: form.firstQuery)
    if form.hasMask { mask.keys = randoms.mask(form.batch, form.keys) }
    let result = attention(
      query: query, key: key, value: value, heads: form.heads, scale: 0.7,
      bias: form.hasBias ? bias : nil, mask: mask)
    let expected = naiveAttention(
      query: query, key: key, value: value, heads: form.heads, scale: 0.7,
      bias: form.hasBias ? bias : nil, mask: mask)
    #expect(result.shape == [form.batch, form.queries, form.heads * form.valueSize])
    #expect(result.error(from: expected) <= Scalar.tolerance, "seed 5")
    let inMore = attention(
      query: query, key: atTheBeginning(key), value: atTheBeginning(value), keys: form.keys,
      heads: form.heads, scale: 0.7, bias: form.hasBias ? bias : nil, mask: mask)
    #expect(inMore == result, "seed 5")
  }

  /// The positions with three more behind them, which are not numbers.
  private func atTheBeginning<Scalar: Precision>(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
    var longer = NDArray(shape: [x.shape[0], x.shape[1] + 3, x.width], repeating: Scalar.nan)
    replacePositions(of: &longer, from: 0, by: x)
    return longer
  }

  @Test func `a fully masked row attends to all keys alike, future ones included`() {
    var randoms = Randoms(seed: 6)
    let (batch, length, width) = (2, 5, 4)
    let x = randoms.array(batch, length, width, of: Float.self)
    let keys = NDArray(
      shape: [batch, length],
      elements: [false, false, false, false, false] + [
        true, true, false, false, false,
      ])
    for isCausal in [false, true] {
      let result = attention(
        query: x, key: x, value: x, heads: 2, scale: 1,
        mask: AttentionMask(keys: keys, isCausal: isCausal))
      for column in 0..<width {
        let mean = (0..<length).reduce(0) { $0 + x.at(0, $1, column) } / Double(length)
        for q in 0..<length { #expect(abs(result.at(0, q, column) - mean) < 1e-6) }
      }
    }
  }

  @Test func `a causal query before any allowed key attends to all alike`() {
    // Left padding: the first query sees only itself, which is padding.
    var randoms = Randoms(seed: 7)
    let x = randoms.array(1, 3, 2, of: Double.self)
    let keys = NDArray(shape: [1, 3], elements: [false, true, true])
    let result = attention(
      query: x, key: x, value: x, heads: 1, scale: 1,
      mask: AttentionMask(keys: keys, isCausal: true))
    for column in 0..<2 {
      let mean = (x.at(0, 0, column) + x.at(0, 1, column) + x.at(0, 2, column)) / 3
      #expect(abs(result.at(0, 0, column) - mean) < 1e-15)
      #expect(abs(result.at(0, 1, column) - x.at(0, 1, column)) < 1e-15)
    }
  }

  @Test func `a causal query before any allowed key attends to keys of later tiles too`() {
    var randoms = Randoms(seed: 11)
    let (length, hidden) = (700, 3)
    let x = randoms.array(1, length, 2, of: Double.self)
    let keys = NDArray(shape: [1, length], elements: (0..<length).map { $0 >= hidden })
    let mask = AttentionMask(keys: keys, isCausal: true)
    let result = attention(query: x, key: x, value: x, heads: 1, scale: 1, mask: mask)
    for column in 0..<2 {
      let mean = (0..<length).reduce(0) { $0 + x.at(0, $1, column) } / Double(length)
      for query in 0..<hidden { #expect(abs(result.at(0, query, column) - mean) < 1e-14) }
      #expect(abs(result.at(0, hidden, column) - x.at(0, hidden, column)) < 1e-15)
    }
    let expected = naiveAttention(query: x, key: x, value: x, heads: 1, scale: 1, mask: mask)
    #expect(result.error(from: expected) < 1e-12)
  }

  @Test func `what is hidden has no influence at all`() {
    var randoms = Randoms(seed: 8)
    let query = randoms.array(1, 4, 6, of: Float.self)
    var (key, value) = (
      randoms.array(1, 5, 6, of: Float.self), randoms.array(1, 5, 6, of: Float.self)
    )
    let keys = NDArray(shape: [1, 5], elements: [true, true, false, true, true])
    func run() -> NDArray<Float> {
      attention(
        query: query, key: key, value: value, heads: 2, scale: 0.5,
        mask: AttentionMask(keys: keys, isCausal: true))
    }
    let before = run()
    for column in 0..<6 {
      key.elements[2 * 6 + column] = 1e20
      value.elements[2 * 6 + column] = -1e20
      value.elements[4 * 6 + column] = 1e20
    }
    #expect(run().bits == before.bits)
  }

  @Test func `large scores do not overflow`() {
    let query = NDArray(shape: [1, 1, 1], elements: [Float(1e18)])
    let key = NDArray(shape: [1, 2, 1], elements: [Float(1e18), 1])
    let value = NDArray(shape: [1, 2, 1], elements: [Float(3), 5])
    let result = attention(
      query: query, key: key, value: value, heads: 1, scale: 1, mask: AttentionMask())
    #expect(result.elements == [3])
  }

  @Test func `NaN in a query spoils its own row and head only`() {
    var randoms = Randoms(seed: 9)
    var x = randoms.array(2, 70, 4, of: Float.self)
    let key = randoms.array(2, 70, 4, of: Float.self)
    func run() -> NDArray<Float> {
      attention(query: x, key: key, value: key, heads: 2, scale: 1, mask: AttentionMask())
    }
    let before = run()
    x.elements[(70 + 66) * 4 + 1] = .nan
    let after = run()
    for index in after.elements.indices {
      let isSpoiled = index / 4 == 70 + 66 && index % 4 < 2
      #expect(after.elements[index].isNaN == isSpoiled)
      if !isSpoiled { #expect(after.elements[index] == before.elements[index]) }
    }
  }

  @Test func `NaN in a key is not lost`() {
    var randoms = Randoms(seed: 10)
    let x = randoms.array(1, 9, 2, of: Double.self)
    var key = x
    key.elements[3 * 2] = .nan
    let result = attention(query: x, key: key, value: x, heads: 1, scale: 1, mask: AttentionMask())
    #expect(result.elements.allSatisfy { $0.isNaN })
  }

  @Test func `nothing to attend to, or nobody who does, is empty or zero`() {
    let none = NDArray(shape: [2, 0, 4], elements: [Float]())
    let some = NDArray(shape: [2, 3, 4], repeating: Float(1))
    let noQueries = attention(
      query: none, key: some, value: some, heads: 2, scale: 1, mask: AttentionMask())
    #expect(noQueries.shape == [2, 0, 4])
    let noKeys = attention(
      query: some, key: none, value: none, heads: 2, scale: 1, mask: AttentionMask())
    #expect(noKeys == NDArray(shape: [2, 3, 4], repeating: 0))
  }
}
