import Containers
import Kernels
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// A text of a golden, to be computed step by step.
private struct StepCase: Sendable, CustomTestStringConvertible {
  let folder: String
  /// The golden whose inputs are taken, if it is another case's.
  var inputs: String?
  /// How many positions are computed together at first.
  var prompt = 1

  var testDescription: String { "\(folder) from \(prompt)" }
}

private let stepCases: [StepCase] = [
  StepCase(folder: "gpt2/lm"), StepCase(folder: "gpt2/lm", prompt: 5),
  StepCase(folder: "gpt2/lm_untied"), StepCase(folder: "gpt2/scale_variants", prompt: 3),
  StepCase(folder: "gpt2/left_padding", prompt: 4),
  StepCase(folder: "gpt2/left_padding_position_ids", prompt: 4),
  StepCase(folder: "bloom/lm", prompt: 4), StepCase(folder: "bloom/left_padding", prompt: 4),
  StepCase(folder: "bloom/holes", prompt: 7),
  StepCase(folder: "falcon/lm"), StepCase(folder: "falcon/new", prompt: 3),
  StepCase(folder: "falcon/rw"), StepCase(folder: "falcon/left_padding_alibi", prompt: 4),
  StepCase(folder: "gptbigcode/lm", prompt: 3), StepCase(folder: "gptbigcode/multi_head"),
  StepCase(folder: "mpt/clip_qkv", prompt: 2), StepCase(folder: "mpt/left_padding", prompt: 4),
  StepCase(folder: "nemotron/biases"), StepCase(folder: "persimmon/lm", prompt: 3),
  StepCase(folder: "xglm/lm"), StepCase(folder: "xglm/left_padding", prompt: 4),
  StepCase(folder: "opt/lm", prompt: 4), StepCase(folder: "opt/post_norm"),
  StepCase(folder: "gptneox/lm", prompt: 4), StepCase(folder: "gptneox/serial"),
  StepCase(folder: "phi/norms", prompt: 4), StepCase(folder: "phi/phi3"),
  StepCase(folder: "phi/phi3_windows", prompt: 2),
  StepCase(folder: "stablelm/twelve"), StepCase(folder: "starcoder2/windows", prompt: 4),
  StepCase(folder: "gptj/most_of_heads", prompt: 3),
  StepCase(folder: "codegen/eight_heads"), StepCase(folder: "gptneo/three_layers", prompt: 2),
  StepCase(folder: "gptneo/left_padding", prompt: 4), StepCase(folder: "gpt1/lm"),
  StepCase(folder: "gpt1/left_padding", prompt: 4),
  StepCase(folder: "gemma/gemma2"), StepCase(folder: "gemma/gemma3", prompt: 2),
  StepCase(folder: "olmo/olmo3", prompt: 2), StepCase(folder: "granite/lm"),
  StepCase(folder: "cohere/cohere2", prompt: 2), StepCase(folder: "glm/glm4", prompt: 4),
  StepCase(folder: "llama/lm", prompt: 4), StepCase(folder: "llama/mistral", prompt: 2),
  StepCase(folder: "llama/smollm3_layers"), StepCase(folder: "llama/ministral3", prompt: 4),
  StepCase(folder: "llama/qwen2_windows"), StepCase(folder: "llama/qwen3"),
  StepCase(folder: "llama/left_padding_position_ids", prompt: 4),
  StepCase(folder: "deepseek/lm", prompt: 3), StepCase(folder: "deepseek/v2"),
  StepCase(folder: "deepseek/left_padding", prompt: 4), StepCase(folder: "gptoss/lm", prompt: 2),
  StepCase(folder: "mixtral/lm"), StepCase(folder: "mixtral/qwen2_windows", prompt: 2),
  StepCase(folder: "mixtral/olmoe_clip", prompt: 4),
  StepCase(folder: "t5/v10"), StepCase(folder: "t5/v11", prompt: 3),
  StepCase(folder: "t5/v10_config5"), StepCase(folder: "t5/gated_silu", prompt: 2),
  StepCase(folder: "t5/padding_left_right"), StepCase(folder: "t5/decoder_mask", prompt: 3),
  StepCase(folder: "t5/fully_masked"), StepCase(folder: "t5/untied_scaled"),
  StepCase(folder: "t5/umt5", prompt: 2), StepCase(folder: "t5/longt5"),
  StepCase(folder: "t5/longt5_global", prompt: 2), StepCase(folder: "t5/switch_dense"),
  StepCase(folder: "whisper/generation"), StepCase(folder: "whisper/decoder_mask", prompt: 3),
  StepCase(folder: "moonshine/generation"), StepCase(folder: "moonshine/padded", prompt: 3),
  StepCase(folder: "bart/generation"), StepCase(folder: "bart/decoder_mask", prompt: 3),
  StepCase(folder: "bart/mbart", prompt: 2), StepCase(folder: "bart/fsmt_generate"),
  StepCase(folder: "bart/marian_separate"),
  StepCase(folder: "opennmttransformer/shared", prompt: 2),
  StepCase(folder: "bart/pegasus", prompt: 4), StepCase(folder: "gpt2/cross_attention", prompt: 2),
  StepCase(folder: "encoderdecoderpair/bert_bert"),
  StepCase(folder: "encoderdecoderpair/bert_gpt2", prompt: 3),
  StepCase(folder: "llava/layers", prompt: 21),
]

