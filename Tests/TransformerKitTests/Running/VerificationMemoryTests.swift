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

  /// So that the smallest cap that is named is that with the smallest slabs, whichever it was first asked with.
  @Test func `of a target that is read in slabs, smaller slabs need less`() throws {
    let before = Slab.size
    defer { Slab.size = before }
    Slab.size = 64 << 20
    let large = Tensor(
      name: "large", dtype: .f32, shape: [64 << 20], bytes: NoBytes(count: 256 << 20))
    let graph = try openModel("bert/base").graph
    let needed = VerificationMemory(verifying: graph, in: .npz, [large])
    let peak = needed.peak
    try needed.keep(peak - (32 << 20))
    #expect(Slab.size == Slab.minimumSize)
    #expect(peak - needed.peak >= (64 << 20) - Slab.minimumSize)
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

  private func memory(_ graph: WeightGraph, _ lengths: [String: Int]) -> ForwardMemory {
    ForwardMemory(
      graph, ModelInputs(lengths.mapValues { NDArray(shape: [1, $0], repeating: 3) }), Double.self)
  }

  @Test func `what a stage leaves for the others is counted at its own length`() throws {
    let graph = try openModel("t5/v11").graph
    func states(_ length: Int, _ decoderLength: Int) -> Int {
      memory(graph, ["input_ids": length, "decoder_input_ids": decoderLength]).states
    }
    let table = try #require(graph.slots.first { $0.path == "decoder.relative_bias.weight" })
    #expect(states(64, 30) - states(64, 10) == 8 * table.shape[1] * 2 * 20)
    #expect(states(64, 30) > states(60, 30))
    // The angles of rotary positions.
    let llama = try openModel("llama/lm").graph
    let width = try #require(llama.slots.first { $0.path == "embeddings.word.weight" }).shape[1]
    let head = try #require(llama.attention(at: "decoder.blocks.0.attention")).headSize
    #expect(memory(llama, ["input_ids": 10]).states == 8 * 10 * (3 * width + head))
  }

  @Test(arguments: [(20, 3), (3, 20)])
  func `a decoder's stages work with its own positions, and with keys of the encoder's`(
    _ length: Int, _ decoderLength: Int
  ) throws {
    let stages = try openModel("t5/v11").graph.architecture.stages(Double.self)
    let inputs = ModelInputs([
      "input_ids": NDArray(shape: [1, length], repeating: 3),
      "decoder_input_ids": NDArray(shape: [1, decoderLength], repeating: 3),
    ])
    func positions(_ name: String) -> Int? {
      stages.first { $0.name == name }?.work(inputs).positions
    }
    for name in ["encoder.embeddings", "encoder.blocks.0", "encoder.norm"] {
      #expect(positions(name) == length, "\(name)")
    }
    for name in ["decoder.embeddings", "decoder.norm", "lm_head"] {
      #expect(positions(name) == decoderLength, "\(name)")
    }
    #expect(positions("decoder.blocks.0") == 20)
  }

  /// What is declared is no less than what a pass has in memory.
  @Test(arguments: goldenCases)
  func `no stage leaves more than it says`(_ name: String) throws {
    let graph = try openModel(name).graph
    let inputs = try golden(name).inputs
    let memory = ForwardMemory(graph, inputs, Double.self)
    var pass = try ForwardPass<Double>(graph, inputs: inputs)
    var outputs = 0
    while let result = try pass.advance() {
      var states = 0
      for name in pass.states.names {
        // Scores over a vocabulary are not computed before somebody asks for them.
        guard case .array(let array) = pass.states.value(of: name) else { continue }
        states += 8 * array.elements.count
      }
      outputs += result.outputs.reduce(0) { $0 + 8 * $1.value.shape.reduce(1, *) }
      #expect(states <= memory.states, "\(result.name)")
    }
    #expect(outputs <= memory.outputs)
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

/// Bytes that nobody reads.
private struct NoBytes: TensorBytes {
  let count: Int

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    throw CheckpointError(.malformed("nobody reads this"))
  }
}
