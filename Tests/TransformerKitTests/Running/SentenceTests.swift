import Containers
import Families
import Kernels
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// Folders that sentence-transformers, or a version of it, has saved.
private let cases = fileNames(in: fixture("sentences"))

/// The largest error of any number, relative to the largest; infinite if there are not as many.
private func vectorError<Scalar: ComputeScalar>(of found: [Scalar], from expected: [Double])
  -> Double
{
  guard found.count == expected.count else { return .infinity }
  let error = zip(found, expected).map { abs(Double($0) - $1) }.max() ?? 0
  return error / (expected.map(abs).max() ?? 1)
}

/// The vectors of texts are those of sentence-transformers.
@Suite struct SentenceTests {
  @Test func `the fixtures are there`() {
    #expect(cases == ["last_token", "masked_lm", "mean", "prompt", "several"])
  }

  @Test(arguments: cases) func `the golden is reached`(_ name: String) throws {
    let path = fixture("sentences/\(name)")
    let report = try Model(path).check(Golden(path.appending("golden.npz")))
    #expect(report.isVerified)
    #expect(report.precision == .exactF64)
    #expect(report.lines.map(\.name).sorted() == ["last_hidden_state", "sentence_embedding"])
  }

  /// Cut, in lower case, and behind a prompt, where the folder says so.
  @Test(arguments: cases) func `texts have their vectors`(_ name: String) throws {
    let path = fixture("sentences/\(name)")
    let (model, tokenizer) = (try Model(path), try FoundTokenizer(path))
    let texts = try JSONValue(parsing: readFile(path.appending("texts.json")), grammar: .strict)
    for entry in try #require(texts.elements) {
      let text = try #require(entry["text"]?.string)
      let inputs = try model.inputs(text, prompt: entry["prompt"]?.string, tokenizer)
      var pass = try ForwardPass<Double>(model.graph, inputs: inputs)
      let found = try pass.run(hiddenStates: false).first { $0.name == "sentence_embedding" }
      let expected = try #require(entry["vector"]?.elements).compactMap(\.double)
      let vector = try #require(found).array
      #expect(vector.shape == [1, expected.count])
      #expect(vectorError(of: vector.elements, from: expected) <= 1e-12, "\(text)")
    }
  }

  @Test(arguments: cases) func `the vector is the same in single precision`(_ name: String) throws {
    let path = fixture("sentences/\(name)")
    let golden = try Golden(path.appending("golden.npz"))
    var pass = try ForwardPass<Float>(Model(path).graph, inputs: golden.inputs)
    let outputs = try pass.run(hiddenStates: false)
    let found = try #require(outputs.first { $0.name == "sentence_embedding" })
    let expected = try #require(golden.outputs.first { $0.name == "sentence_embedding" })
    #expect(vectorError(of: found.array.elements, from: expected.array.elements) <= 2e-5)
  }

  /// All of it is a prompt then, as where a text is cut within its prompt.
  @Test func `a prompt may be longer than the text`() throws {
    let model = try Model(fixture("sentences/prompt"))
    let ids = NDArray(shape: [1, 3], elements: [2, 5, 3])
    let inputs = ModelInputs([
      "input_ids": ids, "attention_mask": NDArray(shape: [1, 3], elements: [0, 0, 1]),
      "prompt_length": NDArray(shape: [1], elements: [Int.max - 1]),
    ])
    var pass = try ForwardPass<Double>(model.graph, inputs: inputs)
    #expect(try pass.run(hiddenStates: false).contains { $0.name == "sentence_embedding" })
  }

  // MARK: Conversion

  private func convert(_ source: FilePath, to target: Conversion.Target) throws
    -> Conversion.Outcome
  {
    try Conversion(Checkpoint.open(source, options: OpenOptions()), to: target).run()
  }

  /// To a folder, to TFZ and back, and to torch.
  @Test(arguments: ["several", "prompt"]) func `modules go along`(_ name: String) throws {
    let scratch = ScratchFolder()
    let source = fixture("sentences/\(name)")
    let folder = scratch.path.appending("folder")
    let file = scratch.path.appending("m.tfz")
    let back = scratch.path.appending("back")
    let torch = scratch.path.appending("torch")
    let steps: [(FilePath, Conversion.Target)] = [
      (source, .init(folder, isFolder: true, isVerified: true)),
      (source, .init(file, isVerified: true)),
      (file, .init(back, isFolder: true, isVerified: true)),
      (back, .init(torch, isFolder: true, format: .torch, isVerified: true)),
    ]
    for (from, target) in steps {
      #expect(try convert(from, to: target).verdict == .identical)
      let model = try Model(target.destination)
      #expect(try model.check(Golden(source.appending("golden.npz"))).isVerified)
      #expect(try ModelID(model.graph).digest == ModelID(Model(source).graph).digest)
    }
    let modules = try Checkpoint.open(source, options: OpenOptions()).modules() ?? []
    #expect(modules.count >= 3)
    for place in [folder, back, torch] {
      for inner in modules {
        for own in fileNames(in: source.pushing(FilePath(inner.folder))) where inner.folder != "" {
          let path = FilePath("\(inner.folder)/\(own)")
          #expect(readFile(place.pushing(path)) == readFile(source.pushing(path)))
        }
      }
    }
  }

  @Test func `a file holds the model under the modules`() throws {
    let scratch = ScratchFolder()
    let (source, file) = (fixture("sentences/mean"), scratch.path.appending("m.safetensors"))
    #expect(try convert(source, to: .init(file, isVerified: true)).verdict == .identical)
    #expect(try Model(file).graph.sentenceStack == nil)
    let certified = Conversion.Target(
      scratch.path.appending("n.npz"), certificate: scratch.path.appending("c.json"))
    let error = #expect(throws: CheckpointError.self) { try convert(source, to: certified) }
    #expect(error?.category == .refused)
  }

  /// Hidden states do not depend on a head, and it is not lost unasked.
  @Test func `a head under modules is left out where that is asked for`() throws {
    let scratch = ScratchFolder()
    let source = fixture("sentences/masked_lm")
    let model = try Model(source)
    #expect(model.graph.architecture.head == "BertModel")
    #expect(!model.graph.extras.isEmpty)
    let target = Conversion.Target(scratch.path.appending("x"), isFolder: true, dialect: "gguf")
    #expect(throws: CheckpointError.self) { try convert(source, to: target) }
    let named = OpenOptions(recognition: RecognitionOptions(className: "BertForMaskedLM"))
    #expect(try Model(source, options: named).graph.sentenceStack == nil)
  }

  // MARK: Comparison

  /// A copy of a case with another text in a file.
  static func copy(
    _ name: String, _ scratch: ScratchFolder, _ file: String, _ change: (String) -> String
  ) throws -> FilePath {
    let target = scratch.path.appending("copy")
    _ = try Conversion(
      Checkpoint.open(fixture("sentences/\(name)"), options: OpenOptions()),
      to: .init(target, isFolder: true)
    ).run()
    let path = target.pushing(FilePath(file))
    let text = String(decoding: readFile(path), as: UTF8.self)
    let changed = change(text)
    #expect(changed != text)
    writeFile(Array(changed.utf8), to: path)
    return target
  }

  @Test func `another pooling is another model`() throws {
    let scratch = ScratchFolder()
    let other = try Self.copy("mean", scratch, "1_Pooling/config.json") {
      $0.replacing("\"pooling_mode_mean_tokens\": true", with: "\"pooling_mode_max_tokens\": true")
        .replacing("\"pooling_mode_max_tokens\": false,", with: "")
    }
    let report = try compare(Model(fixture("sentences/mean")), Model(other))
    #expect(report.verdict == .different("stage sentence.pooling"))
    #expect(report.configDifferences == ["sentence.1: pooling mean in A, pooling max in B"])
    let golden = try Golden(fixture("sentences/mean/golden.npz"))
    #expect(try !Model(other).check(golden).isVerified)
  }

  /// The probe has prompts.
  @Test func `what becomes of a prompt is seen`() throws {
    let scratch = ScratchFolder()
    let other = try Self.copy("prompt", scratch, "1_Pooling/config.json") {
      $0.replacing("\"include_prompt\": false", with: "\"include_prompt\": true")
    }
    let report = try compare(Model(fixture("sentences/prompt")), Model(other))
    #expect(report.verdict == .different("stage sentence.pooling"))
  }
}
