import Kernels
import Models
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// BERT's cases whose golden leaves hidden states out. (Of the other families most do.)
private let abridged: Set = [
  "bert/gelu_new", "bert/relu", "bert/silu", "bert/legacy_names", "bert/no_prefix",
  "bert/eleven_layers", "bert/long", "bert/cross_attention_base", "bert/cross_attention_alone",
  "bert/ct2_bert", "bert/flash_base", "bert/flash_pretraining",
]

/// Those with texts that are padding alone, whose positions weigh what they do not see by scores that 10¹⁰ less
/// swallows in single precision.
private let exactOnly: Set = ["t5/longt5"]

/// The model computes what the original framework did, in every output and hidden state.
@Suite struct ParityTests {
  @Test func `the fixtures are there`() {
    #expect(goldenCases.count >= 90)
  }

  @Test(arguments: goldenCases) func `in double precision`(_ name: String) throws {
    try check(name, limit: 1e-11, Double.self)
  }

  @Test(arguments: goldenCases.filter { !exactOnly.contains($0) })
  func `in single precision`(_ name: String) throws {
    try check(name, limit: 2e-5, Float.self)
  }

  private func check<Scalar: ComputeScalar>(
    _ name: String, limit: Double, _: Scalar.Type
  ) throws {
    let golden = try golden(name)
    let model = try openModel(name)
    #expect(golden.precision == .exactF64)
    var pass = try ForwardPass<Scalar>(model.graph, inputs: golden.inputs)
    let outputs = try pass.run(hiddenStates: true)

    let goldenNames = Set(golden.outputs.map(\.name))
    let names = outputs.map(\.name)
    #expect(Set(names).count == names.count)
    #expect(goldenNames.subtracting(names).isEmpty)
    let finalNames = outputs.filter { !$0.isHiddenState }.map(\.name)
    if name.hasPrefix("bert/") {
      #expect(goldenNames.isSuperset(of: finalNames))
      if !abridged.contains(name) { #expect(goldenNames == Set(names)) }
    }

    for expected in golden.outputs {
      let output = try #require(outputs.first { $0.name == expected.name })
      #expect(output.array.shape == expected.array.shape)
      #expect(output.isHiddenState == isOnRequest(output.name))
      let error = relativeError(of: output.array.elements, from: expected.array.elements)
      #expect(error <= limit, "\(expected.name)")
    }
  }

  @Test(arguments: goldenCases) func `hidden states only when asked for`(_ name: String) throws {
    var pass = try ForwardPass<Float>(openModel(name).graph, inputs: golden(name).inputs)
    let outputs = try pass.run(hiddenStates: false).map(\.name)
    #expect(!outputs.isEmpty && !outputs.contains(where: isOnRequest))
    let expected = try golden(name).outputs.map(\.name).filter { !isOnRequest($0) }
    #expect(Set(outputs).isSuperset(of: expected))
  }

  @Test(arguments: goldenCases) func `the check says so`(_ name: String) throws {
    let report = try openModel(name).check(golden(name))
    #expect(report.isVerified && report.tolerance == 1e-10)
    #expect(report.framework?.isEmpty == false)
  }
}

/// The largest error of any element, relative to the largest exact value; NaN if anything is.
private func relativeError<Scalar: ComputeScalar>(
  of values: [Scalar], from expected: [Double]
) -> Double {
  let scale = expected.map(\.magnitude).max() ?? 0
  var largest = 0.0
  for (value, goal) in zip(values, expected) {
    let error = abs(Double(value) - goal)
    if error.isNaN { return .nan }
    largest = max(largest, error)
  }
  return largest / scale
}

@Suite struct RefusedModelTests {
  @Test func `cross-attention needs a decoder, and that is said`() throws {
    let error = try #require(throws: CheckpointError.self) {
      try openModel("bert/cross_attention_of_encoder")
    }
    #expect(error.category == .failed)
    #expect(error.description.contains("add_cross_attention is true, but is_decoder, which it"))
  }

