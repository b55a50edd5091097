public import Kernels
public import Models
public import TensorCore

extension EncoderDecoderPair {
  public func stages<Scalar: ComputeScalar>(_: Scalar.Type) -> [Stage<Scalar>] {
    guard let encoder, let decoder else { return [] }
    let reading: [Stage<Scalar>] = encoder.stages(Scalar.self)
    let writing: [Stage<Scalar>] = decoder.stages(Scalar.self)
    let isLast = { (stage: Stage<Scalar>) in stage.outputs.contains { $0.name == Self.states } }
    let count = reading.lastIndex(where: isLast).map { $0 + 1 } ?? reading.count
    let last = reading.prefix(count).last?.outputs.first { $0.name == Self.states }
    return reading.prefix(count).map { stage in
      stage.inside(Stack.encoder.rawValue, rename: Self.encoderOutput).onlyOnce
    } + reading.dropFirst(count).map { $0.unread(inside: Stack.encoder.rawValue) }
      + [bridge(from: last?.state ?? "hidden", encoder, decoder)]
      + writing.map { stage in
        stage.inside(
          Stack.decoder.rawValue, rename: Self.decoderOutput, inputs: Self.decoderInputs
        ).working { inputs, own in
          let seen = Stack.decoder.work(seesEncoder: true)(inputs)
          var work = own
          work.positions = max(own.positions, seen.positions)
          work.length = max(own.length, seen.length)
          return work
        }
      }
  }

  /// What a model gives that is an encoder's.
  private static var states: String { "last_hidden_state" }

  private static func encoderOutput(_ output: StageOutput) -> String? {
    output.name == states || output.isHiddenState ? "encoder_" + output.name : nil
  }

  private static func decoderOutput(_ output: StageOutput) -> String? {
    output.isHiddenState ? "decoder_" + output.name : output.name
  }

  /// The decoder's inputs among those of the pair.
  private static func decoderInputs(_ inputs: ModelInputs) -> ModelInputs {
    var own = inputs.ofDecoder(named: decoderPrefix)
    own[InputSlot.encoderMask] = inputs[Stack.encoder.mask]
    return own
  }

  private static var decoderPrefix: String { Stack.decoder.rawValue + "_" }

  /// The encoder's states as those that the decoder looks at: a linear layer stands between them where they are not as
  /// wide as the decoder's.
  private func bridge<Scalar: ComputeScalar>(
    from state: String, _ encoder: any Architecture, _ decoder: any Architecture
  ) -> Stage<Scalar> {
    let source = Stack.encoder.rawValue + "." + state
    let target = Stack.decoder.rawValue + "." + InputSlot.encoderStates
    let (input, output) = (encoder.hiddenWidth ?? 0, decoder.hiddenWidth ?? 0)
    return Stage("projection", runsOnce: true, work: Stack.encoder.work()) {
      scope throws(CheckpointError) in
      let projection =
        input == output
        ? nil : try Linear(scope.module("projection", .linear), in: input, out: output)
      return { states throws(CheckpointError) in
        states[target] = projection.map { $0(states[source]) } ?? states[source]
      }
    }
  }

  public var inputs: [InputSlot] {
    let given = [InputSlot.encoderStates, InputSlot.encoderMask]
    return (encoder?.inputs ?? [])
      + (decoder?.inputs ?? []).filter { !given.contains($0.name) }
      .map { $0.ofDecoder(named: Self.decoderPrefix) }
  }

  public func faults(in inputs: ModelInputs) -> [String] {
    (encoder?.faults(in: inputs) ?? [])
      + (decoder?.faults(in: Self.decoderInputs(inputs)) ?? [])
  }

  public func completing(_ inputs: ModelInputs) -> ModelInputs {
    var inputs = inputs
    if let startToken { inputs.beginDecoder(with: startToken, of: self.inputs) }
    return inputs
  }

  public var generation: GenerationRules? {
    guard let decoder else { return nil }
    return GenerationRules(
      ids: Stack.decoder.ids, mask: Stack.decoder.mask,
      positions: Self.decoderPrefix + "position_ids", types: Self.decoderPrefix + "token_type_ids",
      scores: Stack.decoder.rawValue + ".logits",
      endTokens: endTokens, padToken: padToken,
      longest: decoder.inputs.lazy.compactMap(\.positionCount).first, limits: limits)
  }

  public func prompt(_ inputs: ModelInputs) throws(CheckpointError) -> ModelInputs {
    try prepare(inputs.prompting(with: startToken))
  }
}
