import Kernels
import Models
import TensorCore

extension Stack {
  /// The state that has the biases of all blocks.
  fileprivate var bias: String { rawValue + "_bias" }
  /// The state that has those for sums of the text.
  fileprivate var globalBias: String { rawValue + "_global_bias" }
}

extension T5Architecture {
  /// The stages of a stack, from ids to normalised states.
  func stages<Scalar: ComputeScalar>(of stack: Stack) -> [Stage<Scalar>] {
    let layers = stack == .encoder ? encoderLayers : decoderLayers
    return [embeddings(stack)] + (0..<layers).map { block($0, stack) } + [norm(stack)]
  }

  /// Hidden state `index` of a stack, unless it is not the last block's, which is not given.
  private func hiddenOutputs(_ index: Int, _ stack: Stack) -> [StageOutput] {
    let layers = stack == .encoder ? encoderLayers : decoderLayers
    return index < layers ? [hiddenOutput(index, stack)] : []
  }

  private func hiddenOutput(_ index: Int, _ stack: Stack) -> StageOutput {
    let name = task.hasDecoder ? stack.rawValue + "_hidden_states" : "hidden_states"
    return .hidden(index, from: stack.state, named: name)
  }

  /// The words' vectors, which both stacks share, and the stack's relative biases for all its blocks, unless each
  /// has its own.
  private func embeddings<Scalar>(_ stack: Stack) -> Stage<Scalar> {
    Stage(
      "\(stack.rawValue).embeddings", outputs: hiddenOutputs(0, stack),
      runsOnce: stack == .encoder,
      work: { [heads] inputs in
        var work = stack.work()(inputs)
        guard !Member.hasBiasInEachLayer else { return work }
        // A bias for each distance between two positions, in both directions.
        work.leaves = heads * 2 * work.length
        return work
      }
    ) { scope throws(CheckpointError) in
      let word = words(scope, stack)
      let module = scope.module(stack.rawValue, .sequence)
      let bias = Member.hasBiasInEachLayer ? nil : try relativeBias(module, stack)
      let blockwise = stack == .encoder ? blockwise : nil
      let globalBias = try blockwise?.globalBlock.map { _ throws(CheckpointError) in
        try relativeBias(module, stack, named: "global_relative_bias")
      }
      if stack == .decoder && !Member.hasBiasInEachLayer {
        // Early models were trained with a table for the cross-attention too; nothing reads it.
        _ = module.module("unused_cross_relative_bias", .embedding, isUnused: true)
          .rows("weight", [buckets, heads], .embedding, origin: .passenger)
      }
      return { states throws(CheckpointError) in
        let ids = states.inputs.required(stack.ids)
        states[stack.state] = try word(ids)  // [batch, length, width]
        if let bias, let blockwise {
          let (keys, sums) = (2 * blockwise.block, ids.width / (blockwise.globalBlock ?? 1))
          states[stack.bias] = bias(queries: keys, keys: keys, firstQuery: 0)
          if let globalBias {
            states[stack.globalBias] = globalBias(queries: sums + 1, keys: sums + 1, firstQuery: 0)
          }
        } else if let bias {
          states[stack.bias] = distances(bias, stack, queries: ids.width, states)
        }
      }
    }
  }

  /// The table of words: one for both stacks, or one for each, beside which nothing reads the common one.
  private func words<Scalar>(_ scope: WeightScope<Scalar>, _ stack: Stack) -> WeightRows<Scalar> {
    func table(_ scope: WeightScope<Scalar>, isUnused: Bool) -> WeightRows<Scalar> {
      scope.module("embeddings", .embedding).module("word", .embedding, isUnused: isUnused)
        .rows(
          "weight", [vocabulary, width], .embedding, origin: isUnused ? .passenger : nil)
    }
    guard hasTableInEachStack else { return table(scope, isUnused: false) }
    if stack == .encoder { _ = table(scope, isUnused: true) }
    return table(scope.module(stack.rawValue, .sequence), isUnused: false)
  }

  private func relativeBias<Scalar>(
    _ scope: WeightScope<Scalar>, _ stack: Stack, named name: String = "relative_bias"
  ) throws(CheckpointError) -> RelativeBias<Scalar> {
    try RelativeBias(
      scope.module(name, .embedding), buckets: buckets, heads: heads,
      maxDistance: maxDistance, isBidirectional: stack == .encoder)
  }

  /// The bias of each distance between the queries of the present inputs and all keys: `[heads, distance]`.
  private func distances<Scalar>(
    _ bias: RelativeBias<Scalar>, _ stack: Stack, queries: Int, _ states: States<Scalar>
  ) -> NDArray<Scalar> {
    let first = stack == .decoder ? states.firstPosition : 0
    return bias(queries: queries, keys: first + queries, firstQuery: first)
  }

