import Families
import Models
import TensorCore
import TestSupport

/// A small BERT as Hugging Face stores it, made in memory.
///
/// Its names stand here a second time, so that a mistake in the dialect's table is seen.
struct TinyBERT {
  static let vocabulary = 13
  static let width = 8
  static let feedForward = 12
  static let positions = 10
  static let types = 2

  var config: [JSONValue.Member]
  var tensors: [Tensor] = []
  private var generator: SeededGenerator

  /// - Parameters:
  ///   - head: the framework's class, whose weights it has.
  ///   - labels: of a classifier.
  init(_ head: String = "BertModel", layers: Int = 2, labels: Int = 3, seed: UInt64 = 1) {
    generator = SeededGenerator(seed: seed)
    config = [
      .init("architectures", [.string(head)]), .init("model_type", "bert"),
      .init("vocab_size", .number(Self.vocabulary)), .init("hidden_size", .number(Self.width)),
      .init("num_hidden_layers", .number(layers)), .init("num_attention_heads", 2),
      .init("intermediate_size", .number(Self.feedForward)),
      .init("max_position_embeddings", .number(Self.positions)),
      .init("type_vocab_size", .number(Self.types)), .init("num_labels", .number(labels)),
    ]
    let prefix = head == "BertModel" ? "" : "bert."
    addEncoder(prefix, layers: layers)
    let pooled = [
      "BertModel", "BertForPreTraining", "BertForNextSentencePrediction",
      "BertForSequenceClassification", "BertForMultipleChoice",
    ]
    if pooled.contains(head) { addLinear(prefix + "pooler.dense", Self.width, Self.width) }
    switch head {
    case "BertForPreTraining":
      addPredictions()
      addLinear("cls.seq_relationship", Self.width, 2)
    case "BertForMaskedLM", "BertLMHeadModel": addPredictions()
    case "BertForNextSentencePrediction": addLinear("cls.seq_relationship", Self.width, 2)
    case "BertForSequenceClassification", "BertForTokenClassification":
      addLinear("classifier", Self.width, labels)
    case "BertForMultipleChoice": addLinear("classifier", Self.width, 1)
    case "BertForQuestionAnswering":
      addLinear("qa_outputs", Self.width, 2)
      self["num_labels"] = 2
    default: break
    }
  }

  private mutating func addEncoder(_ prefix: String, layers: Int) {
    add(prefix + "embeddings.word_embeddings.weight", [Self.vocabulary, Self.width])
    add(prefix + "embeddings.position_embeddings.weight", [Self.positions, Self.width])
    add(prefix + "embeddings.token_type_embeddings.weight", [Self.types, Self.width])
    addNorm(prefix + "embeddings.LayerNorm")
    for layer in 0..<layers {
      let layer = prefix + "encoder.layer.\(layer)."
      for part in ["self.query", "self.key", "self.value", "output.dense"] {
        addLinear(layer + "attention." + part, Self.width, Self.width)
      }
      addNorm(layer + "attention.output.LayerNorm")
      addLinear(layer + "intermediate.dense", Self.width, Self.feedForward)
      addLinear(layer + "output.dense", Self.feedForward, Self.width)
      addNorm(layer + "output.LayerNorm")
    }
  }

  private mutating func addPredictions() {
    add("cls.predictions.bias", [Self.vocabulary])
    addLinear("cls.predictions.transform.dense", Self.width, Self.width)
    addNorm("cls.predictions.transform.LayerNorm")
  }

  private mutating func addLinear(_ name: String, _ input: Int, _ output: Int) {
    add(name + ".weight", [output, input])
    add(name + ".bias", [output])
  }

  private mutating func addNorm(_ name: String) {
    add(name + ".weight", [Self.width])
    add(name + ".bias", [Self.width])
  }

  /// Adds a tensor of random numbers.
  mutating func add(_ name: String, _ shape: [Int]) {
    let values = (0..<shape.reduce(1, *)).map { _ in Float.random(in: -1...1, using: &generator) }
    tensors.append(Tensor(TensorName(name), shape, values: values))
  }

  // MARK: Edits

  /// A value of the config; `nil` removes it.
  subscript(key: String) -> JSONValue? {
    get { config.first { $0.key == key }?.value }
    set {
      config.removeAll { $0.key == key }
      if let newValue { config.append(.init(key, newValue)) }
    }
  }

  mutating func remove(_ name: TensorName) {
    tensors.removeAll { $0.name == name }
  }

  mutating func rename(_ name: TensorName, _ newName: TensorName) {
    tensors = tensors.map { $0.name == name ? $0.renamed(newName) : $0 }
  }

  /// Gives every tensor another name.
  mutating func renameAll(_ newName: (String) -> String) {
    tensors = tensors.map { $0.renamed(TensorName(newName($0.name.text))) }
  }

  /// Puts zeros of another type or shape in a tensor's place.
  mutating func replace(_ name: TensorName, _ dtype: DType, _ shape: [Int]) {
    let bytes = [UInt8](repeating: 0, count: dtype.byteCount(shape: shape) ?? 0)
    tensors = tensors.map { $0.name == name ? Tensor(name, dtype, shape, bytes: bytes) : $0 }
  }

  /// Adds a copy of a tensor under another name.
  mutating func copy(_ name: TensorName, to newName: TensorName) {
    tensors += tensors.filter { $0.name == name }.map { $0.renamed(newName) }
  }

  /// The tensor of that name.
  func tensor(_ name: TensorName) -> Tensor? { tensors.first { $0.name == name } }

  // MARK: Use

  func graph() throws -> WeightGraph {
    try WeightGraph(TensorTable(tensors), config: .object(config))
  }

  /// The error that understanding it ends in.
  func fault() -> CheckpointError? {
    do {
      _ = try graph()
      return nil
    } catch {
      return error as? CheckpointError
    }
  }
}

/// All classes, and how many weights the tiny model of each has.
let heads: [(name: String, weights: Int)] = [
  ("BertModel", 39), ("BertForPreTraining", 46), ("BertForMaskedLM", 42), ("BertLMHeadModel", 42),
  ("BertForNextSentencePrediction", 41), ("BertForSequenceClassification", 41),
  ("BertForMultipleChoice", 41), ("BertForTokenClassification", 39),
  ("BertForQuestionAnswering", 39),
]
