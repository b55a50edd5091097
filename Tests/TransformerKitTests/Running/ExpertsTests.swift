import Codecs
import Containers
import Families
import Kernels
import Models
import Synchronization
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// Networks of which each position goes through a few.
@Suite struct ExpertsTests {
  /// Bytes that remember whether they were read.
  private final class Watched: TensorBytes {
    private let bytes: any TensorBytes
    private let reads = Atomic(0)

    init(_ bytes: any TensorBytes) { self.bytes = bytes }

    var count: Int { bytes.count }
    var isReadForwards: Bool { bytes.isReadForwards }
    var wasRead: Bool { reads.load(ordering: .relaxed) > 0 }

    func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
      reads.add(1, ordering: .relaxed)
      try bytes.read(at: offset, into: &buffer)
    }
  }

  /// The matrices of experts, watched.
  private func watched(_ graph: WeightGraph) throws -> [String: Watched] {
    let paths = graph.slots.map(\.path).filter { $0.contains(".experts.") }
    return try Dictionary(
      uniqueKeysWithValues: paths.map { path in
        (path, Watched(try #require(graph.tensor(at: path)).bytes))
      })
  }

  private func watching(_ graph: WeightGraph, _ watched: [String: Watched]) throws -> WeightGraph {
    var tensors: [String: Tensor] = [:]
    for (path, bytes) in watched {
      let tensor = try #require(graph.tensor(at: path))
      tensors[path] = Tensor(
        name: tensor.name, dtype: tensor.dtype, shape: tensor.shape, bytes: bytes)
    }
    return graph.replacing(tensors)
  }

  /// How many experts of each layer were read, wholly or not at all.
  private func readExperts(_ watched: [String: Watched]) -> [String: Int] {
    var experts: [String: [String: Set<Bool>]] = [:]
    for (path, bytes) in watched {
      let parts = path.split(separator: ".").map(String.init)
      experts[parts[2], default: [:]][parts[5], default: []].insert(bytes.wasRead)
    }
    #expect(experts.values.allSatisfy { $0.values.allSatisfy { $0.count == 1 } })
    return experts.mapValues { layer in layer.values.count { $0 == [true] } }
  }

  @Test(arguments: [
    ("mixtral/lm", 2), ("mixtral/one_of_three", 1), ("mixtral/fused", 2), ("gptoss/lm", 2),
    ("deepseek/lm", 3), ("mixtral/twelve_experts", 3),
  ])
  func `a pass reads the experts that were chosen, and no others`(
    _ name: String, _ active: Int
  ) throws {
    let graph = try openModel(name).graph
    let watched = try watched(graph)
    let inputs = ModelInputs(["input_ids": NDArray(shape: [1, 1], elements: [5])])
    var pass = try ForwardPass<Double>(try watching(graph, watched), inputs: inputs)
    let outputs = try pass.run(hiddenStates: false)
    #expect(readExperts(watched).values.allSatisfy { $0 == active })
    var plain = try ForwardPass<Double>(graph, inputs: inputs)
    #expect(try plain.run(hiddenStates: false).map(\.array) == outputs.map(\.array))
  }

  @Test func `the memory of a stage counts one expert`() throws {
    func memory(_ name: String) throws -> (own: ForwardMemory, each: Int, count: Int) {
      let graph = try openModel(name).graph
      let experts = graph.slots.filter {
        $0.path.hasPrefix("decoder.blocks.0.feed_forward.experts.")
      }
      let first = experts.filter { $0.path.contains(".experts.0.") }
      let inputs = ModelInputs(["input_ids": NDArray(shape: [1, 1], repeating: 3)])
      return (
        ForwardMemory(graph, inputs, Double.self), first.reduce(0) { $0 + $1.parameterCount },
        experts.count / first.count
      )
    }
    let (few, each, count) = try memory("mixtral/one_of_three")
    let (many, same, more) = try memory("mixtral/twelve_experts")
    #expect(each == same && count == 3 && more == 12)
    // Nine experts more, of which one at a time is in memory; their rows of the router are.
    #expect(many.stage - few.stage < 8 * each)
    #expect(many.weights - few.weights >= 8 * 9 * each)
  }

  @Test func `a summary says how many are active`() throws {
    let graph = try openModel("mixtral/qwen2_some_layers").graph
    let experts = try #require(ModelSummary(graph).experts)
    // Layers 1 and 3 by their step, of which 1 is listed as dense.
    #expect(experts.count == 5 && experts.active == 2 && experts.layers == 1)
    let idle = graph.slots.filter { $0.path.contains(".experts.") }.reduce(0) {
      $0 + $1.parameterCount
    }
    #expect(experts.activeParameters == graph.parameterCount - idle / 5 * 3)
    #expect(try ModelSummary(openModel("llama/lm").graph).experts == nil)
  }

  @Test func `latent attention keeps narrow vectors`() throws {
    // 7 numbers of the latent and 4 that are turned, in two layers of two bytes each.
    let cache = try #require(ModelSummary(openModel("deepseek/lm").graph).cache)
    #expect(cache.perToken == (7 + 4) * 2 * 2)
  }

  @Test func `a block that predicts one more token is carried along`() throws {
    let graph = try openModel("deepseek/next_token_layer").graph
    let further = graph.slots.filter { $0.path.hasPrefix("decoder.blocks.1.") }
    #expect(further.count > 30 && further.allSatisfy(\.isUnused) && graph.dropped.isEmpty)
    #expect(further.contains { $0.path == "decoder.blocks.1.projection.weight" })
    #expect(ModelSummary(graph).experts?.layers == 1)
    // Without it the model is the same but for those weights.
    let without = try openModel("deepseek/of_2025").graph
    #expect(!without.slots.contains { $0.path.hasPrefix("decoder.blocks.1.") })
  }

  @Test func `a matrix of codes stays whole where its weights keep their places`() throws {
    let model = try openModel("deepseek/fp8")
    let name: TensorName = "model.layers.0.self_attn.kv_b_proj.weight"
    let coded = try #require(model.plain.coded.first { $0.tensor.name == name })
    let written = try model.graph.translated(to: "huggingface").filter { $0.tensor.name == name }
    #expect(written.map(\.parts.count) == [2])
    #expect(written.allSatisfy { coded.isWhole(in: $0.tensor) })
  }

  @Test func `experts may be renumbered with the router's rows, groups as a whole`() throws {
    func change(_ name: String) throws -> Symmetry.Change {
      try #require(
        openModel(name).graph.symmetries.first { $0.name.hasPrefix("experts renumbered") }
      ).change
    }
    guard case .renumbering(_, count: 5, block: 1, let parts) = try change("gptoss/base") else {
      Issue.record("\(try change("gptoss/base"))")
      return
    }
    #expect(parts.map(\.path).map { $0.split(separator: ".").last } == ["weight", "bias"])
    guard case .renumbering(_, count: 4, block: 2, _) = try change("deepseek/base") else {
      Issue.record("\(try change("deepseek/base"))")
      return
    }
  }

  @Test(arguments: ["llama4", "qwen3_next", "jamba"])
  func `what is not supported is refused with what is missing`(_ type: String) throws {
    let model = try openModel("llama/lm")
    let config = model.graph.config.setting(["model_type"], to: .string(type))
    let error = #expect(throws: CheckpointError.self) {
      try WeightGraph(model.checkpoint.tensors, config: config)
    }
    #expect(error?.category == .unsupported)
    #expect(error?.problem.text.hasSuffix(" missing") == true)
  }
}
