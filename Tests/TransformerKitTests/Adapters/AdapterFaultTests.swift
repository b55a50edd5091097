import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// What does not fit is refused with a line for each tensor, and crashes nothing.
@Suite struct AdapterFaultTests {
  private let folder = ScratchFolder()
  private let llama = AdapterFixture(name: "llama")
  private let prefix = "base_model.model.model.layers.0.self_attn.q_proj."

  private func changed(
    _ tensors: ([Tensor]) throws -> [Tensor]
  ) throws -> Adapter {
    try changedAdapter("llama", in: folder, tensors: tensors)
  }

  private func replacing(
    _ name: String, _ change: @escaping (Tensor) -> Tensor
  ) -> ([Tensor]) -> [Tensor] {
    { $0.map { $0.name.text == name ? change($0) : $0 } }
  }

  /// The lines with which merging is refused.
  private func refusal(_ adapter: Adapter, into name: String = "llama") throws -> [String] {
    let base = try AdapterFixture(name: name).base
    let error = try #require(
      #expect(throws: CheckpointError.self) { try Merge([adapter], into: base) })
    #expect(error.category == .refused)
    return error.details
  }

  @Test(arguments: ["llama", "gpt2", "bert", "llama_dora", "t5", "vit", "llama_embeddings"])
  func `what PEFT saves has no fault`(_ name: String) throws {
    let adapter = try AdapterFixture(name: name).adapters[0]
    #expect(adapter.faults.isEmpty && adapter.config.obstacles.isEmpty)
    #expect(adapter.config.unknownKeys.isEmpty)
  }

