import Containers
import Kernels
import Models
import Mutants
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// A family is one folder, a member ten lines, and nothing else changes: all that the commands do works for
/// one that they were told of a moment ago.
@Suite struct ToyTests {
  private func subject(_ form: ToyCase) throws -> Subject {
    let folder = ScratchFolder()
    try form.write(to: folder)
    return try withExtendedLifetime(folder) {
      try Subject(folder.path, name: form.name, options: form.options)
    }
  }

  @Test func `nobody knows it who was not told`() throws {
    let folder = ScratchFolder()
    try ToyCase.pairs.write(to: folder)
    let error = #expect(throws: CheckpointError.self) { try Model(folder.path) }
    #expect(error?.category == .unsupported && error?.description.contains("toy_pairs") == true)
  }

  @Test(arguments: ToyCase.all) func `golden`(_ form: ToyCase) throws {
    let subject = try subject(form)
    #expect(subject.model.graph.unknownKeys == [])
    let report = try subject.model.check(subject.golden)
    #expect(report.isVerified && report.tolerance == 1e-10)
    #expect(Set(report.lines.map(\.name)).count == 5)
    for line in report.lines { #expect((line.deviation?.relative ?? 1) < 1e-13, "\(line.name)") }
  }

  @Test(arguments: ToyCase.all) func `pair, and the other dialect and container`(
    _ form: ToyCase
  ) throws {
    let (folder, target) = (ScratchFolder(), ScratchFolder())
    try form.write(to: folder)
    var wanted = Conversion.Target(target.path.appending("model.npz"), dialect: "apart")
    wanted.isVerified = true
    let a = try Model(folder.path, options: form.options)
    try Conversion(a.checkpoint, to: wanted, options: form.options).run()
    let b = try Model(target.path.appending("model.npz"), options: form.options)
    #expect(a.graph.dialect.name == "joined" && b.graph.dialect.name == "apart")
    #expect(b.checkpoint.tensors.tensors.count > a.checkpoint.tensors.tensors.count)
    #expect(try compare(a, b, precision: Float.self).verdict == .identical)
    #expect(try b.check(Golden(folder.path.appending("golden.npz"))).isVerified)
    let (idA, idB) = (try ModelID(a.graph).digest, try ModelID(b.graph).digest)
    #expect(idA == idB)
  }

  @Test(arguments: ToyCase.all) func `id`(_ form: ToyCase) throws {
    let subject = try subject(form)
    let graph = subject.model.graph
    let lines = try ModelID(graph).lines
    #expect(lines[1] == "architecture \(form.name)\n")
    #expect(
      lines.filter { $0.hasPrefix("config ") }.map { $0.split(separator: " ")[1] } == [
        "activation", "epsilon", "head", "heads", "partial_rotary_factor", "rope_theta",
        "rope_type",
      ])
    // Every fact of which it is made, and nothing else, gives another id.
    let id = try ModelID(graph).digest
    func changed(_ path: [String], _ value: JSONValue) throws -> String {
      let config = graph.config.setting(path, to: value)
      let tensors = subject.model.checkpoint.tensors
      return try ModelID(graph.understood(with: config, tensors)).digest
    }
    for (key, value) in [
      ("hidden_act", "gelu"), ("rms_norm_eps", 1), ("partial_rotary_factor", 1),
      ("rope_theta", 3),
      ("rope_scaling", ["type": "linear", "factor": 2]),
    ] as [(String, JSONValue)] {
      #expect(try changed([key], value) != id, "\(key)")
    }
    #expect(try changed(["eos_token_id"], 5) == id)
  }

  @Test(arguments: ToyCase.all) func `generation`(_ form: ToyCase) throws {
    let graph = try subject(form).model.graph
    var expected = ToyCase.ids.map { Array($0.prefix(6)) }
    let prompt = ModelInputs([
      "input_ids": NDArray(shape: [2, 6], elements: expected.flatMap(\.self))
    ])
    for _ in 0..<9 {
      for text in expected.indices {
        let scores = try #require(ToyFormula(form)(expected[text]).logits.last)
        let best = scores.indices.sorted { scores[$0] > scores[$1] }
        try #require(scores[best[0]] - scores[best[1]] > 1e-3)
        expected[text].append(best[0])
      }
    }
    var generator = try Generator<Double>(graph, prompt: prompt)
    try generator.generate(9)
    #expect(generator.sequences.elements == expected.flatMap(\.self))
  }

  @Test(arguments: ToyCase.all) func `memory`(_ form: ToyCase) throws {
    let graph = try subject(form).model.graph
    let inputs = graph.architecture.probe
    let (positions, width) = (2 * 512, form.sizes.width)
    let memory = ForwardMemory(graph, inputs, Double.self)
    #expect(memory.states == 8 * positions * (3 * width + form.sizes.turned))
    let block = graph.slots.filter { $0.path.hasPrefix("decoder.blocks.0.") }
    let weights = block.reduce(0) { $0 + 8 * $1.parameterCount }
    #expect(memory.stage > weights + 8 * positions * width)
    let logits = 8 * positions * form.sizes.vocabulary
    #expect(memory.outputs >= logits && memory.outputs < 8 * logits)
    let needed = VerificationMemory(running: graph, inputs: inputs, Double.self)
    try needed.keep(needed.peak)
    #expect(throws: CheckpointError.self) { try needed.keep(needed.peak - 1) }
  }

  @Test(arguments: ToyCase.all) func `mutation score`(_ form: ToyCase) throws {
    let subject = try subject(form)
    var score = Score()
    for mutant in try subject.mutants(count: 1, seed: 7) {
      if let outcome = try subject.outcome(of: mutant) { score.add(outcome) }
    }
    #expect(score.faults.isEmpty, "\(score.faults)")
    let (all, listed) = (score.total(), score.total(listed: true))
    #expect(all.planted >= 35)
    #expect(all.caughtByPair == all.planted - all.refused)
    #expect(all.caughtByGolden == all.visibleInGolden)
    #expect(all.placed == all.visibleInGolden)
    #expect(10 * listed.explainedByPair >= 9 * listed.planted, "\(score.unexplained)")
    #expect(10 * listed.explainedByGolden >= 9 * listed.explicable, "\(score.unexplained)")
    let outcomes = try subject.cleanOutcomes()
    #expect(outcomes.count >= 7)
    for outcome in outcomes { #expect(outcome.alarm == nil, "\(outcome.form)") }
  }
}
