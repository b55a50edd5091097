import Kernels
import TestSupport
import Testing

/// A form of attention to try.
struct AttentionCase: Sendable, CustomTestStringConvertible {
  enum Mask { case none, keys, pairs }
  enum Bias { case none, distances, keys, pairs, backwards }

  var batch = 2
  var queries = 7
  var keys = 7
  var heads = 3
  var keyHeads: Int?
  var headSize = 5
  var valueSize = 5
  var bias = Bias.none
  var mask = Mask.none
  var before: Int?
  var after: Int?
  var chunks: KeyChunks?
  var hasGlobals = false
  var blocks: KeyBlocks?
  var firstQuery = 0
  var softcap: Double?
  var hasSinks = false

  var testDescription: String {
    "\(batch)×\(queries)×\(keys), \(heads)/\(keyHeads ?? heads) heads of \(headSize) and \(valueSize)"
      + ", bias \(bias), mask \(mask), from \(firstQuery)"
      + (before.map { ", \($0) before" } ?? "") + (after.map { ", \($0) after" } ?? "")
      + (chunks.map { ", chunks of \($0.size) from \($0.starts)" } ?? "")
      + (blocks.map { ", blocks of \($0.size)" } ?? "") + (hasGlobals ? ", globals" : "")
      + (softcap.map { ", cap \($0)" } ?? "") + (hasSinks ? ", sinks" : "")
  }

  func scores<Scalar: Precision>(_ randoms: inout Randoms, _: Scalar.Type) -> Scores<Scalar> {
    let allowed: NDArray<Bool>? =
      switch mask {
      case .none: nil
      case .keys: randoms.mask(batch, keys)
      case .pairs: randoms.mask(batch, queries, keys)
      }
    let plan =
      blocks.map { KeyPlan(blocks: $0, allowed: allowed, firstQuery: firstQuery) }
      ?? KeyPlan(
        allowed: allowed, before: before, after: after, chunks: chunks,
        global: hasGlobals ? randoms.globals(batch, keys) : nil, firstQuery: firstQuery)
    return Scores(
      scale: 0.7, softcap: softcap, bias: biasArray(&randoms), keys: plan,
      sinks: hasSinks ? randoms.array(heads, of: Scalar.self) : nil)
  }

  private func biasArray<Scalar: Precision>(_ randoms: inout Randoms) -> ScoreBias<Scalar>? {
    switch bias {
    case .none: nil
    case .distances:
      .distances(randoms.array(heads, queries + keys - 1, of: Scalar.self), queries: queries)
    case .keys: .keys(randoms.array(batch, heads, keys, of: Scalar.self))
    case .pairs: .pairs(randoms.array(1, heads, queries, keys, of: Scalar.self))
    // From the last key to the first, every second number, and queries that share.
    case .backwards:
      ScoreBias(
        randoms.array(batch, heads, 2 * keys, of: Scalar.self), offset: 2 * keys - 1,
        batch: heads * 2 * keys, head: 2 * keys, query: 0, key: -2)
    }
  }
}

private let cases: [AttentionCase] = [
  AttentionCase(),
  AttentionCase(batch: 1, queries: 1, keys: 1, heads: 1, headSize: 1, valueSize: 1),
  AttentionCase(queries: 33, keys: 65, mask: .keys),
  AttentionCase(queries: 65, keys: 65, heads: 2, headSize: 7, after: 0),
  AttentionCase(queries: 65, keys: 65, mask: .keys, after: 0),
  AttentionCase(queries: 130, keys: 130, heads: 1, bias: .distances, mask: .keys),
  AttentionCase(queries: 7, keys: 33, headSize: 1, valueSize: 7, bias: .distances),
  AttentionCase(batch: 1, queries: 300, keys: 300, heads: 1, headSize: 33, after: 0),
  AttentionCase(queries: 1, keys: 33, mask: .keys, after: 0, firstQuery: 32),
  AttentionCase(queries: 3, keys: 10, after: 0, firstQuery: 7),
  AttentionCase(queries: 70, keys: 80, bias: .distances, after: 0, firstQuery: 10),
  // Several tiles of queries and of keys.
  AttentionCase(batch: 1, queries: 130, keys: 1100, heads: 2, bias: .distances, mask: .keys),
  AttentionCase(batch: 1, queries: 140, keys: 1030, heads: 1, after: 0, firstQuery: 890),
  AttentionCase(queries: 600, keys: 600, heads: 1, bias: .distances, mask: .keys, after: 0),
]

