import Kernels
import Models
import TensorCore
import TestSupport
import Testing

/// A form of the layer to try.
struct LayerCase: Sendable, CustomTestStringConvertible {
  var name: String
  var shape: AttentionShape
  var norm: QueryKeyNorm?
  var hasSinks = false
  var softcap: Double?
  var window: Int?
  var chunk: Int?
  var bias = true

  var testDescription: String { name }

  func keys(_ allowed: NDArray<Bool>, from first: Int) -> KeyPlan {
    .causal(
      allowed: allowed, window: window, chunks: chunk.map { KeyChunks(size: $0) },
      firstQuery: first)
  }
}

private let cases = [
  LayerCase(name: "plain", shape: AttentionShape(heads: 3, headSize: 5)),
  LayerCase(
    name: "grouped, rotary halves, norms of heads",
    shape: AttentionShape(
      heads: 4, keyHeads: 2, headSize: 6, rotary: RotaryPart(.halves, size: 6)),
    norm: QueryKeyNorm(.heads, .rootMeanSquare(epsilon: 1e-6)), bias: false),
  LayerCase(
    name: "one key head, part of it turned in pairs, norms of all heads, window",
    shape: AttentionShape(
      heads: 3, keyHeads: 1, headSize: 7, valueSize: 4,
      rotary: RotaryPart(.pairs, size: 4, first: 2)),
    norm: QueryKeyNorm(.whole, .rootMeanSquare(epsilon: 1e-5, gainOffset: 1)), window: 5),
  LayerCase(
    name: "layer norms of heads",
    shape: AttentionShape(heads: 3, headSize: 4, rotary: RotaryPart(.halves, size: 2)),
    norm: QueryKeyNorm(.heads, .layer(epsilon: 1e-6, hasBias: true))),
  LayerCase(
    name: "layer norms of heads with weights of their own",
    shape: AttentionShape(heads: 4, keyHeads: 2, headSize: 6),
    norm: QueryKeyNorm(.ownHeads, .layer(epsilon: 1e-6, hasBias: false)), bias: false),
  LayerCase(
    name: "window of one, sinks", shape: AttentionShape(heads: 2, headSize: 3), hasSinks: true,
    window: 1),
  LayerCase(
    name: "chunks, softcap", shape: AttentionShape(heads: 2, headSize: 3), softcap: 1.5, chunk: 4),
]

/// The layer, with random weights.
private struct Subject {
  static let width = 9
  static let length = 30

  let form: LayerCase
  private(set) var tensors: [String: Tensor] = [:]
  let x: NDArray<Double>
  let allowed: NDArray<Bool>
  let layer: Attention<Double>

  init(_ form: LayerCase) throws {
    self.form = form
    var generator = SeededGenerator(seed: 51)
    func numbers(_ count: Int) -> [Double] {
      (0..<count).map { _ in Double.random(in: -1...1, using: &generator) }
    }
    func build(_ scope: WeightScope<Double>) throws(CheckpointError) -> Attention<Double> {
      try Attention(
        scope.module("layer", .attention), width: Self.width, shape: form.shape,
        softcap: form.softcap, bias: form.bias, outputBias: true, norm: form.norm,
        hasSinks: form.hasSinks)
    }
    for slot in declaredSlots({ scope throws(CheckpointError) in _ = try build(scope) }) {
      let bytes = numbers(slot.parameterCount).flatMap { number in
        (0..<8).map { UInt8(truncatingIfNeeded: number.bitPattern >> (8 * $0)) }
      }
      tensors[slot.path] = Tensor(
        name: TensorName(slot.path), dtype: .f64, shape: slot.shape, bytes: ByteArray(bytes))
    }
    layer = try build(WeightScope<Double>(giving: tensors))
    x = NDArray(
      shape: [2, Self.length, Self.width], elements: numbers(2 * Self.length * Self.width))
    // Left padding of the second text.
    allowed = NDArray(
      shape: [2, Self.length], elements: (0..<2 * Self.length).map { $0 < 30 || $0 >= 33 })
  }

