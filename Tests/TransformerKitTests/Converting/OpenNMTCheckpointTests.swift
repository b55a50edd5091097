import Containers
import Families
import Kernels
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// A checkpoint of OpenNMT-py says what its model is by the options that trained it.
@Suite struct OpenNMTCheckpointTests {
  private let options = OpenOptions(recognition: RecognitionOptions(dropsTrainingState: true))
  private let folder = fixture("opennmttransformer/table")

  @Test func `options and marks are said, and no words`() throws {
    let checkpoint = try Checkpoint.open(folder)
    let config = try #require(checkpoint.config?.value)
    let said = try #require(config["options"])
    #expect(said["heads"] == 4 && said["position_encoding"] == true)
    #expect(said["dropout"] == [.double(0.3)] && said["tgt_vocab"] == .null)
    // What trained it, in a dictionary, is no setting of a model.
    #expect(said["data"] == nil)
    for side in ["src", "tgt"] {
      let marks = try #require(config["vocab"]?[side])
      #expect(marks["<unk>"] == 0 && marks["<blank>"] == 1)
      #expect(marks["<s>"] == 2 && marks["</s>"] == 3 && marks.members?.count == 4)
    }
    #expect(config["vocab"]?["decoder_start_token"] == "<s>")
    #expect(checkpoint.others.allSatisfy { !$0.name.hasPrefix("opt.") && $0.name != "opt" })
  }

