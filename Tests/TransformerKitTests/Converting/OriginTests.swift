import Containers
import Families
import Foundation
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

  @Test func `a stored table of sines is used, and must be one`() throws {
    let graph = try openModel("roformer/masked_lm").graph
    #expect(graph.tensor(at: "encoder.rotary_table.weight")?.dtype == .f32)
    #expect(graph.dropped.isEmpty)
    let error = #expect(throws: CheckpointError.self) { try openModel("roformer/wrong_sines") }
    #expect(
      error?.details.first?.hasPrefix("not constant roformer.encoder.embed_positions.weight")
        ?? error?.description.contains("roformer.encoder.embed_positions.weight") ?? false,
      "\(String(describing: error))")
  }

  @Test func `positions of an encoder and a decoder may be stored, and must be as computed`() throws
  {
    let stored = try openModel("bart/marian_table").graph
    #expect(stored.tensor(at: "encoder.embeddings.position.weight")?.dtype == .f32)
    let computed = try openModel("bart/marian").graph
    #expect(computed.tensor(at: "encoder.embeddings.position.weight")?.dtype == .f32)
    let tables = [stored, computed].compactMap {
      $0.tensor(at: "encoder.embeddings.position.weight")
    }
    #expect(try SHA256.digest(of: tables[0]) == SHA256.digest(of: tables[1]))
    for name in ["bart/marian", "bart/marian_table", "bart/fsmt", "bart/fsmt_of_4"] {
      #expect(try openModel(name).graph.dropped.isEmpty, "\(name)")
    }
    let buffers = ["encoder", "decoder"].map { "model.\($0).embed_positions.weights" }
    let dropped = try openModel("bart/m2m100_sinusoids").graph.dropped.map(\.name.text)
    #expect(Set(dropped) == Set(buffers))
    let ownTables = try openModel("bart/fsmt").graph
    #expect(ownTables.tensor(at: "decoder.embeddings.position.weight")?.dtype == .f32)
    #expect(throws: CheckpointError.self) { try openModel("bart/fsmt_wrong_table") }
    let error = #expect(throws: CheckpointError.self) { try openModel("bart/marian_wrong_table") }
    #expect(
      error.map { "\($0) \($0.details)" }?.contains("embed_positions.weight") == true,
      "\(String(describing: error))")
  }

  /// ESM's frequencies as transformers 5 and 4 store them; those of a file in half precision are the nearest it has.
  @Test func `stored rotary frequencies are used, and must be some`() throws {
    let path = "encoder.rotary.frequencies"
    #expect(try openModel("esm/masked_lm").graph.tensor(at: path)?.dtype == .f32)
    let graph = try openModel("esm/of_4").graph
    #expect(graph.tensor(at: path)?.dtype == .f16)
    #expect(
      graph.dropped.map(\.name.text).sorted() == [
        "esm.embeddings.position_ids",
        "esm.encoder.layer.1.attention.self.rotary_embeddings.inv_freq",
        "lm_head.decoder.weight",
      ])
    let error = #expect(throws: CheckpointError.self) { try openModel("esm/wrong_frequencies") }
    #expect(
      error?.details.contains { $0.contains("rotary_embeddings.inv_freq") } == true,
      "\(error as Any)")
  }

  @Test(arguments: ["gptneox/of_2022", "gptneox/of_2023"])
  func `masks and frequencies of old layers are constants`(_ name: String) throws {
    let graph = try openModel(name).graph
    let layers = graph.weightsByStage.count - 3
    #expect(graph.dropped.count == 3 * layers)
    #expect(graph.dropped.contains { $0.name.text.hasSuffix(".rotary_emb.inv_freq") })
    let error = #expect(throws: CheckpointError.self) {
      try openModel("gptneox/wrong_frequencies")
    }
    #expect(
      error?.details == [
        "not constant gpt_neox.layers.0.attention.rotary_emb.inv_freq: element 0 is not 1"
      ])
  }

  @Test(
    arguments: [
      ("gptj/of_2021", 2, 2), ("gptj/of_2022", 1, 2), ("codegen/of_2022", 2, 1),
      ("codegen/bool_masks", 1, 1), ("gptneo/of_2021", 2, 2), ("gptneo/bool_masks", 2, 2),
      ("gpt1/of_2018", 2, 1), ("gpt1/of_2021", 1, 1),
    ])
  func `masks of old layers are constants, with their windows`(
    _ name: String, _ layers: Int, _ count: Int
  ) throws {
    let dropped = try openModel(name).graph.dropped.map(\.name.text)
    #expect(dropped.filter { !$0.contains("lm_head") }.count == layers * count, "\(dropped)")
  }

  @Test(
    arguments: [
      ("gptj/wrong_masked_bias", "transformer.h.0.attn.masked_bias: element 0 is not -1000000000"),
      ("codegen/wrong_mask", "transformer.h.0.attn.causal_mask: element 76 is not 0"),
      ("gptneo/wrong_mask", "transformer.h.1.attn.attention.bias: element 72 is not 0"),
      ("gpt1/wrong_mask", "transformer.h.0.attn.bias: element 76 is not 0"),
    ])
  func `masks of old layers that hold something else are refused`(
    _ name: String, _ expected: String
  ) throws {
    let error = #expect(throws: CheckpointError.self) { try openModel(name) }
    #expect(error?.details == ["not constant \(expected)"])
  }

  @Test func `vectors of positions are constants, as single precision has them`() throws {
    let dropped = try openModel("xglm/stored_positions").graph.dropped
    #expect(dropped.map(\.name.text) == ["model.embed_positions.weights"])
    let error = #expect(throws: CheckpointError.self) { try openModel("xglm/wrong_positions") }
    let fault = "not constant model.embed_positions.weights: element 84 is not "
    #expect(error?.details.count == 1 && error?.details.first?.hasPrefix(fault) == true)
  }

  @Test func `factors of long texts are those of the config`() throws {
    let names = ["short", "long"].map { "rope_factors_\($0).weight" }
    let dropped = try openModel("phi/gguf_names_phi3").graph.dropped.map(\.name.text)
    #expect(Set(dropped) == Set(names))
    for name in names {
      let wrong = stored(name, .f32, [3], [1, 1, 1.5])
      let error = #expect(throws: CheckpointError.self) {
        try graph("phi/gguf_names_phi3", adding: [wrong], without: [name])
      }
      #expect(error?.details.first?.hasPrefix("not constant \(name): element") == true)
    }
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

  @Test func `stored frequencies are those of the config's base, as their type rounds them`() throws
  {
    for (name, count) in [("of_2023", 2), ("half_frequencies", 1)] {
      let dropped = try openModel("llama/\(name)").graph.dropped
      #expect(dropped.count == count)
      #expect(dropped.allSatisfy { $0.reason == "holds the rotary frequencies and is computed" })
      #expect(dropped.allSatisfy { $0.name.text.hasSuffix(".rotary_emb.inv_freq") })
    }
    let meta = try openModel("llama/meta_llama_2").graph
    #expect(meta.dropped.map(\.name.text) == ["rope.freqs"])
    let error = #expect(throws: CheckpointError.self) { try openModel("llama/wrong_frequencies") }
    #expect(error?.category == .refused)
    #expect(
      error?.details == [
        "not constant model.layers.0.self_attn.rotary_emb.inv_freq: element 1 is not 0.009999999776482582"
      ])
  }

  /// What PyTorch computes in single precision for heads of 96 numbers, a base of 500,000 and a factor of
  /// 32: up to 1.9e-6 beside what double precision gives.
  @Test(arguments: [(32, true), (31, false)])
  func `factors of a scaling are those of the config, as single precision has them`(
    _ factor: Int, _ isRight: Bool
  ) throws {
    let factors =
      [Double](repeating: 1, count: 22)
      + [
        1.3568615913391113, 2.0369043350219727, 3.2922627925872803, 6.198791027069092,
        18.87950325012207,
      ] + [Double](repeating: 32, count: 21)
    let weights =
      ["q", "k", "v"].map { ("blk.0.attn_\($0).weight", [96, 12]) }
      + [("blk.0.attn_output.weight", [12, 96])]
    let tensors = weights.map { name, shape in
      stored(name, .f32, shape, [Double](repeating: 0.5, count: 96 * 12))
    }
    func make() throws -> WeightGraph {
      try graph(
        "llama/gguf_names", adding: tensors + [stored("rope_freqs.weight", .f32, [48], factors)],
        without: Set(weights.map(\.0) + ["rope_freqs.weight"]),
        [
          "head_dim": 96, "num_attention_heads": 1, "num_key_value_heads": 1,
          "rope_parameters": [
            "rope_type": "llama3", "rope_theta": .double(5e5), "factor": .number(factor),
            "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 8192,
          ],
        ])
    }
    if isRight {
      #expect(try make().dropped.map(\.name.text) == ["rope_freqs.weight"])
    } else {
      let error = #expect(throws: CheckpointError.self) { try make() }
      #expect(error?.details.first?.hasPrefix("not constant rope_freqs.weight: element 22") == true)
    }
  }

  /// PyTorch's single precision puts pair 34 on the other side of the middle between two numbers of f16.
  @Test(arguments: [(0.00742340087890625, true), (0.007427215576171875, true), (0.00743, false)])
  func `a number may have been rounded twice`(_ number: Double, _ isRight: Bool) throws {
    let attention = "model.layers.0.self_attn."
    var frequencies = (0..<91).map { 1 / pow(5e5, Double(2 * $0) / 182) }
    frequencies[34] = number
    let weights =
      ["q", "k", "v"].map { ("\(attention)\($0)_proj.weight", [182, 16]) }
      + [("\(attention)o_proj.weight", [16, 182])]
    let tensors = weights.map { name, shape in
      stored(name, .f32, shape, [Double](repeating: 0.5, count: 182 * 16))
    }
    let name = attention + "rotary_emb.inv_freq"
    func make() throws -> WeightGraph {
      try graph(
        "llama/half_frequencies", adding: tensors + [stored(name, .f16, [91], frequencies)],
        without: Set(weights.map(\.0) + [name]),
        [
          "head_dim": 182, "num_attention_heads": 1, "num_key_value_heads": 1,
          "rope_parameters": ["rope_type": "default", "rope_theta": .double(5e5)],
        ])
    }
    if isRight {
      #expect(try make().dropped.map(\.name.text) == [name])
    } else {
      #expect(throws: CheckpointError.self) { try make() }
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