  func weight(_ name: String) throws -> NDArray<Double> {
    try NDArray(reading: try #require(tensors["layer." + name]))
  }

  /// The layer's result for some positions, of which `states` keeps the earlier ones.
  func run(_ positions: Range<Int>, _ states: inout States<Double>) -> NDArray<Double> {
    let part = split(
      x, axis: 1,
      sizes: [positions.lowerBound, positions.count, Self.length - positions.upperBound])[1]
    return run(part, positions, &states)
  }

  func run(
    _ x: NDArray<Double>, _ positions: Range<Int>, _ states: inout States<Double>
  ) -> NDArray<Double> {
    let mask = NDArray(
      shape: [2, positions.upperBound],
      elements: (0..<2).flatMap { Array(allowed.row($0).prefix(positions.upperBound)) })
    return layer(
      x, keys: form.keys(mask, from: positions.lowerBound), rotary: table(positions), adding: x,
      &states)
  }

  func table(_ positions: Range<Int>) -> NDArray<Double>? {
    form.shape.rotary.map { part in
      rotaryTable(
        positions: NDArray(shape: [1, positions.count], elements: Array(positions)),
        frequencies: RotarySettings(size: part.size, base: 100).frequencies(length: 0),
        of: Double.self)
    }
  }
}

private func states(keeping: Bool) -> States<Double> {
  States(inputs: ModelInputs([:]), keepsKeysAndValues: keeping)
}

@Suite struct AttentionLayerTests {
  @Test(arguments: cases) func `is made of its parts`(_ form: LayerCase) throws {
    let subject = try Subject(form)
    let (shape, all) = (form.shape, 0..<Subject.length)
    func projected(_ name: String) throws -> NDArray<Double> {
      linear(
        subject.x, weight: try subject.weight(name + ".weight"),
        bias: form.bias ? try subject.weight(name + ".bias") : nil)
    }
    func prepared(_ name: String, heads: Int) throws -> NDArray<Double> {
      var y = try projected(name)
      if form.norm != nil {
        let isOfHeads = form.name.contains("norms of heads")
        let size = isOfHeads ? shape.headSize : y.width
        // By the formula, run by run of what is normalised together.
        for start in stride(from: 0, to: y.elements.count, by: size) {
          let head = form.name.contains("own") ? ".\(start / size % heads)" : ""
          let gain = try subject.weight(name + "_norm\(head).weight").elements
          #expect(gain.count == size)
          let run = y.elements[start..<start + size]
          let mean = form.name.contains("layer") ? run.reduce(0, +) / Double(size) : 0
          let square = run.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
          let scale = 1 / (square / Double(size) + (isOfHeads ? 1e-6 : 1e-5)).squareRoot()
          let hasBias = form.name == "layer norms of heads"
          #expect((subject.tensors["layer.\(name)_norm\(head).bias"] != nil) == hasBias)
          let bias = hasBias ? try subject.weight(name + "_norm\(head).bias").elements : nil
          for i in 0..<size {
            let weight = gain[i] + (form.name.contains("all heads") ? 1 : 0)
            y.elements[start + i] =
              (y.elements[start + i] - mean) * scale * weight + (bias?[i] ?? 0)
          }
        }
      }
      guard let part = shape.rotary, let table = subject.table(all) else { return y }
      return rotate(y, by: table, heads: heads, layout: part.layout, first: part.first)
    }
    let heads = attention(
      query: try prepared("query", heads: shape.heads),
      key: try prepared("key", heads: shape.keyHeads), value: try projected("value"),
      heads: shape.heads, keyHeads: shape.keyHeads,
      scores: Scores(
        scale: 1 / Double(shape.headSize).squareRoot(), softcap: form.softcap,
        keys: form.keys(subject.allowed, from: 0),
        sinks: form.hasSinks ? try subject.weight("sinks") : nil))
    let expected = add(
      linear(
        heads, weight: try subject.weight("output.weight"),
        bias: try subject.weight("output.bias")), subject.x)
    var states = states(keeping: false)
    let result = subject.run(all, &states)
    #expect(result.shape == expected.shape)
    for (a, b) in zip(result.elements, expected.elements) { #expect(abs(a - b) < 1e-13) }
  }

  /// How many positions come at a time.
  @Test(arguments: cases, [[30], [7, 1, 1, 1, 10, 1, 9], Array(repeating: 1, count: 30)])
  func `steps equal the whole`(_ form: LayerCase, _ steps: [Int]) throws {
    let subject = try Subject(form)
    var none = states(keeping: false)
    let whole = subject.run(0..<Subject.length, &none)
    var (kept, first) = (states(keeping: true), 0)
    for count in steps {
      let part = subject.run(first..<first + count, &kept)
      check(part, equals: whole, from: first)
      kept.advance(by: count, to: ModelInputs([:]))
      first += count
    }
  }

  /// Where positions are padding they see nothing that counts, and dropped keys make a difference.
  private func check(_ part: NDArray<Double>, equals whole: NDArray<Double>, from first: Int) {
    for member in 0..<2 {
      for position in 0..<part.shape[1] where member == 0 || first + position >= 3 {
        let expected = whole.row(member * Subject.length + first + position)
        for (a, b) in zip(part.row(member * part.shape[1] + position), expected) {
          #expect(abs(a - b) < 1e-13, "text \(member), position \(first + position)")
        }
      }
    }
  }

  @Test(arguments: cases) func `what is forgotten has never been`(_ form: LayerCase) throws {
    let subject = try Subject(form)
    var none = states(keeping: false)
    let whole = subject.run(0..<Subject.length, &none)
    var states = states(keeping: true)
    _ = subject.run(0..<6, &states)
    states.advance(by: 6, to: ModelInputs([:]))
    let wrong = NDArray(shape: [2, 3, Subject.width], repeating: 7.0)
    _ = subject.run(wrong, 6..<9, &states)
    states.advance(by: 3, to: ModelInputs([:]))
    #expect(states.canForget(3) && !states.canForget(10))
    states.forget(3)
    let part = subject.run(6..<9, &states)
    check(part, equals: whole, from: 6)
  }
}