  /// The config of the checkpoint with other options, or another vocabulary.
  private func config(
    _ changes: [String: JSONValue], of part: String = "options"
  ) throws -> (config: JSONValue, table: TensorTable) {
    let checkpoint = try Checkpoint.open(folder, options: options)
    let config = try #require(checkpoint.config?.value.members).map { member in
      guard member.key == part, let members = member.value.members else { return member }
      return JSONValue.Member(
        part,
        .object(
          members.filter { changes[$0.key] == nil }
            + changes.filter { $0.value != .null }.map { JSONValue.Member($0.key, $0.value) }))
    }
    return (.object(config), checkpoint.tensors)
  }

  private func graph(
    _ changes: [String: JSONValue], of part: String = "options"
  ) throws -> WeightGraph {
    let (config, table) = try config(changes, of: part)
    return try WeightGraph(table, config: config, options: options.recognition)
  }

  private func refusal(_ changes: [String: JSONValue], of part: String = "options") -> String {
    do {
      _ = try graph(changes, of: part)
      return ""
    } catch {
      return "\(error)"
    }
  }

  @Test(
    arguments: [
      ("model_task", "lm"), ("model_type", "image"), ("encoder_type", "rnn"),
      ("decoder_type", "cnn"), ("copy_attn", true), ("sliding_window", 5), ("num_experts", 4),
      ("parallel_residual", true), ("relative_positions_buckets", 32),
      ("self_attn_type", "average"), ("generator_function", "sparsemax"),
      ("lora_layers", ["linear_query"]), ("quant_layers", ["w_1"]), ("lora_embedding", true),
    ] as [(String, JSONValue)])
  func `what is not supported is refused by its option`(_ key: String, _ value: JSONValue) {
    let text = refusal([key: value])
    #expect(text.contains("opt: \(key) is \(value.text())"), "\(text)")
  }

  @Test func `positions are a table, or rotary`() throws {
    let both = refusal(["max_relative_positions": -1])
    #expect(both.contains("0 with position_encoding, or -1 (rotary) without it"), "\(both)")
    for changes in [
      ["position_encoding": false], ["position_encoding": false, "max_relative_positions": 20],
      ["position_encoding": false, "max_relative_positions": -2],
    ] as [[String: JSONValue]] {
      #expect(refusal(changes).contains("max_relative_positions is"), "\(changes)")
    }
  }

  @Test func `features of words and options of version 2 are refused`() throws {
    let features = refusal(["src_feats": []], of: "vocab")
    #expect(features.contains("src_feats"), "\(features)")
    let second = refusal(["hidden_size": .null, "dec_hid_size": .null, "rnn_size": 8])
    #expect(second.contains("hidden_size is missing"), "\(second)")
  }

  @Test func `marks are where the vocabulary has them, and as usual where it has none`() throws {
    func ids(_ marks: JSONValue, _ start: JSONValue = "<s>") throws -> [JSONValue?] {
      let config = try graph(["tgt": marks, "decoder_start_token": start], of: "vocab").config
      return ["pad_token_id", "eos_token_id", "decoder_start_token_id"].map { config[$0] }
    }
    #expect(try ids(["<blank>": 7, "</s>": 5, "<s>": 6]) == [7, 5, 6])
    #expect(try ids(["<blank>": 7, "</s>": 5, "<s>": 6], "</s>") == [7, 5, 5])
    #expect(try ids([:]) == [nil, nil, nil])
    let rules = try #require(graph(["tgt": [:]], of: "vocab").architecture.generation)
    #expect(rules.endTokens == [3] && rules.padToken == 1)
  }

  @Test func `padding is hidden where the vocabulary has it`() throws {
    let ids = NDArray(shape: [1, 4], elements: [2, 7, 1, 7])
    func mask(_ marks: JSONValue) throws -> [Int]? {
      let model = try graph(["tgt": marks], of: "vocab").architecture
      let inputs = try model.prepare(ModelInputs(["input_ids": ids, "decoder_input_ids": ids]))
      return inputs["decoder_attention_mask"]?.elements
    }
    #expect(try mask(["<blank>": 7]) == [1, 0, 1, 0])
    #expect(try mask(["<blank>": 1]) == [1, 1, 0, 1])
    #expect(try mask(["<blank>": 5]) == nil)
  }

  @Test func `every option of the model goes into its config`() throws {
    let rotary: [String: JSONValue] = [
      "position_encoding": false, "max_relative_positions": -1, "rotary_interleave": true,
      "rotary_theta": 77, "rotary_dim": 0,
    ]
    let others: [String: JSONValue] = [
      "heads": 2, "norm_eps": .double(0.25), "pos_ffn_activation_fn": "gelu",
      "layer_norm": "standard", "num_kv": 2, "add_qkvbias": false, "transformer_ff": 10,
      "share_embeddings": false, "share_decoder_embeddings": false,
    ]
    // The table of positions is none of a model that has rotary ones.
    let (config, table) = try config(rotary.merging(others) { $1 })
    let rest = try TensorTable(table.tensors.filter { !$0.name.text.hasSuffix(".pe.pe") })
    let found = try WeightGraph(rest, config: config, options: options.recognition).config
    for (key, value) in rotary where key.hasPrefix("rotary") {
      #expect(found[key] == value, "\(key)")
    }
    for (key, value) in others {
      #expect(found[key == "layer_norm" ? "norm_type" : key] == value, "\(key)")
    }
    #expect(found["layer_norm"] == nil && found["src_vocab_size"] == 19)
    #expect(found["tgt_vocab_size"] == 23 && found["position_encoding"] == false)
    #expect(refusal(["layer_norm": "group"]).contains("norm_type"))
  }

  @Test func `one size for both stacks goes before one for each`() throws {
    func shape(_ changes: [String: JSONValue]) throws -> [JSONValue?] {
      let config = try graph(changes).config
      return ["hidden_size", "enc_layers", "num_kv", "add_ffnbias"].map { config[$0] }
    }
    let usual = try shape([:])
    #expect(usual == [8, 2, 0, false])
    #expect(try shape(["hidden_size": -1, "dec_hid_size": 8, "layers": -1]) == usual)
    #expect(refusal(["layers": 3]) != "" && refusal(["multiquery": true]) != "")
  }

  @Test func `safetensors have the names of the modules, and the same model`() throws {
    let scratch = ScratchFolder()
    let target = scratch.path.appending("model.safetensors")
    let source = try Checkpoint.open(folder, options: options)
    try Conversion(source, to: Conversion.Target(target, dialect: "opennmt"), options: options)
      .run()
    let written = try Checkpoint.open(target)
    #expect(written.tensors.tensors.allSatisfy { !$0.name.text.hasPrefix("model.") })
    #expect(written.tensors["generator.weight"] != nil)
    #expect(
      try ModelID(Model(written).graph).digest
        == ModelID(Model(source, options: options).graph).digest)
  }
}
