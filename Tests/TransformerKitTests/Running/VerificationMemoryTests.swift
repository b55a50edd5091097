import Containers
import Kernels
import Models
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// A cap on what verification takes holds, or is refused before any work.
@Suite(.serialized) struct VerificationMemoryTests {
  @Test func `the cap that is named as the smallest is enough`() throws {
    let model = try openModel("bert/masked_lm")
    let needed = VerificationMemory(
      comparing: model.graph, model.graph, inputs: nil, Float.self)
    var smallest: Int?
    do {
      try needed.keep(1 << 20)
    } catch {
      #expect(error.category == .failed)
      let text = error.description
      smallest = text.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) }
      #expect(text.hasPrefix("needs ") && text.contains("MiB of memory at least"))
    }
    let cap = try #require(smallest) << 20
    #expect(throws: CheckpointError.self) { try needed.keep(cap - 1) }
    try needed.keep(cap)
  }

  @Test func `more precision, longer inputs and more outputs need more`() throws {
    let graph = try openModel("bert/masked_lm").graph
    func peak<Scalar: ComputeScalar>(_ length: Int, _: Scalar.Type) -> Int {
      let ids = NDArray(shape: [64, length], elements: [Int](repeating: 1, count: 64 * length))
      return VerificationMemory(
        running: graph, inputs: ModelInputs(["input_ids": ids]), Scalar.self
      ).peak
    }
    #expect(peak(16, Float.self) < peak(16, Double.self))
    #expect(peak(16, Float.self) < peak(160, Float.self))
    let ids = NDArray(shape: [64, 160], elements: [Int](repeating: 1, count: 64 * 160))
    let inputs = ModelInputs(["input_ids": ids])
    let pair = VerificationMemory(comparing: graph, graph, inputs: inputs, Float.self)
    // Scores over the vocabulary are compared block by block, and kept by whoever only runs.
    #expect(ForwardMemory(graph, inputs, Float.self).outputs > 0)
    #expect(pair.peak > 0)
  }

  @Test func `without a cap there is room for anything`() throws {
    let graph = try openModel("bert/base").graph
    let needed = VerificationMemory(comparing: graph, graph, inputs: nil, Float.self)
    let room = try needed.keep(nil)
    #expect(room)
  }
}

/// Scores over a vocabulary are the same bits whole and block by block.
@Suite struct VocabularyProductTests {
  @Test(arguments: ["bert/masked_lm", "gpt2/lm", "t5/v11", "bert/pretraining"])
  func `blocks make up the whole`(_ name: String) throws {
    let model = try openModel(name)
    var pass = try ForwardPass<Float>(model.graph, inputs: model.graph.architecture.probe)
    var products = 0
    while let result = try pass.advance() {
      for output in result.outputs {
        guard case .product(let product) = output.value else { continue }
        products += 1
        let whole = try product.whole()
        #expect(whole.shape == product.shape)
        for block in product.blocks {
          let part = try product.block(block)
          let isEqual = (0..<part.rows).allSatisfy { row in
            part.row(row).elementsEqual(
              whole.row(row)[
                whole.row(row).startIndex + block.lowerBound..<whole.row(row).startIndex
                  + block.upperBound])
          }
          #expect(isEqual, "\(output.name) \(block)")
        }
      }
    }
    #expect(products == 1)
  }
}
