public import Kernels
public import Models
import TensorCore

extension XLNet {
  public func stages<Scalar: ComputeScalar>(_: Scalar.Type) -> [Stage<Scalar>] {
    [embeddings()] + (0..<layers).map(block) + headStages()
  }

  /// What words become, the vectors of all distances, and where something is to be predicted, the second stream.
  private func embeddings<Scalar>() -> Stage<Scalar> {
    Stage("embeddings", outputs: hiddenOutputs(0), work: work) { scope throws(CheckpointError) in
      let scope = scope.module("embeddings", .embedding)
      let word = scope.module("word", .embedding)
        .rows("weight", [vocabulary, width], .embedding)
      let unknown = try scope.module("unknown", .embedding)
        .weight("weight", [width], .embedding)
      return { states throws(CheckpointError) in
        let x = try word(states.inputs.required("input_ids"))  // [batch, length, width]
        states["hidden"] = x
        states["result"] = x
        if let targets = states.inputs.optionalNumbers(Self.targets, as: Scalar.self) {
          let (batch, count) = (targets.shape[0], targets.shape[1])
          let stream = NDArray<Scalar>(
            shape: [batch, count, width],
            elements: (0..<batch * count).flatMap { _ in unknown.elements })
          states["predicting"] = stream
          states["result"] = stream
        }
        states["distances"] = distanceVectors(
          states.inputs, behind: earlier(0, states)?.shape[1] ?? 0)
      }
    }
  }

  /// The sines and cosines of the distances from the last query to the first key on:
  /// `[batch or 1, queries + keys − 1, width]`.
  private func distanceVectors<Scalar: ComputeScalar>(
    _ inputs: ModelInputs, behind memory: Int
  ) -> NDArray<Scalar> {
    let ids = inputs.required("input_ids")
    let keys = ids.width + memory
    let distances = (1 - keys..<ids.width).map { distance in
      longest.map { min(max(-distance, -$0), $0) } ?? -distance
    }
    let rows =
      hasBackwardHalf
      ? (0..<ids.rows).map { 2 * $0 < ids.rows ? distances : distances.map { -$0 } } : [distances]
    return Sinusoids(width: width, spacing: .open)(
      NDArray(shape: [rows.count, distances.count], elements: rows.flatMap(\.self)),
      of: Scalar.self)
  }

  /// Post-normalisation: `x = norm(x + f(x))` for attention, then for the feed-forward network; the same for both
  /// streams, both of which see the first as it was before.
  private func block<Scalar>(_ layer: Int) -> Stage<Scalar> {
    let remembered =
      memory.map { _ in [StageOutput.hidden(layer, from: "memory", named: "mems")] } ?? []
    return Stage("encoder.blocks.\(layer)", outputs: hiddenOutputs(layer + 1) + remembered) {
      scope throws(CheckpointError) in
      let block = try XLNetBlock(
        scope.module("encoder", .sequence).module("blocks", .sequence).module("\(layer)", .block),
        self)
      return { states throws(CheckpointError) in
        let (x, inputs) = (states["hidden"], states.inputs)
        let earlier = earlier(layer, states)
        let source = earlier.map { join([$0, x], axis: 1) } ?? x
        if let memory {
          let kept = memory.kept(x, behind: earlier)
          states["memory"] = permute(kept, [1, 0, 2])
          states[kept: Self.memories(layer)] = kept.withoutReread
        }
        let count = earlier?.shape[1] ?? 0
        let (distances, differs) = (states["distances"], differingTypes(inputs, behind: count))
        func attending(
          _ x: NDArray<Scalar>, seesItself: Bool, adding addend: NDArray<Scalar>?
        ) -> NDArray<Scalar> {
          block.attention(
            x, over: source, distances: distances, differs: differs,
            allowed: allowedKeys(inputs, behind: count, seesItself: seesItself), adding: addend)
        }
        if let targets = inputs.optionalNumbers(Self.targets, as: Scalar.self) {
          // [batch, predictions, length]: each position's query, and what is made of its answer.
          let own = states["predicting"]
          let queries = batchedProduct(permute(targets, [0, 2, 1]), own)
          let answers = attending(queries, seesItself: false, adding: nil)
          states["predicting"] = block.finish(add(own, batchedProduct(targets, answers)))
          states["result"] = states["predicting"]
        }
        states["hidden"] = block.finish(attending(x, seesItself: true, adding: x))
        if inputs.numbers[Self.targets] == nil { states["result"] = states["hidden"] }
      }
    }
  }

