import ArgumentParser
import CommandSupport
import Containers
import Kernels
import Models
import SystemPackage
import TensorCore
import TransformerKit

struct Run: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Run a model on arrays, and write or summarise its outputs.",
    discussion: """
      Inputs are arrays under Hugging Face's names: integers such as input_ids and attention_mask, or \
      numbers. Which ones a model takes is said when it is given another. Without --inputs the \
      built-in probe runs.

      With --generate the one output is "sequences": the texts, each continued by the likeliest token \
      after the other. A text ends after an end token of the config and is then filled up with the \
      padding token; all ends when every text has. What is not given is filled in as Hugging Face's \
      generate does: the mask from the padding token, positions from the mask, and the start token of \
      a decoder beside an encoder.

      Examples:
        tfverify run bert-base/ --inputs inputs.npz -o outputs.npz
        tfverify run bert-base/ --inputs golden.npz -o out.npz --precision f64
        tfverify run gpt2/ --inputs prompts.npz --generate 20 -o continued.npz
      """)

  @Argument(help: "The model.")
  var model: FilePath

  @Option(
    help: ArgumentHelp("An npz with the inputs, instead of the built-in probe.", valueName: "npz"))
  var inputs: FilePath?

  @Option(
    name: [.short, .long],
    help: ArgumentHelp("The npz to write; without it, a summary is printed.", valueName: "npz"))
  var output: FilePath?

  @Flag(help: "Also give every hidden state.")
  var hiddenStates = false

  @Option(help: ArgumentHelp("Continue each text by this many tokens.", valueName: "n"))
  var generate: Int?

  @Option(help: "The precision of the forward pass and of the outputs: f32 or f64.")
  var precision = Precision.f32

  @Flag(name: [.short, .long], help: "Replace an existing output file.")
  var force = false

  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var progressOptions: ProgressOptions
  @OptionGroup var memory: MemoryOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard let generate else { return }
    guard (1...1 << 20).contains(generate) else {
      throw ValidationError("--generate must be from 1 to \(1 << 20)")
    }
    if hiddenStates {
      throw ValidationError("--generate gives no hidden states; leave out --hidden-states")
    }
  }

  func perform() throws -> ExitStatus {
    try prepareArithmetic()
    let model = try Model(model, options: sourceOptions.options)
    common.explain(model)
    let inputs = try inputs.map { try ArrayFile($0).inputs() } ?? model.graph.architecture.probe
    switch precision {
    case .f32: try run(model, inputs, Float.self)
    case .f64: try run(model, inputs, Double.self)
    }
    return .success
  }

  private func run<Scalar: ComputeScalar>(
    _ model: Model, _ inputs: ModelInputs, _: Scalar.Type
  ) throws {
    let file = output.map { displayed($0) }
    if let generate {
      try memory.keep(
        VerificationMemory(
          generating: generate, model.graph, prompt: inputs, Scalar.self), for: self.model)
      var generator = try Generator<Scalar>(model.graph, prompt: inputs)
      try generator.generate(generate)
      try write([Tensor(name: "sequences", ids: generator.sequences)])
      return RunReport(file: file, common: common).print(sequences: generator.sequences)
    }
    try memory.keep(
      VerificationMemory(running: model.graph, inputs: inputs, Scalar.self), for: self.model)
    let (bar, progress) = progressOptions.weightProgress(common)
    var pass = try ForwardPass<Scalar>(model.graph, inputs: inputs, progress: progress)
    let outputs = try pass.run(hiddenStates: hiddenStates)
    bar.finish()
    try write(outputs.map { Tensor(name: TensorName($0.name), $0.array) })
    RunReport(file: file, common: common).print(outputs, precision: precision)
  }

  private func write(_ tensors: [Tensor]) throws {
    guard let output else { return }
    let format = output.extension.flatMap { ContainerFormat.withExtension($0) } ?? .npz
    try CheckpointWriter(destination: output, format: format, overwrite: force)
      .write(tensors: tensors)
  }
}
