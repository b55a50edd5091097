import Containers
import Models
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// Whoever waits hears how far it is: in bytes of weights, in the end all of them.
@Suite struct ProgressTests {
  private final class Heard {
    var steps: [(done: Int, total: Int)] = []
  }

  private func steps(_ work: (WeightProgress) throws -> Void) throws -> [(done: Int, total: Int)] {
    let heard = Heard()
    try work(WeightProgress { heard.steps.append(($0, $1)) })
    return heard.steps
  }

  private func expectWhole(_ steps: [(done: Int, total: Int)]) {
    let isGrowing = zip(steps, steps.dropFirst()).allSatisfy { $0.done <= $1.done }
    #expect(isGrowing && steps.allSatisfy { $0.done <= $0.total })
    #expect(steps.last?.done == steps.last?.total)
  }

  @Test(arguments: ["bert/base", "gpt2/lm", "t5/v10"])
  func `a comparison reads all weights, and runs them`(_ name: String) throws {
    let (a, b) = (try openModel(name), try openModel(name))
    let steps = try steps { _ = try compare(a, b, progress: $0) }
    expectWhole(steps)
    let bytes = a.checkpoint.tensors.byteCount
    #expect(steps.count > a.graph.slots.count && (steps.last?.total ?? 0) >= 2 * bytes)
  }

  @Test func `a cast of one mathematics is run once on each side`() throws {
    var variant = try Variant("base")
    try variant.convert(to: .bf16, bfloat16)
    let (a, b) = (try openModel("bert/base"), try variant.model())
    let cast = try steps { _ = try compare(a, b, progress: $0) }
    let same = try steps { _ = try compare(a, a, progress: $0) }
    expectWhole(cast)
    #expect(cast.last?.total == same.last?.total)
  }

  @Test func `a golden is one run`() throws {
    let model = try openModel("bert/base")
    let golden = try golden("bert/base")
    let steps = try steps { _ = try model.check(golden, progress: $0) }
    expectWhole(steps)
    #expect((steps.last?.total ?? 0) >= model.checkpoint.tensors.byteCount)
  }
}
