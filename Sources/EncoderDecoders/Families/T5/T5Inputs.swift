import Kernels
public import Models
public import TensorCore

extension T5Architecture {
  public var inputs: [InputSlot] {
    var slots: [InputSlot] = [
      .ids(Stack.encoder.ids, below: vocabulary), .mask(Stack.encoder.mask),
    ]
    guard task.hasDecoder else { return slots }
    // Its states are taken where `input_ids` has its end tokens.
    let length: InputSlot.Axis = task == .sequenceClassification ? .length : .decoderLength
    slots += [decoderIDs(length), .mask(Stack.decoder.mask, over: length)]
    return slots
  }

  private func decoderIDs(_ length: InputSlot.Axis) -> InputSlot {
    let name = Stack.decoder.ids
    let axes = [.batch, length]
    guard task.shiftsInputs else { return .ids(name, below: vocabulary, axes: axes) }
    let start = startToken
    return .ids(
      name, below: vocabulary, axes: axes,
      otherwise: "\(name) is missing, and the config has no decoder_start_token_id"
    ) { inputs in
      Shift.behind(start).shifted(inputs.required(Stack.encoder.ids))
    }
  }

  public func faults(in inputs: ModelInputs) -> [String] {
    guard task == .sequenceClassification else { return [] }
    return EndTokens(endTokens).faults(in: inputs)
  }

  public var generation: GenerationRules? {
    guard task == .conditionalGeneration else { return nil }
    return GenerationRules(
      ids: Stack.decoder.ids, mask: Stack.decoder.mask, endTokens: endTokens,
      padToken: padToken, longest: nil, singleSteps: singleSteps)
  }

  /// Experts of the decoder take so many of the tokens that a step computes, and no more.
  private var singleSteps: String? {
    guard let sparse, sparse.count(of: decoderLayers, in: .decoder) > 0 else { return nil }
    return "experts that take so many tokens of a step (expert_capacity)"
  }

  public func prompt(_ inputs: ModelInputs) throws(CheckpointError) -> ModelInputs {
    guard generation != nil else { return try prepare(inputs) }
    return try prepare(inputs.prompting(with: startToken))
  }

  /// A probe whose rows end where a classifier looks, and whose decoder texts begin as they do.
  public func completing(_ inputs: ModelInputs) -> ModelInputs {
    var inputs = inputs
    if task == .sequenceClassification {
      EndTokens(endTokens).end(&inputs, vocabulary: vocabulary)
    }
    inputs.beginDecoder(with: startToken ?? 0, of: self.inputs)
    return inputs
  }
}