/// Heads that share keys.
private let groups: [AttentionCase] = [
  AttentionCase(queries: 9, keys: 9, heads: 6, keyHeads: 2, valueSize: 3, after: 0),
  AttentionCase(queries: 9, keys: 13, heads: 5, keyHeads: 1, headSize: 7, mask: .keys),
  AttentionCase(
    queries: 1, keys: 530, heads: 8, keyHeads: 4, headSize: 3, valueSize: 9, bias: .distances,
    after: 0, firstQuery: 529),
  AttentionCase(
    batch: 1, queries: 140, keys: 140, heads: 4, keyHeads: 2, bias: .pairs, mask: .keys, after: 0,
    hasSinks: true),
]

/// Windows, chunks and global keys.
private let reaches: [AttentionCase] = [
  AttentionCase(queries: 33, keys: 33, before: 6, after: 0),
  AttentionCase(queries: 33, keys: 33, before: 0, after: 0),
  // Some queries see nothing within their window.
  AttentionCase(queries: 40, keys: 40, mask: .keys, before: 1, after: 0),
  AttentionCase(queries: 40, keys: 40, mask: .keys, before: 2, after: 1, hasSinks: true),
  AttentionCase(queries: 65, keys: 65, bias: .distances, before: 3, after: 5),
  AttentionCase(queries: 65, keys: 65, before: nil, after: 2),
  AttentionCase(queries: 9, keys: 33, mask: .keys, before: 7, after: 0, firstQuery: 24),
  AttentionCase(queries: 1, keys: 12, before: 11, after: 0, firstQuery: 11),
  AttentionCase(
    batch: 1, queries: 700, keys: 700, heads: 1, bias: .distances, before: 90, after: 0),
  AttentionCase(
    batch: 1, queries: 700, keys: 1300, heads: 2, before: 560, after: 40, firstQuery: 600),
  AttentionCase(batch: 1, queries: 3, keys: 3, before: .max, after: .max),
  AttentionCase(queries: 33, keys: 33, after: 0, chunks: KeyChunks(size: 8)),
  AttentionCase(
    queries: 33, keys: 33, mask: .keys, after: 0, chunks: KeyChunks(size: 5, starts: [3, -7])),
  AttentionCase(queries: 33, keys: 33, chunks: KeyChunks(size: 7)),
  AttentionCase(
    batch: 1, queries: 300, keys: 900, heads: 1, after: 0, chunks: KeyChunks(size: 130),
    firstQuery: 600),
  AttentionCase(queries: 33, keys: 33, before: 2, after: 2, hasGlobals: true),
  AttentionCase(queries: 33, keys: 33, mask: .keys, before: 1, after: 1, hasGlobals: true),
  AttentionCase(queries: 20, keys: 20, mask: .keys, after: 0, hasGlobals: true, hasSinks: true),
  AttentionCase(
    batch: 2, queries: 300, keys: 700, heads: 1, bias: .distances, mask: .keys, before: 30,
    after: 30,
    hasGlobals: true, firstQuery: 200),
  AttentionCase(queries: 19, keys: 23, mask: .pairs),
  AttentionCase(
    queries: 150, keys: 600, heads: 2, keyHeads: 1, bias: .keys, mask: .pairs, before: 400,
    after: 0, firstQuery: 450),
]

/// Blocks, listed for all heads alike or for each.
private let blocks: [AttentionCase] = [
  AttentionCase(
    queries: 12, keys: 12, blocks: KeyBlocks(size: 4, lists: [[[0, 1], [0, 1, 2], [2]]])),
  // What is listed again counts again; the last block is shorter.
  AttentionCase(
    queries: 14, keys: 14, mask: .keys,
    blocks: KeyBlocks(
      size: 4, lists: [[[0, 1, 2, 3, 0, 0], [0, 1, 2, 3, 3], [1, 2, 3, 0, 0], [3, 3, 0]]])),
  AttentionCase(
    queries: 9, keys: 9, heads: 2, bias: .distances,
    blocks: KeyBlocks(size: 3, lists: [[[2, 0], [1], [2, 2]], [[0], [0, 1, 2], [1, 0]]]),
    hasSinks: true),
  AttentionCase(
    batch: 1, queries: 300, keys: 1200, heads: 1, keyHeads: 1,
    blocks: KeyBlocks(
      size: 150, lists: [(0..<8).map { [0, $0, 7, 0] }]), firstQuery: 900),
]

