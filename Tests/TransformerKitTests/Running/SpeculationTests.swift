import Containers
import Kernels
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// Decisions taken one way after the other, so that every way is taken once.
private struct Paths {
  private var ways: [Int] = []
  private var counts: [Int] = []
  private var place = 0

  /// The next decision between `count` ways.
  mutating func choose(_ count: Int) -> Int {
    if place == ways.count {
      ways.append(0)
      counts.append(count)
    }
    place += 1
    return ways[place - 1]
  }

  /// Goes on to the next path; `false` if there is none.
  mutating func next() -> Bool {
    place = 0
    while let way = ways.last {
      if way + 1 < counts[ways.count - 1] {
        ways[ways.count - 1] = way + 1
        return true
      }
      ways.removeLast()
      counts.removeLast()
    }
    return false
  }
}

/// A model over three words: a distribution for each text.
private struct Tiny {
  var weights: [[Int]: [Double]] = [:]

  init(seed: UInt64, length: Int) {
    var random = SplitMix64(seed: seed)
    var texts: [[Int]] = [[]]
    for _ in 0...length {
      for text in texts {
        let parts = (0..<3).map { _ in Double.random(in: 0.01..<1, using: &random) }
        weights[text] = parts.map { $0 / parts.reduce(0, +) }
      }
      texts = texts.flatMap { text in (0..<3).map { text + [$0] } }
    }
  }

  func next(_ text: [Int]) -> [Double] { weights[text] ?? [] }
}

@Suite struct SpeculationTests {
  /// Leviathan et al., appendix A.1: the joint distribution is the target's, whatever the draft is.
  @Test(arguments: [1, 2, 3], [UInt64(1), 7, 23])
  func `over all ways to accept and reject the distribution is the target's`(
    _ count: Int, _ seed: UInt64
  ) {
    // There are a million ways to three tokens by two proposals at a time.
    let length = count == 3 ? 2 : 3
    let target = Tiny(seed: seed, length: length + count)
    let draft = Tiny(seed: seed &+ 1000, length: length + count)
    var joint: [[Int]: Double] = [:]
    var paths = Paths()
    var (isLeft, tried) = (true, 0)
    while isLeft {
      tried += 1
      var (text, chance) = ([Int](), 1.0)
      while text.count < length {
        var (proposals, chances) = ([Int](), [[Double]]())
        for _ in 0..<count {
          let q = draft.next(text + proposals)
          let token = paths.choose(3)
          chance *= q[token]
          proposals.append(token)
          chances.append(q)
        }
        let targets = (0...count).map { target.next(text + proposals.prefix($0)) }
        text += speculate(
          proposals, draft: chances, target: targets,
          accept: { probability in
            let isAccepted = paths.choose(2) == 1
            chance *= isAccepted ? probability : 1 - probability
            return isAccepted
          },
          draw: { distribution in
            let token = paths.choose(distribution.count)
            chance *= distribution[token]
            return token
          })
      }
      joint[Array(text.prefix(length)), default: 0] += chance
      isLeft = paths.next()
    }
    #expect(tried > 100 && joint.count == (length == 3 ? 27 : 9))
    for (text, chance) in joint {
      let expected = (0..<length).reduce(1.0) { $0 * target.next(Array(text.prefix($1)))[text[$1]] }
      #expect(abs(chance - expected) < 1e-15, "seed \(seed), \(count) proposals, text \(text)")
    }
  }

  private struct Pair: Sendable, CustomTestStringConvertible {
    let model: String
    let draft: String
    var testDescription: String { "\(model) with \(draft)" }
  }

  private static let pairs = [
    Pair(model: "gpt2/generate", draft: "gpt2/generate"),
    Pair(model: "gpt2/generate", draft: "gpt2/lm"),
    Pair(model: "llama/generate", draft: "llama/lm"),
    Pair(model: "llama/mistral_generate", draft: "llama/mistral_generate"),
    Pair(model: "llama/mistral_generate", draft: "llama/qwen3"),
    Pair(model: "t5/generate", draft: "t5/v10"),
  ]

  private func prompt(_ folder: String) throws -> ModelInputs {
    var inputs = try ArrayFile(fixture("\(folder)/generated.npz")).inputs()
    for (name, array) in inputs.arrays {
      inputs[name] = NDArray(shape: [1, array.width], elements: Array(array.row(0)))
    }
    return inputs
  }

  @Test(arguments: pairs, [1, 2, 5])
  private func `a draft changes no likeliest token`(_ pair: Pair, _ count: Int) throws {
    let (graph, draft) = (
      try Model(fixture(pair.model)).graph, try Model(fixture(pair.draft)).graph
    )
    let inputs = try prompt(pair.model)
    var alone = try Generator<Double>(graph, prompt: inputs)
    try alone.generate(12)
    var helped = try SpeculativeGenerator<Double>(
      graph, draft: draft, prompt: inputs, draftTokens: count)
    try helped.generate(12)
    #expect(helped.sequences == alone.sequences)
    let record = helped.record
    #expect(record.accepted <= record.proposed && record.proposed <= count * record.passes)
    if pair.model == pair.draft { #expect(record.accepted == record.proposed) }
  }

  @Test func `what is drawn goes by the seed, and a draft of the same mind is always right`() throws
  {
    let graph = try Model(fixture("llama/generate")).graph
    let inputs = try prompt("llama/generate")
    func drawn(_ seed: UInt64, temperature: Double) throws -> NDArray<Int> {
      var generator = try Generator<Double>(
        graph, prompt: inputs, choice: .drawn(temperature: temperature, seed: seed))
      try generator.generate(12)
      return generator.sequences
    }
    #expect(try drawn(1, temperature: 1) == drawn(1, temperature: 1))
    #expect(try drawn(1, temperature: 1) != drawn(2, temperature: 1))
    var cold = try Generator<Double>(graph, prompt: inputs)
    try cold.generate(12)
    #expect(try drawn(1, temperature: 1e-6) == cold.sequences)
    var helped = try SpeculativeGenerator<Double>(
      graph, draft: graph, prompt: inputs, draftTokens: 3,
      choice: .drawn(temperature: 1, seed: 5))
    try helped.generate(12)
    #expect(helped.record.accepted >= helped.record.proposed - 1 && helped.record.proposed > 0)
  }

  @Test(arguments: [
    ("gpt2/generate", "llama/lm", "vocabulary"), ("llama/generate_dynamic", "llama/lm", "dynamic"),
    ("gpt2/generate", "gpt2/base", "continuing texts is not supported"),
    ("xlnet/generate", "gpt2/lm", "does not go with steps that read earlier tokens again"),
    ("gpt2/generate", "xlnet/generate", "cannot be a model with steps that read earlier tokens"),
    ("t5/switch_generate", "t5/generate", "experts that take so many tokens"),
  ])
  func `a draft that does not go with the model is refused`(
    _ model: String, _ draft: String, _ reason: String
  ) throws {
    let graphs = try [model, draft].map { try Model(fixture($0)).graph }
    let error = #expect(throws: CheckpointError.self) {
      try SpeculativeGenerator<Float>(
        graphs[0], draft: graphs[1], prompt: prompt(model), draftTokens: 2)
    }
    #expect(error?.category == .unsupported && error?.description.contains(reason) == true)
  }
}