  /// Pre-normalisation: `x = x + f(norm(x))` for attention, in the decoder for attention to the
  /// encoder's states, and for the feed-forward network. Scores are not divided by the root of the
  /// head size.
  private func block<Scalar>(_ layer: Int, _ stack: Stack) -> Stage<Scalar> {
    Stage(
      "\(stack.rawValue).blocks.\(layer)", outputs: hiddenOutputs(layer + 1, stack),
      runsOnce: stack == .encoder, work: stack.work(seesEncoder: true)
    ) { scope throws(CheckpointError) in
      let scope = scope.module(stack.rawValue, .sequence).module("blocks", .sequence)
        .module("\(layer)", .block)
      let attentionNorm = try norm(scope, "attention_norm")
      let attention = try selfAttention(scope, stack)
      let ownBias = Member.hasBiasInEachLayer ? try relativeBias(scope, stack) : nil
      let isDecoder = stack == .decoder
      let crossNorm = isDecoder ? try norm(scope, "cross_attention_norm") : nil
      let cross = isDecoder ? try self.attention(scope, "cross_attention", isCross: true) : nil
      let feedForwardNorm = try norm(scope, "feed_forward_norm")
      let feedForward = try feeding(layer, stack).load(scope, width: width)
      return { states throws(CheckpointError) in
        var x = states[stack.state]
        let bias =
          ownBias.map { distances($0, stack, queries: x.shape[1], states) } ?? states[stack.bias]
        x = attention(attentionNorm(x), bias, addedTo: x, &states)
        if let cross, let crossNorm {
          let keys = KeyPlan(allowed: states.inputs.mask(Stack.encoder.mask))
          let source = states[Stack.encoder.state]
          x = cross(crossNorm(x), over: source, keys: keys, adding: x, &states)
        }
        x = try feedForward(feedForwardNorm(x), adding: x)
        states[stack.state] = x
      }
    }
  }

  /// What a block feeds its positions through.
  private func feeding(_ layer: Int, _ stack: Stack) -> FeedingForm {
    if let sparse, sparse.has(layer, of: stack) { return .experts(sparse.experts) }
    return .network(
      FeedForwardForm(
        hidden: feedForwardWidth, activation: activation, isGated: isGated, hasBias: false))
  }

  /// The normalisation after a stack's last block.
  private func norm<Scalar>(_ stack: Stack) -> Stage<Scalar> {
    let layers = stack == .encoder ? encoderLayers : decoderLayers
    var outputs = [hiddenOutput(layers, stack)]
    if let name = task.output(of: stack) { outputs.append(.final(name, from: stack.state)) }
    return Stage(
      "\(stack.rawValue).norm", outputs: outputs, runsOnce: stack == .encoder, work: stack.work()
    ) { scope throws(CheckpointError) in
      let norm = try norm(scope.module(stack.rawValue, .sequence), "norm")
      return { states throws(CheckpointError) in
        states[stack.state] = norm(states[stack.state])
        states.remove(stack.bias)
        states.remove(stack.globalBias)
      }
    }
  }

  private func norm<Scalar>(
    _ scope: WeightScope<Scalar>, _ name: String
  ) throws(CheckpointError) -> RMSNorm<Scalar> {
    try RMSNorm(scope.module(name, .rmsNorm), width: width, epsilon: epsilon)
  }

  private func selfAttention<Scalar>(
    _ scope: WeightScope<Scalar>, _ stack: Stack
  ) throws(CheckpointError) -> StackAttention<Scalar> {
    guard stack == .encoder, let blockwise else {
      return .whole(try attention(scope, "attention"), stack)
    }
    return .blockwise(
      try BlockwiseAttention(
        scope.module("attention", .attention), width: width,
        shape: AttentionShape(heads: heads, headSize: headSize, hasHeadBias: true),
        form: blockwise, epsilon: epsilon), stack)
  }

  private func attention<Scalar>(
    _ scope: WeightScope<Scalar>, _ name: String, isCross: Bool = false
  ) throws(CheckpointError) -> Attention<Scalar> {
    try Attention(
      scope.module(name, .attention), width: width,
      shape: AttentionShape(
        heads: heads, headSize: headSize, isCross: isCross, hasHeadBias: !isCross),
      scale: 1, bias: false)
  }
}

/// Attention of a stack to its own text.
private enum StackAttention<Scalar: ComputeScalar> {
  /// To all of it, or what comes before.
  case whole(Attention<Scalar>, Stack)
  /// To what is near, and perhaps sums.
  case blockwise(BlockwiseAttention<Scalar>, Stack)

  /// - Parameters:
  ///   - x: `[batch, length, width]`, normalised.
  ///   - bias: for each distance.
  ///   - stream: what the result is added to.
  func callAsFunction(
    _ x: NDArray<Scalar>, _ bias: NDArray<Scalar>, addedTo stream: NDArray<Scalar>,
    _ states: inout States<Scalar>
  ) -> NDArray<Scalar> {
    switch self {
    case .whole(let attention, let stack):
      let isDecoder = stack == .decoder
      let keys = KeyPlan(
        allowed: states.inputs.mask(stack.mask), after: isDecoder ? 0 : nil,
        firstQuery: isDecoder ? states.firstPosition : 0)
      return attention(
        x, keys: keys, bias: .distances(bias, queries: x.shape[1]), adding: stream, &states)
    case .blockwise(let attention, let stack):
      return attention(
        x, allowed: states.inputs.mask(stack.mask), bias: bias,
        globalBias: states.stateIfSet(stack.globalBias), adding: stream)
    }
  }
}
