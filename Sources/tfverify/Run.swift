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
      Inputs are arrays of integers under Hugging Face's names: input_ids, attention_mask,
      token_type_ids, position_ids. Without --inputs the built-in probe runs.

      Examples:
        tfverify run bert-base/ --inputs inputs.npz -o outputs.npz
        tfverify run bert-base/ --inputs golden.npz -o outputs.npz --hidden-states --precision f64
        tfverify run bert.npz
      """)

  @Argument(help: "The model.")
  var model: FilePath

  @Option(help: "An npz with the inputs, instead of the built-in probe.")
  var inputs: FilePath?

  @Option(name: [.short, .long], help: "The npz to write; without it, a summary is printed.")
  var output: FilePath?

  @Flag(help: "Also give every hidden state.")
  var hiddenStates = false

  @Option(help: "The precision of the forward pass and of the outputs: f32 or f64.")
  var precision = Precision.f32

  @Flag(name: [.short, .long], help: "Replace an existing output file.")
  var force = false

  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var common: CommonOptions

  func perform() throws -> ExitStatus {
    try checkArithmetic()
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
    var pass = try ForwardPass<Scalar>(model.graph, inputs: inputs)
    let outputs = try pass.run(hiddenStates: hiddenStates)
    if let output {
      let tensors = outputs.map { Tensor(name: TensorName($0.name), $0.array) }
      let format = output.extension.flatMap { ContainerFormat.withExtension($0) } ?? .npz
      try CheckpointWriter(destination: output, format: format, overwrite: force)
        .write(tensors: tensors)
    }
    report(outputs)
  }

  private func report<Scalar: ComputeScalar>(_ outputs: [NamedArray<Scalar>]) {
    if common.json {
      let rows: [JSONValue] = outputs.map {
        let summary = Summary($0.array)
        return [
          "name": .string($0.name), "shape": .array($0.array.shape.map { .number($0) }),
          "min": .number(summary.smallest), "max": .number(summary.largest),
          "mean": .number(summary.mean),
        ]
      }
      let report: JSONValue = [
        "schema": "tfverify.run/1", "precision": .string(precision.rawValue),
        "output": output.map { .string(displayed($0)) } ?? .null, "outputs": .array(rows),
      ]
      return standardOutput(report.text(pretty: true))
    }
    if common.quiet {
      if let output { standardOutput(escaped(displayed(output))) }
      return
    }
    var table = Table([
      ("OUTPUT", .left), ("SHAPE", .left), ("MIN", .right), ("MAX", .right), ("MEAN", .right),
    ])
    for output in outputs {
      let summary = Summary(output.array)
      table.add([
        output.name, describe(shape: output.array.shape), "\(Float(summary.smallest))",
        "\(Float(summary.largest))", "\(Float(summary.mean))",
      ])
    }
    for line in table.lines() { standardOutput(line) }
    if let output { standardOutput("wrote \(escaped(displayed(output)))") }
  }
}

/// The range and the mean of some numbers.
private struct Summary {
  let smallest: Double
  let largest: Double
  let mean: Double

  init<Scalar: ComputeScalar>(_ array: NDArray<Scalar>) {
    let values = array.elements.map { Double($0) }
    smallest = values.min() ?? .nan
    largest = values.max() ?? .nan
    mean = values.reduce(0, +) / Double(values.count)
  }
}
