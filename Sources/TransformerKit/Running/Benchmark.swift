import Dispatch
public import Kernels
public import Models
public import TensorCore

/// How long a model's forward pass takes, or a token that it adds to a text; weights in memory.
public struct Benchmark: Sendable {
  /// The times of the passes or tokens, in milliseconds, in order.
  public let milliseconds: [Double]
  /// What matrix products took of each, in milliseconds, the median: their time on all workers,
  /// divided by the number of workers.
  public let productMilliseconds: Double

  /// The median of the times.
  public var median: Double { TransformerKit.median(milliseconds) }
  /// The shortest time.
  public var minimum: Double { milliseconds.min() ?? 0 }

  /// Loads a model, runs it once to warm up, and then `count` times.
  ///
  /// - Throws: `CheckpointError` if the model cannot take the inputs, or weights cannot be read.
  public init<Scalar: ComputeScalar>(
    _ graph: WeightGraph, inputs: ModelInputs, count: Int, precision: Scalar.Type = Float.self
  ) throws(CheckpointError) {
    let pass = try ResidentPass<Scalar>(graph, inputs: inputs)
    try self.init(count) { () throws(CheckpointError) in _ = try pass.run() }
  }

  /// Loads a model, computes a prompt and one token more, and then `count` tokens one at a time, keys and
  /// values of what came before being kept.
  ///
  /// - Throws: `CheckpointError` if the model does not continue texts or the prompt is too long, or weights
  ///   cannot be read.
  public init<Scalar: ComputeScalar>(
    decoding graph: WeightGraph, prompt: ModelInputs, count: Int,
    precision: Scalar.Type = Float.self
  ) throws(CheckpointError) {
    var generator = try Generator<Scalar>(graph, prompt: prompt)
    let (texts, words) = (generator.sequences.rows, generator.logits.width)
    try self.init(count) { () throws(CheckpointError) in
      let length = generator.sequences.width
      try generator.append((0..<texts).map { (length * 31 + $0) % words })
    }
  }

  /// Runs `body` once to warm up, and then `count` times.
  private init(_ count: Int, _ body: () throws(CheckpointError) -> Void) throws(CheckpointError) {
    try body()
    var (times, products): ([Double], [Double]) = ([], [])
    for _ in 0..<max(1, count) {
      let start = DispatchTime.now().uptimeNanoseconds
      let nanoseconds = try ProductClock.nanoseconds(in: body)
      times.append(Double(DispatchTime.now().uptimeNanoseconds - start) / 1e6)
      products.append(Double(nanoseconds) / Double(Parallel.workers) / 1e6)
    }
    milliseconds = times
    productMilliseconds = TransformerKit.median(products)
  }
}

/// A forward pass with all weights in memory, which can run again and again.
package struct ResidentPass<Scalar: ComputeScalar> {
  private let inputs: ModelInputs
  private let stages: [(step: Stage<Scalar>.Step, outputs: [StageOutput])]

  /// Loads the model.
  ///
  /// - Throws: `CheckpointError` if the model cannot take the inputs, or weights cannot be read.
  package init(_ graph: WeightGraph, inputs: ModelInputs) throws(CheckpointError) {
    self.inputs = graph.withoutPadding(try graph.prepare(inputs))
    let scope = WeightScope<Scalar>(loading: graph, keepsTables: true)
    var stages: [(Stage<Scalar>.Step, [StageOutput])] = []
    for stage in graph.stages(Scalar.self) {
      stages.append((try stage.load(scope), stage.outputs.filter { !$0.isHiddenState }))
    }
    self.stages = stages
  }

  /// The outputs, hidden states left out. All are computed, scores over a vocabulary too.
  ///
  /// - Throws: `CheckpointError` when weights cannot be read.
  package func run() throws(CheckpointError) -> [NDArray<Scalar>] {
    var states = States<Scalar>(inputs: inputs)
    var outputs: [NDArray<Scalar>] = []
    for stage in stages {
      try stage.step(&states)
      for output in stage.outputs { outputs.append(try states.value(of: output.state).array()) }
    }
    return outputs
  }
}

/// The median: the middle of the sorted numbers, or the mean of the two in the middle; 0 of none.
public func median(_ numbers: [Double]) -> Double {
  let sorted = numbers.sorted()
  return sorted.isEmpty ? 0 : (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
}