/// Softcaps, sinks and biases of every form.
private let forms: [AttentionCase] = [
  AttentionCase(queries: 9, keys: 33, softcap: 0.5),
  AttentionCase(queries: 33, keys: 33, bias: .distances, mask: .keys, after: 0, softcap: 3),
  AttentionCase(queries: 9, keys: 9, hasSinks: true),
  AttentionCase(batch: 1, queries: 3, keys: 1100, heads: 2, mask: .keys, hasSinks: true),
  AttentionCase(queries: 9, keys: 9, heads: 6, keyHeads: 3, after: 0, softcap: 2, hasSinks: true),
  AttentionCase(queries: 9, keys: 14, bias: .keys, mask: .keys),
  AttentionCase(queries: 9, keys: 14, bias: .pairs, after: 0, firstQuery: 5),
  AttentionCase(queries: 9, keys: 14, bias: .backwards),
  AttentionCase(
    batch: 1, queries: 130, keys: 600, heads: 2, bias: .backwards, before: 520, firstQuery: 470),
]

@Suite struct AttentionTests {
  @Test(arguments: cases + groups + reaches + blocks + forms)
  func `is a mean of the values, weighted by softmax`(_ form: AttentionCase) {
    check(form, Float.self)
    check(form, Double.self)
  }

  private func check<Scalar: Precision>(_ form: AttentionCase, _: Scalar.Type) {
    var randoms = Randoms(seed: 5)
    let keyHeads = form.keyHeads ?? form.heads
    let query = randoms.array(form.batch, form.queries, form.heads * form.headSize, of: Scalar.self)
    let key = randoms.array(form.batch, form.keys, keyHeads * form.headSize, of: Scalar.self)
    let value = randoms.array(form.batch, form.keys, keyHeads * form.valueSize, of: Scalar.self)
    let scores = form.scores(&randoms, Scalar.self)
    let result = attention(
      query: query, key: key, value: value, heads: form.heads, keyHeads: keyHeads, scores: scores)
    let expected = naiveAttention(
      query: query, key: key, value: value, heads: form.heads, keyHeads: keyHeads, scores: scores)
    #expect(result.shape == [form.batch, form.queries, form.heads * form.valueSize])
    #expect(result.error(from: expected) <= Scalar.tolerance, "seed 5")
    let inMore = attention(
      query: query, key: atTheBeginning(key), value: atTheBeginning(value), keys: form.keys,
      heads: form.heads, keyHeads: keyHeads, scores: scores)
    #expect(inMore == result, "seed 5")
  }

  /// The positions with three more behind them, which are not numbers.
  private func atTheBeginning<Scalar: Precision>(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
    var longer = NDArray(shape: [x.shape[0], x.shape[1] + 3, x.width], repeating: Scalar.nan)
    replacePositions(of: &longer, from: 0, by: x)
    return longer
  }

  @Test func `steps with kept keys see what the whole pass sees`() {
    var randoms = Randoms(seed: 12)
    let x = randoms.array(2, 40, 6, of: Double.self)
    let key = randoms.array(2, 40, 3, of: Double.self)
    let allowed = randoms.mask(2, 40)
    func run(_ queries: NDArray<Double>, upTo keys: Int, from first: Int) -> NDArray<Double> {
      let mask = NDArray(
        shape: [2, keys], elements: (0..<2).flatMap { Array(allowed.row($0).prefix(keys)) })
      let plan = KeyPlan(
        allowed: mask, before: 9, after: 0, chunks: KeyChunks(size: 16), firstQuery: first)
      return attention(
        query: queries, key: key, value: key, keys: keys, heads: 2, keyHeads: 1,
        scores: Scores(scale: 0.5, softcap: 2, keys: plan, sinks: nil))
    }
    let whole = run(x, upTo: 40, from: 0)
    for position in 0..<40 where allowed.at(0, position) && allowed.at(1, position) {
      let one = NDArray(
        shape: [2, 1, 6], elements: Array(x.row(position) + x.row(40 + position)))
      let step = run(one, upTo: position + 1, from: position)
      for index in 0..<12 {
        let expected = whole.elements[(index / 6 * 40 + position) * 6 + index % 6]
        #expect(abs(step.elements[index] - expected) < 1e-14)
      }
    }
  }

  @Test func `a block that is listed twice weighs twice`() {
    // Equal scores: the mean of the values, those of the first block twice.
    let zero = NDArray(shape: [1, 4, 1], repeating: 0.0)
    let value = NDArray(shape: [1, 4, 1], elements: [1.0, 2, 10, 20])
    let plan = KeyPlan(blocks: KeyBlocks(size: 2, lists: [[[0, 1, 0], [1]]]))
    let result = attention(
      query: zero, key: zero, value: value, heads: 1, scores: Scores(scale: 1, keys: plan))
    #expect(result.error(from: [6, 6, 15, 15]) < 1e-14)
  }

