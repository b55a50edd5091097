import Decoders
import Kernels
import Models
import TensorCore
import TestSupport
import Testing

/// Two language models that read the same text, and numbers beside it.
private struct Twins: Architecture {
  static let name = "twins"

  let left: GPT2
  let right: GPT2

  init(config: inout ConfigReader, isStored: (String) -> Bool) {
    left = GPT2(config: &config) { isStored("left." + $0) }
    right = GPT2(config: &config) { isStored("right." + $0) }
  }

  var head: String { "Twins" }

  var inputs: [InputSlot] {
    left.inputs + [.numbers("pixel_values", [.batch, .size(2), .length])]
  }

  func stages<Scalar: ComputeScalar>(_: Scalar.Type) -> [Stage<Scalar>] {
    left.stages(Scalar.self).map { $0.inside("left") }
      + right.stages(Scalar.self).map { stage in
        stage.inside("right") { $0.isHiddenState ? nil : "right_" + $0.name }
      } + [pixels()]
  }

  private func pixels<Scalar: ComputeScalar>() -> Stage<Scalar> {
    Stage("pixels", outputs: [.final("pixels")]) { _ in
      { states in
        let values = states.inputs.numbers["pixel_values"]
        states["pixels"] = NDArray(
          shape: values?.shape ?? [], elements: (values?.elements ?? []).map { Scalar($0) })
      }
    }
  }
}

@Suite struct InnerModelTests {
  private let config: [String: JSONValue] = [
    "vocab_size": 5, "n_embd": 4, "n_head": 2, "n_layer": 1, "n_positions": 8,
    "architectures": ["GPT2LMHeadModel"],
  ]

  private func twins() throws -> Twins { try model(Twins.self, config) }

  @Test func `weights stand under the inner model's name, ties too`() throws {
    let alone = try model(GPT2.self, config).declaration().slots
    let slots = try twins().declaration().slots
    #expect(
      slots.map(\.path) == alone.map { "left." + $0.path } + alone.map { "right." + $0.path })
    let head = try #require(slots.last { $0.path == "right.lm_head.weight" })
    #expect(head.tie == "right.embeddings.word.weight")
  }

  @Test func `outputs are the larger model's, renamed or left out`() throws {
    let names = try twins().outputNames(hiddenStates: true)
    #expect(
      names == ["hidden_states.0", "hidden_states.1", "logits", "right_logits", "pixels"])
  }

  @Test func `states of inner models do not meet`() throws {
    let model = try twins()
    let inputs = try model.prepare(model.probe(longest: 4))
    let graph = try graph(model)
    var states = States<Double>(inputs: inputs)
    for stage in model.stages(Double.self) {
      try stage.load(WeightScope(loading: graph))(&states)
    }
    #expect(
      states.names == ["left.hidden", "left.logits", "pixels", "right.hidden", "right.logits"])
    let left = try states.value(of: "left.logits").array()
    let right = try states.value(of: "right.logits").array()
    #expect(left != right)
    // Each is what it computes alone.
    for (name, twin, expected) in [("left", model.left, left), ("right", model.right, right)] {
      var states = States<Double>(inputs: inputs)
      for stage in twin.stages(Double.self) {
        try stage.inside(name).load(WeightScope(loading: graph))(&states)
      }
      #expect(try states.value(of: name + ".logits").array() == expected)
    }
  }

  @Test func `numbers are declared, checked and made`() throws {
    let model = try twins()
    let probe = model.probe(longest: 4)
    #expect(probe.numbers["pixel_values"]?.shape == [2, 2, 4])
    #expect(Set(probe.numbers["pixel_values"]?.elements ?? []).count == 16)
    let sample = model.sample(batch: 3, length: 5, decoderLength: 1)
    #expect(sample.numbers["pixel_values"]?.shape == [3, 2, 5])
    for (shape, text) in [
      ([2, 3, 4], "must be [batch, 2, length]"), ([2, 2], "must be [batch, 2, length]"),
      ([2, 2, 5], "must be [2, 2, 4], like input_ids"),
    ] {
      var inputs = probe
      inputs.numbers["pixel_values"] = NDArray(shape: shape, repeating: 0)
      #expect(fault { _ = try model.prepare(inputs) }?.description.contains(text) == true)
    }
    var inputs = probe
    inputs.numbers["pixel_values"] = nil
    #expect(fault { _ = try model.prepare(inputs) }?.description == "pixel_values is missing")
    inputs["pixel_values"] = NDArray(shape: [2, 2, 4], repeating: 3)
    #expect(try model.prepare(inputs).numbers["pixel_values"]?.elements.first == 3)
    inputs.numbers["input_ids"] = NDArray(shape: [2, 4], repeating: 0.5)
    #expect(
      fault { _ = try model.prepare(inputs) }?.description.contains("input_ids must be integers")
        == true)
  }

  /// A graph of random weights.
  private func graph(_ model: Twins) throws -> WeightGraph {
    let slots = model.declaration().slots.filter { $0.tie == nil && $0.role != .constant }
    let dialect = Dialect(
      name: "plain", architecture: Twins.name,
      rules: model.declaration().slots.map { .tensor($0.path, .weight($0.path)) }, evidence: [])
    var generator = SeededGenerator(seed: 1)
    let tensors = slots.map { slot in
      Tensor(
        TensorName(slot.path), slot.shape,
        values: (0..<slot.parameterCount).map { _ in Float.random(in: -1...1, using: &generator) })
    }
    let options = RecognitionOptions(
      architecture: Twins.name, families: [Family(members: [Twins.self], dialects: [dialect])])
    return try WeightGraph(TensorTable(tensors), config: object(config), options: options)
  }

  private func object(_ members: [String: JSONValue]) -> JSONValue {
    .object(members.map { JSONValue.Member($0.key, $0.value) })
  }
}
