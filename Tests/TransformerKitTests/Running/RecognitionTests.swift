import Containers
import Families
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// Models whose files do not say it themselves, or have more than we know.
@Suite struct RecognitionTests {
  private func changed(
    _ name: String, _ values: [String: JSONValue?] = [:],
    options: RecognitionOptions = RecognitionOptions(), _ edit: (Tensor) -> Tensor = { $0 }
  ) throws -> WeightGraph {
    let checkpoint = try Checkpoint.open(fixture(name))
    let config = try #require(checkpoint.config?.value)
    let kept = (config.members ?? []).filter { !values.keys.contains($0.key) }
    let table = try TensorTable(checkpoint.tensors.tensors.map(edit))
    let added = values.compactMap { key, value in value.map { JSONValue.Member(key, $0) } }
    return try WeightGraph(table, config: .object(kept + added), options: options)
  }

  private func failure(_ work: () throws -> WeightGraph) -> CheckpointError? {
    #expect(throws: CheckpointError.self) { _ = try work() }
  }

  @Test(arguments: [JSONValue.number(5), ["bert"], .bool(true)])
  func `a model type that is no string is said to be none`(_ type: JSONValue) throws {
    let error = failure { try changed("bert/base", ["model_type": type]) }
    #expect(error?.category == .failed)
    #expect(error?.description.hasPrefix("config: model_type must be a string, is ") == true)
    let named = RecognitionOptions(architecture: "bert")
    #expect(try changed("bert/base", ["model_type": .null], options: named).slots.count > 0)
  }

  // MARK: Prefixes

