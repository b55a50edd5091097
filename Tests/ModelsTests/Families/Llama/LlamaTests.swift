import Decoders
import Kernels
import Models
import TensorCore
import Testing

@Suite struct LlamaTests {
  private static let sizes: [String: JSONValue] = [
    "vocab_size": 13, "hidden_size": 8, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 12, "num_hidden_layers": 3,
  ]

  private func made<Member>(
    _: Member.Type, _ members: [String: JSONValue] = [:], storing paths: Set<String> = []
  ) throws -> Llama<Member> {
    try model(Llama<Member>.self, Self.sizes.merging(members) { $1 }, storing: paths)
  }

  private func shape(_ path: String, of model: some Architecture) -> [Int]? {
    model.declaration().slots.first { $0.path == path }?.shape
  }

  private func paths(of model: some Architecture) -> Set<String> {
    Set(model.declaration().slots.map(\.path))
  }

  // MARK: Weights

  @Test func `keys have heads of their own, and heads a size of their own`() throws {
    let model = try made(MetaLlama.self, ["head_dim": 6])
    let block = "decoder.blocks.0.attention."
    #expect(shape(block + "query.weight", of: model) == [24, 8])
    #expect(shape(block + "key.weight", of: model) == [12, 8])
    #expect(shape(block + "value.weight", of: model) == [12, 8])
    #expect(shape(block + "output.weight", of: model) == [8, 24])
    #expect(model.dimensions == ["head_size": 6, "group_size": 12])
  }

  @Test func `no number of key heads, and null, are as many as queries have`() throws {
    let key = "decoder.blocks.0.attention.key.weight"
    #expect(shape(key, of: try made(MetaLlama.self, ["num_key_value_heads": .null])) == [8, 8])
    var sizes = Self.sizes
    sizes["num_key_value_heads"] = nil
    #expect(shape(key, of: try model(Llama<MetaLlama>.self, sizes)) == [8, 8])
    // Mistral's default is 8.
    sizes["num_attention_heads"] = 16
    sizes["hidden_size"] = 32
    #expect(shape(key, of: try model(Llama<Mistral>.self, sizes)) == [16, 32])
  }

  @Test func `members differ in biases and in norms of heads`() throws {
    let (query, output) = ("decoder.blocks.0.attention.query", "decoder.blocks.0.attention.output")
    let plain = paths(of: try made(MetaLlama.self))
    #expect(!plain.contains { $0.hasSuffix(".bias") } && !plain.contains(query + "_norm.weight"))
    let biased = paths(of: try made(MetaLlama.self, ["attention_bias": true]))
    #expect(biased.contains(query + ".bias") && biased.contains(output + ".bias"))
    let up = "decoder.blocks.0.feed_forward.up.bias"
    #expect(!biased.contains(up))
    #expect(paths(of: try made(MetaLlama.self, ["mlp_bias": true])).contains(up))
    #expect(!paths(of: try made(Mistral.self)).contains { $0.hasSuffix(".bias") })
    let qwen2 = paths(of: try made(Qwen2.self))
    #expect(qwen2.contains(query + ".bias") && !qwen2.contains(output + ".bias"))
    let qwen3 = try made(Qwen3.self)
    #expect(shape(query + "_norm.weight", of: qwen3) == [128])
    #expect(!paths(of: qwen3).contains(query + ".bias"))
  }

  @Test(
    arguments: [
      ([], "LlamaForCausalLM", true), ([], "LlamaModel", false),
      (["lm_head.weight"], "LlamaForCausalLM", false),
      (["score.weight"], "LlamaForSequenceClassification", false),
      (
        ["score.weight", "classifier.weight", "classifier.bias"], "LlamaForTokenClassification",
        false
      ),
      (["qa_head.weight"], "LlamaForQuestionAnswering", false),
    ] as [(Set<String>, String, Bool)])
  func `without a class the stored weights show the head`(
    _ paths: Set<String>, _ head: String, _ isTied: Bool
  ) throws {
    let found = try made(MetaLlama.self, ["tie_word_embeddings": .bool(isTied)], storing: paths)
    #expect(found.head == head)
  }

  // MARK: What is refused

