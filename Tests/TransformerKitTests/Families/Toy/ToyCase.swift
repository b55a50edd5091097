import Containers
import Families
import Kernels
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// A model of a member with random weights, and the golden that the formula gives.
struct ToyCase: Sendable, CustomTestStringConvertible {
  struct Sizes: Sendable {
    var vocabulary = 37
    var width = 24
    var layers = 2
    var heads = 4
    var keyHeads = 2
    var head = 8
    var turned = 4
    var hidden = 20
    var base = 500.0
    var epsilon = 1e-5
  }

  let name: String
  let turnsNeighbours: Bool
  let isGated: Bool
  let sizes = Sizes()
  private var stored: [(name: String, shape: [Int], values: [Float])] = []

  var testDescription: String { name }

  static let pairs = ToyCase("toy_pairs", turnsNeighbours: true, isGated: false, seed: 71)
  static let halves = ToyCase("toy_halves", turnsNeighbours: false, isGated: true, seed: 72)
  static let all = [pairs, halves]

  private init(_ name: String, turnsNeighbours: Bool, isGated: Bool, seed: UInt64) {
    (self.name, self.turnsNeighbours, self.isGated) = (name, turnsNeighbours, isGated)
    var generator = SeededGenerator(seed: seed)
    func add(_ name: String, _ shape: Int..., around centre: Float = 0) {
      let values = (0..<shape.reduce(1, *)).map { _ in
        centre + Float.random(in: -0.7...0.7, using: &generator)
      }
      stored.append((name, shape, values))
    }
    func addLayer(_ name: String, _ input: Int, _ output: Int) {
      add(name + ".kernel", input, output)
      add(name + ".offset", output)
    }
    add("words", sizes.vocabulary, sizes.width)
    add("gain", sizes.width, around: 1)
    let (inner, shared) = (sizes.heads * sizes.head, 2 * sizes.keyHeads * sizes.head)
    for layer in 0..<sizes.layers {
      add("h.\(layer).gain", sizes.width, around: 1)
      addLayer("h.\(layer).qkv", sizes.width, inner + shared)
      addLayer("h.\(layer).out", inner, sizes.width)
      if isGated { addLayer("h.\(layer).gate", sizes.width, sizes.hidden) }
      addLayer("h.\(layer).up", sizes.width, sizes.hidden)
      addLayer("h.\(layer).down", sizes.hidden, sizes.width)
    }
  }

  /// The numbers of a stored tensor, in rows.
  subscript(name: String) -> [Double] {
    guard let tensor = stored.first(where: { $0.name == name }) else { fatalError(name) }
    return tensor.values.map { Double($0) }
  }

  var config: JSONValue {
    [
      "architectures": ["ToyForCausalLM"], "model_type": .string(name),
      "vocab_size": .number(sizes.vocabulary), "hidden_size": .number(sizes.width),
      "num_hidden_layers": .number(sizes.layers), "num_attention_heads": .number(sizes.heads),
      "num_key_value_heads": .number(sizes.keyHeads), "head_dim": .number(sizes.head),
      "intermediate_size": .number(sizes.hidden), "rms_norm_eps": .double(sizes.epsilon),
      "rope_theta": .double(sizes.base), "hidden_act": "silu",
      "partial_rotary_factor": .double(Double(sizes.turned) / Double(sizes.head)),
    ]
  }

  /// How its files are understood: by those who are told of the family.
  var options: OpenOptions {
    OpenOptions(recognition: RecognitionOptions(families: Family.all + [.toy]))
  }

  /// A folder with its files and its golden.
  func write(to folder: ScratchFolder) throws {
    let tensors = stored.map { Tensor(TensorName($0.name), $0.shape, values: $0.values) }
    try CheckpointWriter(
      destination: folder.path.appending("model.safetensors"), format: .safetensors
    ).write(tensors: tensors)
    folder.write(Array(config.text().utf8), to: "config.json")
    try CheckpointWriter(destination: folder.path.appending("golden.npz"), format: .npz)
      .write(tensors: golden)
  }

  // MARK: Golden

  /// Two texts, of which the second ends with padding.
  static let ids = [
    [3, 14, 15, 9, 26, 5, 35, 8, 9, 7, 9, 32, 3], [2, 7, 18, 28, 18, 28, 4, 5, 9, 0, 4, 0, 0],
  ]
  static let padding = [0, 4]

  private var golden: [Tensor] {
    let length = Self.ids[0].count
    let allowed = Self.padding.map { count in (0..<length).map { $0 < length - count } }
    let texts = zip(Self.ids, allowed).map { ToyFormula(self)($0, allowed: $1) }
    func output(_ name: String, _ value: (ToyFormula.Outputs) -> [[Double]]) -> Tensor {
      let rows = texts.flatMap(value)
      return Tensor(
        name: TensorName("outputs/" + name),
        NDArray(shape: [texts.count, length, rows[0].count], elements: rows.flatMap(\.self)))
    }
    func input(_ name: String, _ rows: [[Int]]) -> Tensor {
      Tensor(
        name: TensorName("inputs/" + name),
        ids: NDArray(shape: [rows.count, length], elements: rows.flatMap(\.self)))
    }
    let label = #"{"framework": "plain formula", "precision": "exact-f64"}"#
    return [
      input("input_ids", Self.ids),
      input("attention_mask", allowed.map { $0.map { $0 ? 1 : 0 } }),
      output("logits", \.logits), output("last_hidden_state", \.last),
    ] + (0...sizes.layers).map { layer in output("hidden_states.\(layer)") { $0.hidden[layer] } }
      + [Tensor("__golden__", .u8, [label.utf8.count], bytes: Array(label.utf8))]
  }
}
