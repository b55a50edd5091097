import Containers
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// Constants that files store although nothing reads them: compared as their type rounds them.
@Suite struct OriginTests {
  /// A fixture with more tensors, and other config values.
  private func graph(
    _ name: String, adding tensors: [Tensor], without removed: Set<String> = [],
    _ values: [String: JSONValue] = [:]
  ) throws -> WeightGraph {
    let checkpoint = try Checkpoint.open(fixture(name))
    let config = try #require(checkpoint.config?.value)
    let kept = (config.members ?? []).filter { values[$0.key] == nil }
    let table = try TensorTable(
      checkpoint.tensors.tensors.filter { !removed.contains($0.name.text) } + tensors)
    return try WeightGraph(
      table, config: .object(kept + values.map { JSONValue.Member($0.key, $0.value) }))
  }

  private func stored(_ name: String, _ dtype: DType, _ shape: [Int], _ values: [Double]) -> Tensor
  {
    let width = dtype.bitWidth / 8
    let bytes = values.flatMap { littleEndian(dtype.roundedBits(of: $0)).prefix(width) }
    return Tensor(TensorName(name), dtype, shape, bytes: Array(bytes))
  }

  @Test(
    arguments: [
      (DType.bf16, -9984, true), (.bf16, -10048, false), (.f16, -10000, true), (.f16, -9992, false),
      (.f32, -10000, true), (.f32, -9984, false), (.f64, -10000, true), (.f64, -10000.0001, false),
    ] as [(DType, Double, Bool)])
  func `GPT-2's masked_bias is minus ten thousand, as its type has it`(
    _ dtype: DType, _ value: Double, _ isRight: Bool
  ) throws {
    let name = "transformer.h.0.attn.masked_bias"
    for shape in [[], [1]] {
      let tensor = stored(name, dtype, shape, [value])
      if isRight {
        let graph = try graph("gpt2/lm", adding: [tensor])
        #expect(graph.dropped.map(\.name.text) == [name])
        #expect(graph.dropped[0].reason == "is -10000, a constant of the mask")
        #expect(!graph.slots.contains { $0.path.contains("masked") })
      } else {
        let error = #expect(throws: CheckpointError.self) {
          try self.graph("gpt2/lm", adding: [tensor])
        }
        #expect(
          error?.details == [
            "not constant \(name): element 0 is not \(dtype == .bf16 ? -9984 : -10000)"
          ])
      }
    }
  }

  /// Ids of three hundred positions, of which bf16 has those above 256 in steps of two.
  @Test(
    arguments: [
      (257, 256, true), (259, 260, true), (259, 258, false), (257, 258, false), (12, 12, true),
      (12, 13, false),
    ])
  func `position ids in bf16 are the nearest that it has`(
    _ position: Int, _ value: Int, _ isRight: Bool
  ) throws {
    let table = stored(
      "embeddings.position_embeddings.weight", .f32, [300, 24],
      [Double](repeating: 0.5, count: 7200))
    var ids = (0..<300).map(Double.init)
    ids[position] = Double(value)
    let positions = stored("embeddings.position_ids", .bf16, [1, 300], ids)
    func make() throws -> WeightGraph {
      try graph(
        "bert/base", adding: [table, positions],
        without: ["embeddings.position_embeddings.weight"], ["max_position_embeddings": 300])
    }
    if isRight {
      #expect(try make().dropped.map(\.name) == ["embeddings.position_ids"])
    } else {
      let error = #expect(throws: CheckpointError.self) { try make() }
      #expect(error?.details.first?.hasPrefix("not constant embeddings.position_ids") == true)
    }
  }

  @Test func `a constant of a type without whole bytes is refused, and no trap`() throws {
    let tensor = Tensor(
      "transformer.h.0.attn.masked_bias", .f4, [2], bytes: [0])
    let error = #expect(throws: CheckpointError.self) {
      try graph("gpt2/lm", adding: [tensor])
    }
    #expect(error?.category == .refused)
  }

  @Test func `our own cast writes files that we take`() throws {
    let scratch = ScratchFolder()
    for name in ["gpt2/lm_old_buffers", "bert/position_ids"] {
      let target = scratch.path.appending("out.safetensors")
      let conversion = try Conversion(
        Checkpoint.open(fixture(name)),
        to: Conversion.Target(target, dtype: .bf16, allowsLoss: true, overwrite: true))
      try conversion.run()
      #expect(
        try Model(target).graph.dropped.map(\.reason) == openModel(name).graph.dropped.map(\.reason)
      )
    }
  }

  @Test func `what nothing reads is there only where it is stored, and whole`() throws {
    let with = try openModel("t5/old_names").graph
    let path = "decoder.unused_cross_relative_bias.weight"
    #expect(with.slots.contains { $0.path == path && $0.isUnused })
    let name = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
    let without = try graph("t5/old_names", adding: [], without: [name])
    #expect(!without.slots.contains { $0.path == path })
    #expect(!without.root.allSlots.contains { $0.path == path })
    #expect(without.weightsByStage.allSatisfy { !$0.paths.contains(path) })
  }
}