@Suite struct GenerationTests {
  /// The columns of a row-by-row array.
  private func columns(_ range: Range<Int>, of array: NDArray<Int>) -> NDArray<Int> {
    let elements = (0..<array.rows).flatMap { row in
      range.map { array.row(row)[$0 + row * array.width] }
    }
    return NDArray(shape: [array.rows, range.count], elements: elements)
  }

  private func largestError(
    _ logits: NDArray<Double>, from whole: NDArray<Double>, at position: Int, where allows: [Bool]
  ) -> Double {
    let scale = whole.elements.map(\.magnitude).max() ?? 1
    var largest = 0.0
    for row in 0..<logits.rows where allows[row] {
      let expected = whole.row(row * whole.shape[1] + position)
      for (x, y) in zip(logits.row(row), expected) { largest = max(largest, abs(x - y) / scale) }
    }
    return largest
  }

  @Test(arguments: stepCases) private func `steps equal the whole pass`(_ form: StepCase) throws {
    let graph = try Model(fixture(form.folder)).graph
    let inputs = try graph.architecture.prepare(
      Golden(fixture("\(form.folder)/golden.npz")).inputs)
    try checkSteps(graph, inputs, prompt: form.prompt)
  }

  /// In a window of one a query sees itself alone. (transformers 5.23's cache keeps all keys then, because it
  /// takes the last `window - 1`, and its steps see them: its whole pass is what steps are held to here.)
  @Test(arguments: [1, 2, 3]) func `steps see no more than a window`(_ window: Int) throws {
    let model = try edited(["sliding_window": .number(window)], of: "llama/mistral_generate")
    let inputs = try ArrayFile(fixture("llama/mistral_generate/generated.npz")).inputs()
    let ids = try #require(inputs["input_ids"])
    let text = ModelInputs(["input_ids": NDArray(shape: ids.shape, elements: ids.elements)])
    try checkSteps(model.graph, model.graph.architecture.prepare(text), prompt: 1)
  }

  private func checkSteps(_ graph: WeightGraph, _ inputs: ModelInputs, prompt count: Int) throws {
    let rules = try #require(graph.architecture.generation)
    var pass = try ForwardPass<Double>(graph, inputs: inputs)
    let whole = try #require(try pass.run(hiddenStates: false).first { $0.name == "logits" }).array

    // The mask and the positions of the whole text are those that the steps should make up.
    let ids = try #require(inputs[rules.ids])
    var prompt = inputs
    for name in [rules.ids, rules.mask, rules.positions, rules.types] {
      prompt[name] = inputs[name].map { columns(0..<count, of: $0) }
    }
    var generator = try Generator<Double>(graph, prompt: prompt)
    for position in count - 1..<ids.width {
      let mask = inputs[rules.mask]
      // Steps see what they add, so rows that are padded there go other ways.
      let allows = (0..<ids.rows).map { row in
        mask.map { mask in
          mask.row(row).prefix(position + 1).last != 0
            && mask.row(row).prefix(position + 1).dropFirst(count).allSatisfy { $0 != 0 }
        } ?? true
      }
      let error = largestError(generator.logits, from: whole, at: position, where: allows)
      #expect(error < 1e-12, "position \(position)")
      if position + 1 < ids.width {
        try generator.append(columns(position + 1..<position + 2, of: ids).elements)
      }
    }
    #expect(generator.sequences == ids)
  }