  @Test func `a sink takes its share and gives nothing`() {
    let query = NDArray(shape: [1, 1, 1], repeating: 0.0)
    let (key, value) = (
      NDArray(shape: [1, 2, 1], repeating: 1.0), NDArray(shape: [1, 2, 1], elements: [3.0, 5])
    )
    let sinks = NDArray(shape: [1], elements: [Double.log1p(1)])
    let result = attention(
      query: query, key: key, value: value, heads: 1, scores: Scores(scale: 1, sinks: sinks))
    #expect(result.error(from: [2]) < 1e-15)
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
        query: x, key: x, value: x, heads: 2,
        scores: Scores(scale: 1, keys: KeyPlan(allowed: keys, after: isCausal ? 0 : nil)))
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
      query: x, key: x, value: x, heads: 1, scores: Scores(scale: 1, keys: .causal(allowed: keys)))
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
    let scores = Scores<Double>(scale: 1, keys: .causal(allowed: keys))
    let result = attention(query: x, key: x, value: x, heads: 1, scores: scores)
    for column in 0..<2 {
      let mean = (0..<length).reduce(0) { $0 + x.at(0, $1, column) } / Double(length)
      for query in 0..<hidden { #expect(abs(result.at(0, query, column) - mean) < 1e-14) }
      #expect(abs(result.at(0, hidden, column) - x.at(0, hidden, column)) < 1e-15)
    }
    let expected = naiveAttention(query: x, key: x, value: x, heads: 1, keyHeads: 1, scores: scores)
    #expect(result.error(from: expected) < 1e-12)
  }

  /// Padding before, between and behind tokens, and a window.
  @Test(arguments: [KeyPlan.Fallback.allowed, .past], [2, 5, 900])
  func `what a query sees that sees nothing`(_ fallback: KeyPlan.Fallback, _ window: Int) {
    var randoms = Randoms(seed: 13)
    let length = 700
    let x = randoms.array(2, length, 3, of: Double.self)
    let allowed = NDArray(
      shape: [2, length],
      elements: (0..<2 * length).map { index in
        index < length ? index > 20 && !(30..<600).contains(index) : false
      })
    let result = attention(
      query: x, key: x, value: x, heads: 1,
      scores: Scores(
        scale: 1, keys: .causal(allowed: allowed, window: window, fallback: fallback)))
    // A score for each key, as the sum of what hides it, and softmax over all of them.
    for row in 0..<2 * length {
      let (member, query) = (row / length, row % length)
      let scores = (0..<length).map { key -> Double in
        let isReached = key <= query && query - key < window
        let isAllowed = allowed.at(member, key)
        let product = (0..<3).reduce(0) { $0 + x.at(member, query, $1) * x.at(member, key, $1) }
        let most = -Double.greatestFiniteMagnitude
        switch fallback {
        case .all: return isReached && isAllowed ? product : most
        case .allowed: return (isReached ? product : -10_000) + (isAllowed ? 0 : most)
        case .past: return (isReached ? product : most) + (isAllowed && key <= query ? 0 : most)
        }
      }
      let largest = scores.max() ?? 0
      let weights = scores.map { Double.exp($0 - largest) }
      let sum = weights.reduce(0, +)
      for column in 0..<3 {
        let mean = (0..<length).reduce(0) { $0 + weights[$1] * x.at(member, $1, column) } / sum
        #expect(abs(result.at(member, query, column) - mean) < 1e-12)
      }
    }
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
        query: query, key: key, value: value, heads: 2,
        scores: Scores(scale: 0.5, keys: .causal(allowed: keys)))
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
      query: query, key: key, value: value, heads: 1, scores: Scores(scale: 1))
    #expect(result.elements == [3])
  }

  @Test func `NaN in a query spoils its own row and head only`() {
    var randoms = Randoms(seed: 9)
    var x = randoms.array(2, 70, 4, of: Float.self)
    let key = randoms.array(2, 70, 4, of: Float.self)
    func run() -> NDArray<Float> {
      attention(query: x, key: key, value: key, heads: 2, scores: Scores(scale: 1))
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
    let result = attention(query: x, key: key, value: x, heads: 1, scores: Scores(scale: 1))
    #expect(result.elements.allSatisfy { $0.isNaN })
  }

  @Test func `nothing to attend to, or nobody who does, is empty or zero`() {
    let none = NDArray(shape: [2, 0, 4], elements: [Float]())
    let some = NDArray(shape: [2, 3, 4], repeating: Float(1))
    let noQueries = attention(
      query: none, key: some, value: some, heads: 2, scores: Scores(scale: 1))
    #expect(noQueries.shape == [2, 0, 4])
    let noKeys = attention(
      query: some, key: none, value: none, heads: 2, scores: Scores(scale: 1))
    #expect(noKeys == NDArray(shape: [2, 3, 4], repeating: 0))
  }
}
