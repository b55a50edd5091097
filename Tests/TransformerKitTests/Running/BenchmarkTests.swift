import Kernels
import Models
import TensorCore
import Testing
import TransformerKit

@Suite struct BenchmarkTests {
  /// What is timed must be what a model gives: a head that is left out is fast.
  @Test(arguments: ["bert/masked_lm", "bert/base", "gpt2/lm", "gpt2/lm_untied", "t5/v10"])
  func `a pass with weights in memory gives all outputs, to the bit`(_ folder: String) throws {
    let (model, inputs) = (try openModel(folder), try golden(folder).inputs)
    var pass = try ForwardPass<Float>(model.graph, inputs: inputs)
    let expected = try pass.run(hiddenStates: false).map(\.array)
    #expect(!expected.isEmpty)
    let resident = try ResidentPass<Float>(model.graph, inputs: inputs)
    #expect(try resident.run() == expected)
    #expect(try resident.run() == expected)
  }

  @Test(
    arguments: ["bert/sequence_classification", "bert/next_sentence"], [[6, 4], [3, 3], [10, 2]])
  func `a head on the pooled state does not compute what is padding in every row`(
    _ folder: String, _ lengths: [Int]
  ) throws {
    let graph = try openModel(folder).graph
    var (short, whole) = try (pass(graph, lengths), pass(graph, lengths))
    let (some, all) = try (short.run(hiddenStates: false), whole.run(hiddenStates: true))
    #expect(short.states["hidden"].shape[1] == lengths.max())
    #expect(whole.states["hidden"].shape[1] == 10)
    let logits = try #require(all.first { $0.name == "logits" }).array
    #expect(some.map(\.name) == ["logits"])
    for (x, y) in zip(some[0].array.elements, logits.elements) { #expect(abs(x - y) < 1e-12) }
  }

  @Test func `a row of nothing but padding attends to all of it, and other heads have positions`()
    throws
  {
    for (folder, lengths) in [
      ("bert/sequence_classification", [6, 0]), ("bert/masked_lm", [6, 4]), ("bert/base", [6, 4]),
      ("bert/pretraining", [6, 4]),
    ] {
      var pass = try pass(try openModel(folder).graph, lengths)
      _ = try pass.run(hiddenStates: false)
      #expect(pass.states["hidden"].shape[1] == 10)
    }
  }

  @Test func `a decoder's first position may see all of the padding`() throws {
    var variant = try Variant("sequence_classification")
    variant["is_decoder"] = .bool(true)
    var pass = try pass(try variant.model().graph, [6, 4])
    _ = try pass.run(hiddenStates: false)
    #expect(pass.states["hidden"].shape[1] == 10)
  }

  /// Two texts of ten ids, of which so many are no padding.
  private func pass(
    _ graph: WeightGraph, _ lengths: [Int]
  ) throws -> ForwardPass<Double> {
    let mask = lengths.flatMap { length in (0..<10).map { $0 < length ? 1 : 0 } }
    return try ForwardPass(
      graph,
      inputs: ModelInputs([
        "input_ids": NDArray(shape: [2, 10], elements: (0..<20).map { $0 % 7 + 1 }),
        "attention_mask": NDArray(shape: [2, 10], elements: mask),
      ]))
  }

  @Test func `the median is in the middle`() {
    #expect(median([]) == 0)
    #expect(median([3]) == 3)
    #expect(median([9, 1, 2]) == 2)
    #expect(median([4, 1, 2, 9]) == 3)
  }
}