  @Test(arguments: generatedCases)
  func `continues as the framework does`(_ folder: String) throws {
    let graph = try Model(fixture(folder)).graph
    let golden = try ArrayFile(fixture("\(folder)/generated.npz"))
    let file = try Checkpoint.open(fixture("\(folder)/generated.npz")).tensors
    let sequences = try #require(file["outputs/sequences"])
    let logits = try NDArray<Double>(reading: #require(file["outputs/logits"]))
    let bytes = try sequences.bytes.read(0..<sequences.byteCount)
    let expected = (0..<sequences.elementCount).map {
      sequences.dtype.element(at: $0, of: bytes).int
    }

    var generator = try Generator<Double>(graph, prompt: golden.inputs())
    let start = generator.sequences.width
    let scale = logits.elements.map(\.magnitude).max() ?? 1
    for step in 0..<logits.shape[1] {
      if step > 0 {
        // Computes the tokens that `generate` has only added.
        let last = (0..<generator.sequences.rows).compactMap { generator.sequences.row($0).last }
        var again = try Generator<Double>(graph, prompt: golden.inputs())
        try again.generate(step - 1)
        try again.append(last)
        generator = again
      }
      for row in 0..<logits.shape[0] {
        for (x, y) in zip(
          generator.logits.row(row), logits.row(row * logits.shape[1] + step))
        {
          #expect(abs(x - y) <= 1e-12 * scale)
        }
      }
      try generator.generate(1)
    }
    #expect(generator.sequences.width == start + logits.shape[1])
    #expect(generator.sequences.shape == sequences.shape)
    #expect(generator.sequences.elements == expected)
    var once = try Generator<Float>(graph, prompt: golden.inputs())
    try once.generate(logits.shape[1])
    #expect(once.sequences == generator.sequences)
  }

  @Test func `tokens are forced and forbidden as the config says`() throws {
    let graph = try Model(fixture("bart/forced")).graph
    let path = fixture("bart/forced/continued.npz")
    let sequences = try #require(Checkpoint.open(path).tensors["outputs/sequences"])
    let bytes = try sequences.bytes.read(0..<sequences.byteCount)
    let expected = (0..<sequences.elementCount).map {
      sequences.dtype.element(at: $0, of: bytes).int
    }
    var generator = try Generator<Double>(graph, prompt: ArrayFile(path).inputs())
    try generator.generate(9)
    #expect(generator.sequences.elements == expected)
    let text = ModelInputs(["input_ids": NDArray(shape: [1, 3], elements: [5, 6, 7])])
    let error = #expect(throws: CheckpointError.self) {
      try SpeculativeGenerator<Double>(graph, draft: graph, prompt: text, draftTokens: 2)
    }
    #expect(error?.description.contains("forces or forbids") == true)
  }

  /// A case's model, GPT-2's if not another one's, with some members of its config changed.
  private func edited(
    _ members: [String: JSONValue], of name: String = "gpt2/generate"
  ) throws -> Model {
    let folder = fixture(name)
    let config = try JSONValue(parsing: readFile(folder.appending("config.json")), grammar: .strict)
    var all = config.members ?? []
    all.removeAll { members[$0.key] != nil }
    all += members.sorted { $0.key < $1.key }.map { JSONValue.Member($0.key, $0.value) }
    let scratch = ScratchFolder()
    let path = scratch.write(Array(JSONValue.object(all).text().utf8), to: "config.json")
    return try Model(folder, options: OpenOptions(config: path))
  }

  private let prompt = ModelInputs([
    "input_ids": NDArray(shape: [2, 5], elements: [3, 14, 15, 9, 26, 5, 35, 8, 97 % 61, 9])
  ])

  private func continued(_ model: Model, by count: Int = 12) throws -> NDArray<Int> {
    var generator = try Generator<Double>(model.graph, prompt: prompt)
    try generator.generate(count)
    return generator.sequences
  }

  @Test func `a text that has ended is filled up, and all end together`() throws {
    let free = try continued(edited(["eos_token_id": .null]))
    #expect(free.shape == [2, 17])
    // An end token that the first text reaches, and the second one not before.
    let added = (0..<2).map { Array(free.row($0).suffix(12)) }
    let end = try #require(added[0].first { !added[1].contains($0) })
    let place = try #require(added[0].firstIndex(of: end))
    for (pad, filler) in [(JSONValue.null, end), (4, 4)] {
      let ended = try continued(
        edited(["eos_token_id": [.number(end)], "pad_token_id": pad]))
      #expect(ended.row(1) == free.row(1))
      let expected = added[0].prefix(place + 1) + Array(repeating: filler, count: 11 - place)
      #expect(ended.row(0).suffix(12) == expected)
    }
    let both = try continued(
      edited(["eos_token_id": .array(Set(added.compactMap(\.first)).map { .number($0) })]))
    #expect(both.shape == [2, 6])
  }

  @Test func `no text is longer than the model`() throws {
    let model = try edited(["eos_token_id": .null])
    #expect(try continued(model, by: 36).shape == [2, 41])
    let error = #expect(throws: CheckpointError.self) { try continued(model, by: 37) }
    #expect(error?.description.contains("needs 41 positions, the model has 40") == true)
  }

  @Test func `a padding token outside of the vocabulary is an error`() throws {
    let free = try continued(edited(["eos_token_id": .null]))
    let added = (0..<2).map { Array(free.row($0).suffix(12)) }
    let end = try #require(added[0].first { !added[1].contains($0) })
    let model = try edited(["eos_token_id": .number(end), "pad_token_id": 61])
    #expect(throws: CheckpointError.self) { try continued(model) }
  }

  @Test func `a head without words does not continue texts`() throws {
    let graph = try Model(fixture("gpt2/base")).graph
    let error = #expect(throws: CheckpointError.self) {
      try Generator<Float>(graph, prompt: prompt)
    }
    #expect(error?.category == .unsupported)
  }
}