  /// What a block remembers, given with the inputs or kept of the last step: `[batch, memory, width]`.
  private func earlier<Scalar>(_ layer: Int, _ states: States<Scalar>) -> NDArray<Scalar>? {
    states.inputs.optionalNumbers(Self.memories(layer), as: Scalar.self)
      .map { permute($0, [1, 0, 2]) } ?? states[kept: Self.memories(layer)]
  }

  /// Hidden state `index` of the first stream; the last one of the second, if there is one, is the base model's output.
  private func hiddenOutputs(_ index: Int) -> [StageOutput] {
    let hidden = StageOutput.hidden(index, from: "hidden")
    guard task == .base && index == layers else { return [hidden] }
    return [hidden, .final("last_hidden_state", from: "result")]
  }

  private var work: @Sendable (ModelInputs) -> StageWork {
    { inputs in
      var work = StageWork.positions(of: "input_ids", in: inputs)
      let keys = work.length + (inputs.numbers[Self.memories(0)]?.shape.first ?? 0)
      // While a block runs, there are several numbers for each pair of positions.
      work.leaves = work.positions * 6 * heads * keys + (work.length + keys) * width
      return work
    }
  }
}

/// A block with its weights.
private struct XLNetBlock<Scalar: ComputeScalar> {
  let attention: RelativeAttention<Scalar>
  private let attentionNorm: Norm<Scalar>
  private let feedForward: FeedForward<Scalar>
  private let feedForwardNorm: Norm<Scalar>

  init(_ scope: WeightScope<Scalar>, _ model: XLNet) throws(CheckpointError) {
    attention = try RelativeAttention(
      scope.module("attention", .attention), width: model.width,
      shape: AttentionShape(heads: model.heads, headSize: model.headSize), comparesKinds: true)
    attentionNorm = try Norm(scope, "attention_norm", model.norm, width: model.width)
    feedForward = try FeedForward(
      scope.module("feed_forward", .feedForward), width: model.width,
      hidden: model.feedForwardWidth, activation: model.activation)
    feedForwardNorm = try Norm(scope, "feed_forward_norm", model.norm, width: model.width)
  }

  /// What becomes of a stream and what attention added to it.
  func finish(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
    let y = attentionNorm(x)
    return feedForwardNorm(feedForward(y, adding: y))
  }
}

extension MemoryForm {
  /// What is remembered of a text as a block reads it: `[batch, positions, width]`.
  ///
  /// - Parameter earlier: `[batch, memory, width]`, what was remembered before.
  fileprivate func kept<Scalar: ComputeScalar>(
    _ x: NDArray<Scalar>, behind earlier: NDArray<Scalar>?
  ) -> NDArray<Scalar> {
    let own = reused.map { positions(0..<min($0, x.shape[1]), of: x) } ?? x
    let all = earlier.map { join([$0, own], axis: 1) } ?? own
    let count = all.shape[1]
    return positions(count - min(length ?? count, count)..<count, of: all)
  }

  private func positions<Scalar: ComputeScalar>(
    _ range: Range<Int>, of x: NDArray<Scalar>
  ) -> NDArray<Scalar> {
    split(x, axis: 1, sizes: [range.lowerBound, range.count, x.shape[1] - range.upperBound])[1]
  }
}