  @Test func `a position buffer that does not count is refused by name`() throws {
    let error = try #require(throws: CheckpointError.self) {
      try openModel("bert/bad_position_ids")
    }
    #expect(error.category == .refused)
    #expect(error.details.count == 1)
    #expect(error.details[0].contains("bert.embeddings.position_ids"))
    #expect(error.details[0].contains("element 6 is not 6"))
  }

  @Test(arguments: ["legacy_names", "masked_lm", "masked_lm_untied", "base"])
  func `what was dropped is said`(_ name: String) throws {
    let dropped = try openModel("bert/\(name)").graph.dropped.map(\.name.text)
    #expect(
      dropped.sorted()
        == (name == "legacy_names"
          ? ["bert.embeddings.position_ids", "cls.predictions.decoder.weight"] : []))
  }
}

@Suite(.serialized) struct WorkersTests {
  @Test(arguments: ["base", "long", "pretraining", "multiple_choice"])
  func `outputs have the same bits with any number of workers`(_ name: String) throws {
    let model = try openModel("bert/\(name)")
    let runs = try exclusively {
      defer { Parallel.workers = 0 }
      return try [1, 2, 3, 7].map { workers in
        Parallel.workers = workers
        var pass = try ForwardPass<Float>(model.graph, inputs: model.graph.architecture.probe)
        return try pass.run(hiddenStates: true).map { $0.array.elements.map(\.bitPattern) }
      }
    }
    for run in runs.dropFirst() { #expect(run == runs[0]) }
  }
}

@Suite struct ForwardPassTests {
  @Test func `runs stage by stage`() throws {
    let model = try openModel("bert/pretraining")
    var pass = try ForwardPass<Float>(model.graph, inputs: golden("bert/pretraining").inputs)
    var names: [String] = []
    while let stage = try pass.advance() { names.append(stage.name) }
    let blocks = ["encoder.blocks.0", "encoder.blocks.1"]
    #expect(names == ["embeddings"] + blocks + ["pooler", "mlm_head", "nsp_head"])
    #expect(pass.states.value(of: "prediction_logits").shape == [3, 9, 61])
  }

  @Test func `refuses inputs that the model cannot take`() throws {
    let model = try openModel("bert/base")
    let inputs = ModelInputs(["input_ids": NDArray(shape: [1, 1], elements: [61])])
    #expect(throws: CheckpointError.self) { try ForwardPass<Float>(model.graph, inputs: inputs) }
  }

  @Test func `an own head changes the logits and nothing else`() throws {
    var variant = try Variant("masked_lm")
    let word = "bert.embeddings.word_embeddings.weight"
    var head = try variant.floats(word)
    for index in head.indices { head[index] += 0.5 }
    variant.tensors.append(
      Tensor("cls.predictions.decoder.weight", [61, 24], values: head))
    let inputs = try golden("bert/masked_lm").inputs
    func run(_ model: Model) throws -> [String: [Float]] {
      var pass = try ForwardPass<Float>(model.graph, inputs: inputs)
      let outputs = try pass.run(hiddenStates: true)
      return Dictionary(uniqueKeysWithValues: outputs.map { ($0.name, $0.array.elements) })
    }
    let (tied, untied) = (try run(openModel("bert/masked_lm")), try run(variant.model()))
    for name in tied.keys { #expect((tied[name] == untied[name]) == (name != "logits"), "\(name)") }
  }

  @Test func `inputs may be longer than a piece of work`() throws {
    // Rows and queries are cut into pieces; a long input must not notice.
    let model = try openModel("bert/long")
    let ids = NDArray(shape: [5, 130], elements: (0..<650).map { $0 % 61 })
    var whole = try ForwardPass<Double>(model.graph, inputs: ModelInputs(["input_ids": ids]))
    let all = try whole.run(hiddenStates: false)[0].array
    for member in 0..<5 {
      let row = NDArray(shape: [1, 130], elements: Array(ids.row(member)))
      var pass = try ForwardPass<Double>(model.graph, inputs: ModelInputs(["input_ids": row]))
      let alone = try pass.run(hiddenStates: false)[0].array
      let part = all.elements[member * 130 * 16..<(member + 1) * 130 * 16]
      #expect(zip(part, alone.elements).allSatisfy { abs($0 - $1) < 1e-12 })
    }
  }
}

/// Whether an output is given only with the hidden states: these, and what is remembered of a text.
private func isOnRequest(_ name: String) -> Bool {
  name.contains("hidden_states.") || name.hasPrefix("mems.")
}
