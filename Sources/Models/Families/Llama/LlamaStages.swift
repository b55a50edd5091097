public import Kernels
import TensorCore

extension Llama {
  public func stages<Scalar: ComputeScalar>(_: Scalar.Type) -> [Stage<Scalar>] {
    [embeddings()] + (0..<layers).map(block) + [norm()] + headStages()
  }

  /// The words' vectors, and for all blocks the angles of the positions.
  private func embeddings<Scalar>() -> Stage<Scalar> {
    Stage(
      "embeddings", outputs: hiddenOutputs(0),
      work: { [rotary] inputs in
        var work = StageWork.positions(of: "input_ids", in: inputs)
        work.leaves = work.positions * rotary.turned
        return work
      }
    ) { scope throws(CheckpointError) in
      let word = scope.module("embeddings", .embedding).module("word", .embedding)
        .rows("weight", [vocabulary, width], .embedding)
      return { states throws(CheckpointError) in
        states["hidden"] = try word(states.inputs.required("input_ids"))  // [batch, length, width]
        let positions = states.inputs.required("position_ids")
        let frequencies = rotary.frequencies(length: (positions.elements.max() ?? 0) + 1)
        states["rotary"] = rotaryTable(
          positions: positions, frequencies: frequencies, of: Scalar.self)
      }
    }
  }

  /// Hidden state `index` before the last normalisation. That of the last block is not given.
  private func hiddenOutputs(_ index: Int) -> [StageOutput] {
    index < layers ? [.hidden(index, from: "hidden")] : []
  }

  /// Pre-normalisation: `x = x + f(norm(x))` for attention, then for the feed-forward network.
  private func block<Scalar>(_ layer: Int) -> Stage<Scalar> {
    Stage("decoder.blocks.\(layer)", outputs: hiddenOutputs(layer + 1)) {
      scope throws(CheckpointError) in
      let scope = scope.module("decoder", .sequence).module("blocks", .sequence)
        .module("\(layer)", .block)
      let attentionNorm = try norm(scope, "attention_norm")
      let attention = try attention(scope)
      let feedForwardNorm = try norm(scope, "feed_forward_norm")
      let feedForward = try FeedForward(
        scope.module("feed_forward", .feedForward), width: width, hidden: feedForwardWidth,
        activation: activation, isGated: true, bias: variant.feedForwardBias)
      return { states throws(CheckpointError) in
        let keys = KeyPlan.causal(
          allowed: states.inputs.mask("attention_mask"), window: variant.windows[layer],
          firstQuery: states.firstPosition)
        var x = states["hidden"]
        x = attention(
          attentionNorm(x), keys: keys, rotary: states["rotary"], adding: x, &states)
        x = feedForward(feedForwardNorm(x), adding: x)
        states["hidden"] = x
      }
    }
  }

  private func attention<Scalar>(
    _ scope: WeightScope<Scalar>
  ) throws(CheckpointError) -> Attention<Scalar> {
    try Attention(
      scope.module("attention", .attention), width: width,
      shape: AttentionShape(
        heads: heads, keyHeads: keyHeads, headSize: headSize,
        rotary: RotaryPart(.halves, size: rotary.turned)),
      bias: variant.inputBias, outputBias: variant.outputBias,
      norm: variant.hasHeadNorms ? QueryKeyNorm(.heads, epsilon: epsilon) : nil)
  }

  /// The normalisation after the last block.
  private func norm<Scalar>() -> Stage<Scalar> {
    var outputs: [StageOutput] = [.hidden(layers, from: "hidden")]
    if task == .base { outputs.append(.final("last_hidden_state", from: "hidden")) }
    return Stage("decoder.norm", outputs: outputs) { scope throws(CheckpointError) in
      let norm = try norm(scope.module("decoder", .sequence), "norm")
      return { states throws(CheckpointError) in
        states["hidden"] = norm(states["hidden"])
        states.remove("rotary")
      }
    }
  }

  private func norm<Scalar>(
    _ scope: WeightScope<Scalar>, _ name: String
  ) throws(CheckpointError) -> RMSNorm<Scalar> {
    try RMSNorm(scope.module(name, .rmsNorm), width: width, epsilon: epsilon)
  }
}