  @Test(arguments: ["module.", "model.", "_orig_mod.", "module._orig_mod.", "a/b/"])
  func `a prefix before every name is named, and nothing else`(_ prefix: String) throws {
    for name in ["bert/base", "bert/masked_lm", "gpt2/lm", "t5/v11", "t5/t5x_v11"] {
      let error = failure {
        try changed(name) { $0.renamed(TensorName(prefix + $0.name.text)) }
      }
      #expect(error?.category == .refused && error?.details == [])
      #expect(
        error?.description
          == "every name begins with \"\(prefix)\", which is no part of a weight's name")
      #expect(error?.advice == "--strip-prefix \(prefix) takes it off")
    }
  }

  @Test func `a prefix that some names lack is named with their number`() throws {
    let error = failure {
      try changed("bert/masked_lm") { tensor in
        let name = tensor.name.text
        return name.hasPrefix("cls.") ? tensor : tensor.renamed(TensorName("module." + name))
      }
    }
    #expect(error?.description.contains(" names begin with \"module.\"") == true)
  }

  @Test func `two prefixes are those of two models`() throws {
    let tensors = try Checkpoint.open(fixture("gpt2/lm")).tensors.tensors
    let table = try TensorTable(
      ["model.", "ema."].flatMap { prefix in
        tensors.map { $0.renamed(TensorName(prefix + $0.name.text)) }
      })
    let error = failure { try WeightGraph(table, config: nil) }
    #expect(error?.description.contains("begin with \"ema.\", others with \"model.\"") == true)
    #expect(
      error?.advice == "--strip-prefix ema. or model., with --allow-extra, takes one of them")
  }

  @Test func `without a config the prefix is named too`() throws {
    let tensors = try Checkpoint.open(fixture("gpt2/lm")).tensors.tensors
    let table = try TensorTable(tensors.map { $0.renamed(TensorName("module." + $0.name.text)) })
    let error = failure { try WeightGraph(table, config: nil) }
    #expect(error?.advice == "--strip-prefix module. takes it off")
  }

  @Test func `a prefix that is taken off leaves the same model`() throws {
    let scratch = ScratchFolder()
    let wrapped = scratch.path.appending("wrapped.safetensors")
    let checkpoint = try Checkpoint.open(fixture("bert/with_prefix"))
    let plain = try Conversion(checkpoint, to: Conversion.Target(wrapped))
    try plain.run()
    // Every name of the fixture begins with `bert.`, as if that were a wrapper's.
    let stripped = try Model(wrapped, options: OpenOptions(stripPrefix: "bert."))
    #expect(stripped.checkpoint.tensors.tensors.allSatisfy { !$0.name.text.hasPrefix("bert.") })
    #expect(
      try ModelID(stripped.graph).digest == ModelID(openModel("bert/with_prefix").graph).digest)
    // Two names that become one, and a name that is gone, are faults.
    let table = try Checkpoint.open(fixture("bert/base"))
    #expect(throws: CheckpointError.self) {
      _ = try table.strippingPrefix("pooler.dense.bias")
    }
  }

  // MARK: Classes

  @Test func `an unknown class is read as a known one`() throws {
    let error = failure { try changed("bert/base", ["architectures": ["MyModel"]]) }
    #expect(error?.category == .unsupported && error?.advice?.contains("--class") == true)
    let graph = try changed(
      "bert/base", ["architectures": ["MyModel"]],
      options: RecognitionOptions(className: "BertModel"))
    #expect(graph.architecture.head == "BertModel" && graph.extras.isEmpty)
    #expect(try ModelID(graph).digest == ModelID(openModel("bert/base").graph).digest)
  }

  @Test func `extra heads are refused with the flag, and left out with it`() throws {
    let options = RecognitionOptions(className: "BertModel")
    let error = failure { try changed("bert/token_classification", options: options) }
    #expect(error?.category == .refused && error?.advice?.contains("--allow-extra") == true)
    var allowing = options
    allowing.allowsExtra = true
    let graph = try changed("bert/token_classification", options: allowing)
    #expect(graph.extras.map(\.name.text).sorted() == ["classifier.bias", "classifier.weight"])
    #expect(graph.extras.allSatisfy { $0.reason == "no part of BertModel" })
    // What is missing is missing all the same.
    let missing = failure {
      try changed("bert/token_classification", ["num_hidden_layers": 9], options: allowing)
    }
    #expect(missing?.category == .refused)
  }

  @Test func `a stored constant that is another one is left out where that is allowed`() throws {
    func graph(_ options: RecognitionOptions) throws -> WeightGraph {
      try changed("gpt2/lm_old_buffers", options: options) { tensor in
        guard tensor.name.text.hasSuffix("h.0.attn.bias") else { return tensor }
        let bytes = [UInt8](repeating: 0, count: tensor.byteCount)
        return Tensor(
          name: tensor.name, dtype: tensor.dtype, shape: tensor.shape, bytes: ByteArray(bytes))
      }
    }
    let error = failure { try graph(RecognitionOptions()) }
    #expect(error?.details.count == 1)
    #expect(error?.advice == "--allow-extra leaves out what the model computes itself")
    let allowed = try graph(RecognitionOptions(allowsExtra: true))
    let reasons = allowed.dropped.filter(\.isExtra).map(\.reason)
    #expect(reasons.count == 1 && reasons[0].hasPrefix("not ") && reasons[0].contains("element 0"))
  }

  /// The number of a layer is written as it is: `007` is none.
  @Test(arguments: [("7", true), ("007", false), ("x", false)])
  func `names of layers show a dialect`(_ number: String, _ isShown: Bool) throws {
    let name = TensorName("beit.encoder.layer.\(number).lambda_1")
    let table = try TensorTable([
      Tensor(name: name, dtype: .f32, shape: [2], bytes: ByteArray([UInt8](repeating: 0, count: 8)))
    ])
    let error = failure { try WeightGraph(table, config: nil) }
    let isUnknown = error?.description.contains("nor the tensors' names show") == true
    #expect(isUnknown != isShown, "\(error?.description ?? "")")
  }

  // MARK: What does not fit

  private static let explaining = {
    var options = RecognitionOptions()
    options.explainsMisfit = true
    return options
  }()

  @Test(
    arguments: [
      ("llama/sequence_classification", ["num_labels": 5], "num_labels 3, where the config says 5"),
      (
        "llama/sequence_classification", ["id2label": ["0": "a", "1": "b", "2": "c", "3": "d"]],
        "num_labels 3, where id2label has 4"
      ),
      (
        "llama/sequence_classification", ["id2label": nil],
        "num_labels 3, where the config says nothing and 2 is assumed"
      ),
      ("bert/base", ["vocab_size": 70], "vocab_size 61, where the config says 70"),
      ("bert/base", ["vocab_size": 50], "vocab_size 61, where the config says 50"),
      ("bert/base", ["hidden_size": 36], "hidden_size 24, where the config says 36"),
      ("bert/base", ["num_hidden_layers": 1], "num_hidden_layers 2, where the config says 1"),
      ("bert/base", ["num_hidden_layers": 9], "num_hidden_layers 2, where the config says 9"),
      (
        "bert/base", ["num_hidden_layers": 3, "intermediate_size": 80],
        "num_hidden_layers 2, where the config says 3, and intermediate_size 40, where the config says 80"
      ),
      ("llama/base", ["num_key_value_heads": 1], "num_key_value_heads 4, where the config says 1"),
      (
        "llama/base",
        ["num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": nil],
        "num_attention_heads 4, where the config says 8"
      ),
      ("gpt2/lm", ["n_embd": 48], "n_embd 24, where the config says 48"),
      ("t5/v11", ["num_layers": 5], "num_layers 2, where the config says 5"),
      // What it does not say sooner than what it says.
      (
        "deberta/base", ["position_buckets": nil],
        "position_buckets 4, where the config says nothing and -1 is assumed"
      ),
      (
        "falcon/new_one_norm", ["num_ln_in_parallel_attn": nil],
        "num_ln_in_parallel_attn 1, where the config says nothing"
      ),
    ] as [(String, [String: JSONValue?], String)])
  func `the number of the config that is wrong is named`(
    _ name: String, _ values: [String: JSONValue?], _ cause: String
  ) throws {
    let error = failure { try changed(name, values, options: Self.explaining) }
    #expect(error?.category == .refused)
    #expect(
      error?.advice?.hasPrefix("with \(cause), all tensors fit") == true,
      "\(error?.advice ?? "nothing")")
  }

  @Test func `what no number of the config explains is not explained`() throws {
    let error = failure {
      try changed("bert/base", options: Self.explaining) { tensor in
        guard tensor.name.text == "encoder.layer.0.output.LayerNorm.bias" else { return tensor }
        return Tensor(tensor.name, .f32, [7], bytes: [UInt8](repeating: 0, count: 28))
      }
    }
    #expect(error?.details.count == 1 && error?.advice == nil)
  }

  @Test func `a misspelt key goes before every number`() throws {
    let error = failure {
      try changed(
        "bert/base", ["hidden_size": nil, "hiden_size": 24], options: Self.explaining)
    }
    #expect(
      error?.advice
        == "in the config hiden_size is not known: did you mean hidden_size, which is taken to be 768?"
    )
    let graph = try changed("bert/base", ["num_attention_heads": nil, "num_attention_head": 3])
    #expect(graph.doubtfulKeys.map(\.key) == ["num_attention_head"])
    #expect(graph.doubtfulKeys.first?.text.contains("did you mean num_attention_heads") == true)
  }

  @Test func `names are looked up without placing a tensor`() throws {
    let checkpoint = try Checkpoint.open(fixture("bert/base"))
    let table = try TensorTable(checkpoint.tensors.tensors.dropLast(20).map(\.self))
    let config = checkpoint.config?.value
    func error(_ options: RecognitionOptions) -> CheckpointError? {
      do throws(CheckpointError) {
        try WeightGraph.requireNamed(by: options, table, config: config)
        return nil
      } catch {
        return error
      }
    }
    // Tensors are missing, and it is not noticed.
    #expect(error(RecognitionOptions(className: "BertModel")) == nil)
    let misspelt = error(RecognitionOptions(className: "BertModl"))
    #expect(misspelt?.category == .unsupported)
    #expect(misspelt?.advice?.hasPrefix("did you mean BertModel? ") == true)
    #expect(error(RecognitionOptions(dialect: "gogle-bert"))?.category == .unsupported)
    #expect(error(RecognitionOptions(architecture: "brt"))?.category == .unsupported)
  }

  // MARK: Labels

  /// What transformers 5.23.0 loads: `BertConfig.from_pretrained` with these keys.
  @Test(
    arguments: [
      (["num_labels": 3, "id2label": ["0": "a", "1": "b"]], 3), (["num_labels": 3], 3),
      (["id2label": ["0": "a", "1": "b", "2": "c"]], 3), (["id2label": ["5": "x"]], 1),
      ([:], 2), (["id2label": .null], 2), (["num_labels": 5, "id2label": .null], 5),
      (["num_labels": 3, "id2label": [:]], 3), (["label2id": ["a": 0, "b": 1, "c": 2]], 2),
    ] as [([String: JSONValue], Int)])
  func `num_labels wins over id2label`(_ keys: [String: JSONValue], _ labels: Int) throws {
    var values: [String: JSONValue?] = [:]
    for key in ["num_labels", "id2label", "label2id"] { values.updateValue(keys[key], forKey: key) }
    let graph = try changed("bert/token_classification", values) { tensor in
      guard tensor.name.text.hasPrefix("classifier.") else { return tensor }
      let shape = [labels] + tensor.shape.dropFirst()
      return Tensor(
        tensor.name, tensor.dtype, shape,
        bytes: [UInt8](repeating: 0, count: tensor.dtype.byteCount(shape: shape) ?? 0))
    }
    #expect(graph.slots.first { $0.path == "classifier.weight" }?.shape.first == labels)
  }

  @Test func `a Google config says nothing of labels, and the head's shape decides`() throws {
    let checkpoint = try Checkpoint.open(fixture("bert/google_sequence_classification"))
    let config = try #require(checkpoint.config?.value)
    let google = try #require(
      openModel("bert/google_sequence_classification").graph.nativeConfig(of: "google-bert"))
    #expect(google.content["num_labels"] == nil && google.content["id2label"] == nil)
    let graph = try WeightGraph(checkpoint.tensors, config: google.content)
    #expect(graph.architecture.head == "BertForSequenceClassification")
    let rows = graph.slots.first { $0.path == "classifier.weight" }?.shape.first
    #expect(rows == config["id2label"]?.members?.count && rows == 3)
  }
}
