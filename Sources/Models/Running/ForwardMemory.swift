public import Kernels
import TensorCore

/// The most memory that running a model takes, in bytes, as far as shapes tell it.
public struct ForwardMemory: Sendable {
  /// What stays from stage to stage: the states, and what is in them for all layers.
  public private(set) var states = 0
  /// What the largest stage takes while it runs: its weights, and what it computes.
  public private(set) var stage = 0
  /// What all outputs take, hidden states included.
  public private(set) var outputs = 0
  /// What all weights take, with those that are otherwise read by rows.
  public private(set) var weights = 0
  /// What keys and values of a token take in all layers, and whatever else is computed for it.
  public private(set) var perToken = 0

  /// Estimates a pass of `graph` over `inputs`, generously.
  public init<Scalar: ComputeScalar>(_ graph: WeightGraph, _ inputs: ModelInputs, _: Scalar.Type) {
    let size = MemoryLayout<Scalar>.size
    let stages = graph.stages(Scalar.self).map { stage in
      (shapes: Shapes(stage, slots: stage.declared.slots), work: stage.work(inputs))
    }
    let width = stages.map(\.shapes.stream).max() ?? 0
    let most = stages.map(\.work.positions).max() ?? 0
    let numbers = inputs.numbers.values.reduce(0) { $0 + $1.elements.count }
    for (shapes, work) in stages {
      let tokens = work.positions
      // The stream before and after, and two steps in between.
      let computed = 4 * max(width, shapes.stream) + shapes.made
      let block = shapes.words == 0 ? 0 : VocabularyProduct<Scalar>.wordsPerBlock
      let scores = block * shapes.width + 2 * tokens * block
      let tiles = Parallel.workers * AttentionTile.queries * min(work.length, AttentionTile.keys)
      stage = max(stage, size * (shapes.weights + tokens * computed + scores + tiles))
      let widest = max(shapes.words, shapes.width, width)
      outputs += size * max(tokens * shapes.outputCount * widest, work.gives)
      weights += size * (shapes.weights + shapes.tables)
      perToken += size * computed
    }
    // The streams of two stacks, and what stages leave beside them.
    states = size * (3 * most * width + stages.reduce(0) { $0 + $1.work.leaves })
    // As they were read, and in the type of the pass.
    states += numbers * (MemoryLayout<Double>.size + size)
  }

  /// What a stage declares, as numbers of elements.
  private struct Shapes {
    /// Weights that it has in memory.
    var weights = 0
    /// Weights that it reads by rows, or only while a module is used.
    var tables = 0
    /// The width of what it reads.
    var width = 0
    /// The width of what is normalised or looked up: what goes from stage to stage.
    var stream = 0
    /// What a module's linear layers make of a token, and what its activation makes of the widest.
    var made = 0
    /// The words of the vocabulary over which it has scores.
    var words = 0
    var outputCount = 0

    init<Scalar>(_ stage: Stage<Scalar>, slots: [WeightSlot]) {
      outputCount = stage.outputs.count
      var modules: [Substring: (sum: Int, largest: Int)] = [:]
      var deferred: [String: Int] = [:]
      for slot in slots where !slot.isUnused {
        if slot.role != .linear && slot.role != .bias { stream = max(stream, slot.shape.last ?? 0) }
        let last = slot.shape.last ?? 1
        width = max(width, slot.shape.count > 1 ? last : 0)
        if !slot.isReadByRows {
          if let module = slot.deferral {
            deferred[module, default: 0] += slot.parameterCount
          } else {
            weights += slot.parameterCount
          }
          guard slot.role == .linear else { continue }
          let module = modules[slot.module, default: (0, 0)]
          let size = slot.shape[0]
          modules[slot.module] = (module.sum + size, max(module.largest, size))
          continue
        }
        tables += slot.parameterCount
        if slot.role == .linear { words = max(words, slot.shape[0]) } else { made += 2 * last }
      }
      made += modules.values.map { $0.sum + $0.largest }.max() ?? 0
      guard let largest = deferred.values.max() else { return }
      // One of those modules at a time is in memory, with its share of the positions: at most all of them,
      // once as it reads them, once as it gives them, and once summed up.
      weights += largest
      tables += deferred.values.reduce(0, +) - largest
      made += 3 * stream
    }
  }
}

extension WeightSlot {
  /// The path without the weight and its layer: what is computed in one module is in memory together.
  fileprivate var module: Substring {
    let layer = path.lastIndex(of: ".").map { path[..<$0] } ?? path[...]
    return layer.lastIndex(of: ".").map { layer[..<$0] } ?? layer
  }
}
