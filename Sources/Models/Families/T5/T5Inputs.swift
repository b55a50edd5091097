import Kernels
public import TensorCore

extension T5Architecture {
  public var inputs: [InputSlot] {
    var slots: [InputSlot] = [
      .ids(T5Stack.encoder.ids, below: vocabulary), .mask(T5Stack.encoder.mask),
    ]
    guard task.hasDecoder else { return slots }
    // Its states are taken where `input_ids` has its end tokens.
    let length: InputSlot.Axis = task == .sequenceClassification ? .length : .decoderLength
    slots += [decoderIDs(length), .mask(T5Stack.decoder.mask, over: length)]
    return slots
  }

  private func decoderIDs(_ length: InputSlot.Axis) -> InputSlot {
    let name = T5Stack.decoder.ids
    let axes = [.batch, length]
    guard task.shiftsInputs else { return .ids(name, below: vocabulary, axes: axes) }
    let start = startToken
    return .ids(
      name, below: vocabulary, axes: axes,
      otherwise: "\(name) is missing, and the config has no decoder_start_token_id"
    ) { inputs in
      start.map { shifted(inputs.required(T5Stack.encoder.ids), $0) }
    }
  }

  public func faults(in inputs: ModelInputs) -> [String] {
    guard task == .sequenceClassification else { return [] }
    let counts = Set(endPositions(in: inputs.required(T5Stack.encoder.ids)).map(\.count))
    guard counts.count != 1 || counts.contains(0) else { return [] }
    return [
      "each row of input_ids must have the same number of end tokens (\(endTokens[0])),"
        + " at least one"
    ]
  }

  public var generation: GenerationRules? {
    guard task == .conditionalGeneration else { return nil }
    return GenerationRules(
      ids: T5Stack.decoder.ids, mask: T5Stack.decoder.mask, endTokens: endTokens,
      padToken: padToken,
      longest: nil)
  }

  public func prompt(_ inputs: ModelInputs) throws(CheckpointError) -> ModelInputs {
    guard generation != nil else { return try prepare(inputs) }
    guard let startToken else {
      throw CheckpointError(
        .malformed("the config has no decoder_start_token_id to begin a text with"))
    }
    var inputs = inputs
    if let batch = inputs[T5Stack.encoder.ids]?.shape.first, inputs[T5Stack.decoder.ids] == nil {
      inputs[T5Stack.decoder.ids] = NDArray(shape: [batch, 1], repeating: startToken)
    }
    return try prepare(inputs.starting(with: startToken))
  }

  /// A probe whose rows end where a classifier looks, and whose decoder texts begin as they do.
  public func completing(_ inputs: ModelInputs) -> ModelInputs {
    var inputs = inputs
    if task == .sequenceClassification, var ids = inputs[T5Stack.encoder.ids] {
      let end = endTokens.first ?? 0
      ids.elements = ids.elements.map { $0 == end ? (end + 1) % vocabulary : $0 }
      for row in 0..<ids.rows { ids.elements[(row + 1) * ids.width - 1] = end }
      inputs[T5Stack.encoder.ids] = ids
    }
    if var prefix = inputs[T5Stack.decoder.ids] {
      for row in 0..<prefix.rows { prefix.elements[row * prefix.width] = startToken ?? 0 }
      inputs[T5Stack.decoder.ids] = prefix
    }
    return inputs
  }
}

/// The ids one place to the right, behind `start`.
private func shifted(_ ids: NDArray<Int>, _ start: Int) -> NDArray<Int> {
  NDArray(
    shape: ids.shape, elements: (0..<ids.rows).flatMap { [start] + ids.row($0).dropLast() })
}

extension ModelInputs {
  /// With the start token before every decoder text, unless one begins with it, as in Hugging Face's
  /// `_prepare_decoder_input_ids_for_generation`.
  fileprivate func starting(with token: Int) -> ModelInputs {
    guard let ids = self["decoder_input_ids"], ids.shape.count == 2, ids.width > 0,
      !(0..<ids.rows).contains(where: { ids.elements[$0 * ids.width] == token })
    else { return self }
    var inputs = self
    for (name, first) in [("decoder_input_ids", token), ("decoder_attention_mask", 1)] {
      guard let array = self[name], array.shape == ids.shape else { continue }
      inputs[name] = NDArray(
        shape: [ids.rows, ids.width + 1],
        elements: (0..<ids.rows).flatMap { [first] + array.row($0) })
    }
    return inputs
  }
}
