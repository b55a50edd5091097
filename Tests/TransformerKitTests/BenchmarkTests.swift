import Kernels
import Models
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

  @Test func `the median is in the middle`() {
    #expect(median([]) == 0)
    #expect(median([3]) == 3)
    #expect(median([9, 1, 2]) == 2)
    #expect(median([4, 1, 2, 9]) == 3)
  }
}
