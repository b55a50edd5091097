package import Containers
public import Kernels
public import Models
public import TensorCore

/// How much memory running models takes, and how a cap on it is kept.
///
/// Of a model that runs, one stage's weights are in memory, what that stage computes, and the states;
/// of two that run side by side, one stage at a time and the states of both. Weights that the file has
/// in another order take slabs while they are read.
public struct VerificationMemory {
  /// The process with its libraries, before it does anything.
  private static let process = 28 << 20
  /// What is known of a weight and of its tensor.
  private static let perWeight = 2500
  /// What a comparison of weights has of each model at a time, in both types.
  private static let comparison = 8 << 20

  private let fixed: Int
  private let graphs: [WeightGraph]
  /// What looking for a cause takes beside strips of weights: copies of those that a mistake may be in.
  private var copies = 0
  /// The bytes of the largest tensor that is read in a layout of its own, which is not known yet.
  private var largestTarget: Int?

  /// A comparison of two models on the same inputs.
  public init<Scalar: ComputeScalar>(
    comparing a: WeightGraph, _ b: WeightGraph, inputs: ModelInputs?, _: Scalar.Type
  ) {
    let far = inputs == nil ? farProbe(a, b) : nil
    let runs = [inputs ?? a.probe] + [far].compactMap(\.self)
    let needed = runs.map { inputs in
      let (first, second) = (
        ForwardMemory(a, inputs, Scalar.self), ForwardMemory(b, inputs, Scalar.self)
      )
      return first.states + second.states + max(first.stage, second.stage)
    }
    self.init((needed.max() ?? 0) + Self.comparison, [a, b])
  }

  /// The comparison of a model with what it is converted to: of the target it is only known that it has
  /// the same weights, in a layout of its own.
  package init(verifying a: WeightGraph, in format: ContainerFormat, _ tensors: [Tensor]) {
    let memory = ForwardMemory(a, a.probe, Float.self)
    self.init(
      2 * memory.states + memory.stage + Self.comparison + format.workingMemory(for: tensors),
      [a, a])
    largestTarget = tensors.map(\.byteCount).max() ?? 0
  }

  /// A run whose outputs are kept.
  public init<Scalar: ComputeScalar>(
    running graph: WeightGraph, inputs: ModelInputs, _: Scalar.Type
  ) {
    let memory = ForwardMemory(graph, inputs, Scalar.self)
    self.init(memory.states + memory.stage + memory.outputs, [graph])
  }

  /// Texts that are continued, with all weights in memory.
  ///
  /// - Parameter graphs: the models that continue them: one, or one and its draft.
  public init<Scalar: ComputeScalar>(
    generating count: Int, _ graphs: [WeightGraph], prompt: ModelInputs, _: Scalar.Type
  ) {
    let rows = prompt.arrays.values.map(\.rows).max() ?? 1
    let tokens = (prompt.arrays.values.map(\.elements.count).max() ?? 0) + rows * count
    let computed = graphs.reduce(0) { sum, graph in
      let memory = ForwardMemory(graph, prompt, Scalar.self)
      return sum + memory.states + memory.stage + memory.weights + memory.outputs
        + tokens * memory.perToken
    }
    self.init(computed, graphs)
  }

  /// A comparison with a golden, whose outputs are in memory.
  ///
  /// - Parameters:
  ///   - inputs: those of the golden.
  ///   - outputElements: how many numbers its outputs have.
  public init(_ graph: WeightGraph, goldenWith inputs: ModelInputs, outputElements: Int) {
    let memory = ForwardMemory(graph, inputs, Double.self)
    self.init(memory.states + memory.stage + outputElements * 8, [graph])
    copies = graph.slots.reduce(0) { $0 + (graph.tensor(at: $1.path)?.byteCount ?? 0) }
  }

  private init(_ computed: Int, _ graphs: [WeightGraph]) {
    let headers = graphs.reduce(0) { $0 + $1.slots.count * Self.perWeight }
    fixed = Self.process + computed + headers
    self.graphs = graphs
  }

  /// The most that is needed, in bytes; whole MiB. Smaller slabs need less, and more time.
  public var peak: Int {
    let reading = graphs.reduce(0) { $0 + ($1.readingMemory) }
    let target = largestTarget.map { min($0, Slab.size) + (2 << 20) } ?? 0
    return (fixed + reading + target + 0xFFFFF) & ~0xFFFFF
  }

  /// What looking for the cause of a difference takes beside that: strips of two weights, and a number
  /// with its place for each row and column.
  private var explaining: Int {
    let lines = graphs.flatMap(\.slots).map { slot in
      let rows = max(1, slot.shape.first ?? 1)
      return rows + slot.parameterCount / rows
    }
    return (24 << 20) + 200 * (lines.max() ?? 0) + copies
  }

  /// Keeps a cap, by smaller slabs if need be.
  ///
  /// - Returns: whether there is also room to look for the cause of a difference.
  /// - Throws: `CheckpointError` that names the smallest cap with which it would work.
  @discardableResult
  public func keep(_ cap: Int?) throws(CheckpointError) -> Bool {
    guard let cap else { return true }
    if peak > cap { Slab.size = Slab.minimumSize }
    guard peak <= cap else { throw MemoryUse.tooSmall(cap, peak) }
    return peak + explaining <= cap
  }
}

extension WeightGraph {
  /// The most that reading a weight takes beside the weight.
  var readingMemory: Int {
    (2 << 20) + (slots.compactMap { tensor(at: $0.path)?.bytes.workingMemory }.max() ?? 0)
  }
}