  @Test(
    arguments: [
      (
        ["num_attention_heads": 3, "hidden_size": 9, "head_dim": 4],
        "is not a multiple of num_key_value_heads 2"
      ),
      (["head_dim": 5], "not possible with heads of 5"),
      (["hidden_size": 10], "hidden_size 10 is not a multiple of num_attention_heads 4"),
      (["rope_scaling": ["type": "su"]], "\"su\" is not known"),
      (["rope_parameters": ["rope_type": "linear"]], "factor is missing"),
      (
        ["partial_rotary_factor": .double(0.5), "head_dim": 8],
        "partial_rotary_factor other than 1 is not supported"
      ),
    ] as [([String: JSONValue], String)])
  func `what cannot be is refused, with the reason`(
    _ members: [String: JSONValue], _ reason: String
  ) throws {
    let error = fault { _ = try made(MetaLlama.self, members) }
    #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
  }

  @Test func `windows by layer need a window`() throws {
    let types: JSONValue = ["sliding_attention", "full_attention", "full_attention"]
    let error = fault { _ = try made(Qwen2.self, ["layer_types": types]) }
    #expect(error?.description.contains("use_sliding_window is false") == true)
    _ = try made(Qwen2.self, ["layer_types": types, "use_sliding_window": true])
    let null = fault {
      _ = try made(
        Qwen2.self, ["layer_types": types, "use_sliding_window": true, "sliding_window": .null])
    }
    #expect(null?.description.contains("but sliding_window is null") == true)
  }

  @Test func `some layers know no positions`() throws {
    func turned(_ members: [String: JSONValue]) throws -> [Bool] {
      let members = members.merging(["num_hidden_layers": 4]) { $1 }
      return try made(SmolLM3.self, members).form.blocks.map {
        $0.attention.shape.rotary != nil
      }
    }
    #expect(try turned([:]) == [true, true, true, false])
    #expect(try turned(["no_rope_layer_interval": 2]) == [true, false, true, false])
    // A list may be longer than the model, and goes first.
    let list: [String: JSONValue] = [
      "no_rope_layers": [0, 1, 1, 0, 1], "no_rope_layer_interval": 2,
    ]
    #expect(try turned(list) == [false, true, true, false])
    let error = fault { _ = try turned(["no_rope_layers": [0, 1]]) }
    #expect(error?.description.contains("no_rope_layers must be a list of 4") == true)
    // Windows are where no positions are.
    let windows = try made(SmolLM3.self, ["use_sliding_window": true, "sliding_window": 5])
    #expect(windows.form.blocks.map(\.attention.shape.window) == [nil, nil, nil])
    let all = try made(
      SmolLM3.self,
      ["use_sliding_window": true, "sliding_window": 5, "no_rope_layer_interval": 2])
    #expect(all.form.blocks.map(\.attention.shape.window) == [nil, 5, nil])
  }

  @Test func `queries grow by the settings of the positions, those of the class included`() throws {
    let usual = try made(Ministral3.self, ["head_dim": 8])
    #expect(usual.form.blocks[0].attention.growth == QueryGrowth(beta: 0.1, step: 16384))
    let stated = try made(
      Ministral3.self,
      [
        "head_dim": 8,
        "rope_parameters": [
          "rope_type": "yarn", "factor": 2, "original_max_position_embeddings": 7,
          "llama_4_scaling_beta": .double(0.5),
        ],
      ])
    #expect(stated.form.blocks[0].attention.growth == QueryGrowth(beta: 0.5, step: 7))
    let error = fault {
      _ = try made(
        Ministral3.self,
        ["head_dim": 8, "rope_parameters": ["rope_type": "yarn", "factor": 2]])
    }
    #expect(error?.description.contains("llama_4_scaling_beta is missing") == true)
  }

  // MARK: Inputs

  @Test func `positions have no end`() throws {
    let model = try made(MetaLlama.self, ["max_position_embeddings": 4])
    let ids = NDArray(shape: [1, 9], repeating: 1)
    #expect(
      try model.prepare(ModelInputs(["input_ids": ids]))["position_ids"]?.elements
        == Array(0..<9))
    #expect(model.probe["input_ids"]?.shape == [2, 512])
  }

  @Test func `only a language model continues texts`() throws {
    for head in ["Model", "ForSequenceClassification", "ForCausalLM"] {
      let model = try made(Qwen3.self, ["architectures": [.string("Qwen3" + head)]])
      #expect((model.generation != nil) == (head == "ForCausalLM"))
    }
  }
}