  @Test func `what an adapter is is read from config and tensors`() throws {
    let adapter = try llama.adapters[0]
    #expect(adapter.config.method == "LORA" && adapter.config.base == "tiny")
    #expect(adapter.modules.count == 14)
    func module(_ end: String) -> Adapter.Module? {
      adapter.modules.first { $0.path == "model.layers.\(end)" }
    }
    // The first pattern that matches counts, of ranks and of alphas.
    #expect(module("0.self_attn.q_proj")?.rank == 4 && module("0.self_attn.q_proj")?.scale == 1.25)
    #expect(
      module("1.self_attn.q_proj")?.rank == 7 && module("1.self_attn.q_proj")?.scale == -3.0 / 7)
    #expect(module("1.mlp.down_proj")?.rank == 2 && module("1.mlp.down_proj")?.scale == 3)
    let stabilised = try AdapterFixture(name: "llama_rank_stabilised").adapters[0]
    #expect(stabilised.modules.allSatisfy { $0.scale == 16 / 5.squareRoot() })
  }

  @Test func `A without B`() throws {
    let adapter = try changed { $0.filter { $0.name.text != prefix + "lora_B.weight" } }
    #expect(try refusal(adapter) == ["\(prefix)lora_A.weight: has no lora_B beside it"])
  }

  @Test func `B without A`() throws {
    let adapter = try changed { $0.filter { $0.name.text != prefix + "lora_A.weight" } }
    #expect(try refusal(adapter) == ["\(prefix)lora_B.weight: has no lora_A beside it"])
  }

  @Test func `ranks that differ between A and B`() throws {
    let adapter = try changed(
      replacing(prefix + "lora_A.weight") {
        Tensor($0.name, [5, 16], values: [Float](repeating: 1, count: 80))
      })
    #expect(
      try refusal(adapter) == [
        "\(prefix)lora_B.weight: is [16, 4], and A is [5, 16]: their ranks differ"
      ])
  }

  @Test func `ranks that differ from the config's`() throws {
    let adapter = try changedAdapter("llama", in: folder, config: { $0["r"] = 3 })
    let lines = try refusal(adapter)
    #expect(lines.count == 11)
    #expect(lines.allSatisfy { $0.hasSuffix("has rank 4, and the config says 3") })
  }

  @Test func `A and B that were exchanged`() throws {
    let names = [prefix + "lora_A.weight", prefix + "lora_B.weight"]
    let adapter = try changed {
      $0.map { tensor in
        switch tensor.name.text {
        case names[0]: tensor.renamed(TensorName(names[1]))
        case names[1]: tensor.renamed(TensorName(names[0]))
        default: tensor
        }
      }
    }
    #expect(
      try refusal(adapter) == [
        "\(names[0]): has rank 16, and the config says 4"
      ])
  }

  @Test func `names that nobody knows, or that the config does not explain`() throws {
    let added = ["model.norm.weight", "model.x.lora_C.weight", "model.x.lora_A.other"]
    let adapter = try changed { tensors in
      tensors + added.map { Tensor(TensorName("base_model.model.\($0)"), [2], values: [1, 2]) }
    }
    #expect(
      try refusal(adapter) == [
        "base_model.model.model.norm.weight: is explained by nothing in the config",
        "base_model.model.model.x.lora_C.weight: is no part of a LoRA that is known",
        "base_model.model.model.x.lora_A.other: is no part of a LoRA that is known",
      ])
  }

  @Test func `a tensor that is there twice, under an old name too`() throws {
    let adapter = try changed { tensors in
      tensors
        + tensors.filter { $0.name.text == prefix + "lora_A.weight" }.map {
          $0.renamed(TensorName(prefix + "lora_A.default.weight"))
        }
    }
    #expect(
      try refusal(adapter) == [
        "\(prefix)lora_A.default.weight: is the second lora_A of model.layers.0.self_attn.q_proj"
      ])
  }

  @Test func `a base without the modules, or with other shapes`() throws {
    let adapter = try llama.adapters[0]
    let missing = try refusal(adapter, into: "gpt2")
    #expect(missing.count == 14)
    #expect(
      missing[0].hasPrefix("missing      model.layers.0.") && missing[0].contains("the base has no")
    )
    let wide = try changed(
      replacing(prefix + "lora_B.weight") {
        Tensor($0.name, [17, 4], values: [Float](repeating: 1, count: 68))
      })
    #expect(
      try refusal(wide) == [
        "misshapen    model.layers.0.self_attn.q_proj: A and B are of a weight [17, 16], the base's is [16, 16]"
      ])
  }

  @Test func `a head that is tied and not stored`() throws {
    let adapter = try AdapterFixture(name: "llama_embeddings").adapters[0]
    let lines = try refusal(adapter, into: "llama_tied")
    #expect(lines.count == 2)
    #expect(lines.allSatisfy { $0.contains("it is tied to the embeddings") })
  }

  @Test func `DoRA without lengths, and lengths without DoRA`() throws {
    let with = try changedAdapter("llama_dora", in: folder, config: { $0["use_dora"] = false })
    #expect(try refusal(with).allSatisfy { $0.hasSuffix("is there, and use_dora is not true") })
    let without = try changedAdapter(
      "llama", in: folder, config: { $0["use_dora"] = true })
    let lines = try refusal(without)
    #expect(lines.count == 14)
    #expect(lines.allSatisfy { $0.hasSuffix("has no lora_magnitude_vector beside it") })
  }

  private static let obstacles: [(String, JSONValue)] = [
    ("peft_type", "IA3"), ("layer_replication", [[0, 1], [0, 1]]),
    ("init_lora_weights", "pissa_niter_4"), ("init_lora_weights", "olora"),
    ("use_qalora", true), ("alora_invocation_tokens", [1, 2]),
    ("trainable_token_indices", [3]), ("target_parameters", ["mlp.experts.down_proj"]),
  ]

  @Test(arguments: obstacles)
  func `what is not merged is called by name`(_ key: String, _ value: JSONValue) throws {
    let adapter = try changedAdapter("llama", in: folder, config: { $0[key] = value })
    let error = #expect(throws: CheckpointError.self) {
      try Merge([adapter], into: llama.base)
    }
    #expect(error?.category == .unsupported)
    #expect(error?.problem.text.contains(key == "peft_type" ? "IA3" : key) == true)
  }

  private static let impossible: [(String, JSONValue)] = [
    ("r", 0), ("r", -4), ("r", "4"), ("r", .double(4.5)), ("r", [4]), ("r", true),
    ("lora_alpha", "8"), ("lora_alpha", [:]), ("lora_alpha", .double(1e300)),
    ("rank_pattern", ["q_proj"]), ("rank_pattern", ["q_proj": 0]), ("rank_pattern", ["(": 4]),
    ("alpha_pattern", ["q_proj": "x"]), ("alpha_pattern", 3), ("use_dora", "yes"),
    ("use_rslora", 1), ("fan_in_fan_out", []), ("modules_to_save", [1]), ("bias", "some"),
    ("peft_type", 3), ("base_model_name_or_path", ["x"]),
  ]

  @Test(arguments: impossible)
  func `a config that says what cannot be is one line`(_ key: String, _ value: JSONValue) throws {
    let error = try #require(
      #expect(throws: CheckpointError.self) {
        try changedAdapter("llama", in: folder, config: { $0[key] = value })
      })
    #expect(error.file?.hasSuffix("adapter_config.json") == true)
    #expect(error.details.isEmpty && !"\(error)".contains("\n"))
  }

  @Test(arguments: ["r", "lora_alpha", "rank_pattern", "use_dora", "modules_to_save", "bias"])
  func `nulls say nothing`(_ key: String) throws {
    // PEFT's own defaults are a rank and an alpha of 8; null is neither.
    if key == "r" || key == "lora_alpha" {
      #expect(throws: CheckpointError.self) {
        try changedAdapter("llama", in: folder, config: { $0[key] = .null })
      }
    } else {
      _ = try changedAdapter("llama", in: folder, config: { $0[key] = .null })
    }
  }

  @Test func `every tensor with every wrong shape is refused or merged, and never a crash`() throws
  {
    let shapes: [[Int]] = [
      [], [0], [1], [16], [4, 0], [0, 16], [1, 1], [16, 4], [4, 16], [2, 2, 16],
    ]
    for name in ["llama", "llama_dora", "gpt2", "bert", "llama_embeddings"] {
      let base = try AdapterFixture(name: name).base
      let count = try AdapterFixture(name: name).adapters[0].checkpoint.tensors.count
      for place in 0..<min(count, 8) {
        for shape in shapes {
          let adapter = try changedAdapter(
            name, in: folder,
            tensors: { tensors in
              var tensors = tensors
              tensors[place] = Tensor(
                tensors[place].name, shape,
                values: [Float](repeating: 1, count: shape.reduce(1, *)))
              return tensors
            })
          do throws(CheckpointError) {
            let merge = try Merge([adapter], into: base)
            for change in merge.changes {
              _ = try merge.checkpoint.tensors[change.name]?.bytes.read(0..<2)
            }
          } catch {
            #expect(error.category != .failed)
          }
        }
      }
    }
  }

  @Test func `integers are no adapter`() throws {
    let adapter = try changed(
      replacing(prefix + "lora_A.weight") {
        Tensor($0.name, .i32, [4, 16], bytes: [UInt8](repeating: 0, count: 256))
      })
    #expect(
      try refusal(adapter) == [
        "\(prefix)lora_A.weight: is I32, no floating-point type that adapters have",
        "\(prefix)lora_B.weight: has no lora_A beside it",
      ])
  }

  @Test func `check finds faults and values that no training leaves`() throws {
    let adapter = try changedAdapter(
      "llama", in: folder, config: { $0["r"] = 3 },
      tensors: replacing(prefix + "lora_B.weight") {
        Tensor($0.name, [16, 4], values: [.nan] + [Float](repeating: 1, count: 63))
      })
    let report = try check(adapter.checkpoint.path)
    let lines = report.faults.map(\.text)
    #expect(lines.count { $0 == "has rank 4, and the config says 3" } == 11)
    #expect(lines.contains { $0.hasPrefix("1 NaN of 64") })
    #expect(try check(llama.folder.appending("adapter")).faults.isEmpty)
  }
}
