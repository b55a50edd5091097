import Kernels
public import TensorCore

extension T5 {
  public func prepare(_ inputs: ModelInputs) throws(CheckpointError) -> ModelInputs {
    var known = [Stack.encoder.ids, Stack.encoder.mask]
    if task.hasDecoder { known += [Stack.decoder.ids, Stack.decoder.mask] }
    var reader = InputReader(inputs, known: known)
    let shape = reader.ids(Stack.encoder.ids, below: vocabulary)
    if let shape { reader.companion(Stack.encoder.mask, shape: shape, below: .max) }
    if task.hasDecoder { prepareDecoder(&reader, encoder: shape) }
    if task == .sequenceClassification, let shape { checkEndTokens(&reader, shape) }
    return try reader.checked()
  }

  private func prepareDecoder(_ reader: inout InputReader, encoder: [Int]?) {
    let name = Stack.decoder.ids
    if task.shiftsInputs, reader.inputs[name] == nil {
      guard let encoder else { return }
      guard let startToken else {
        return reader.reject("\(name) is missing, and the config has no decoder_start_token_id")
      }
      reader.fill(name, with: shifted(reader.inputs.required(Stack.encoder.ids), startToken))
      reader.array(name, shape: encoder, below: vocabulary)
    }
    guard let shape = reader.ids(name, below: vocabulary) else { return }
    reader.companion(Stack.decoder.mask, shape: shape, below: .max)
    if let encoder, shape[0] != encoder[0] {
      reader.reject("\(name) has \(shape[0]) rows, input_ids \(encoder[0])")
    }
  }

  /// The ids one place to the right, behind `start`.
  private func shifted(_ ids: NDArray<Int>, _ start: Int) -> NDArray<Int> {
    NDArray(
      shape: ids.shape, elements: (0..<ids.rows).flatMap { [start] + ids.row($0).dropLast() })
  }

  /// The decoder's states are taken where `input_ids` has its end tokens.
  private func checkEndTokens(_ reader: inout InputReader, _ shape: [Int]) {
    guard let ids = reader.inputs[Stack.decoder.ids] else { return }
    if ids.shape != shape {
      reader.reject(
        "decoder_input_ids is \(describe(shape: ids.shape)), must be \(describe(shape: shape)),"
          + " like input_ids")
    }
    let counts = Set(endPositions(in: reader.inputs.required(Stack.encoder.ids)).map(\.count))
    if counts.count != 1 || counts.contains(0) {
      reader.reject(
        "each row of input_ids must have the same number of end tokens (\(endTokens[0])),"
          + " at least one")
    }
  }

  public var generation: GenerationRules? {
    guard task == .conditionalGeneration else { return nil }
    return GenerationRules(
      ids: Stack.decoder.ids, mask: Stack.decoder.mask, endTokens: endTokens, padToken: padToken,
      longest: nil)
  }

  public func prompt(_ inputs: ModelInputs) throws(CheckpointError) -> ModelInputs {
    guard generation != nil else { return try prepare(inputs) }
    guard let startToken else {
      throw CheckpointError(
        .malformed("the config has no decoder_start_token_id to begin a text with"))
    }
    var inputs = inputs
    if let batch = inputs[Stack.encoder.ids]?.shape.first, inputs[Stack.decoder.ids] == nil {
      inputs[Stack.decoder.ids] = NDArray(shape: [batch, 1], repeating: startToken)
    }
    return try prepare(inputs.starting(with: startToken))
  }

  public func sample(batch: Int, length: Int, decoderLength: Int) -> ModelInputs {
    var maker = ProbeMaker()
    var inputs = ModelInputs([
      Stack.encoder.ids: maker.ids(batch: batch, length: length, below: vocabulary)
    ])
    if task.hasDecoder {
      let length = task == .sequenceClassification ? length : decoderLength
      inputs[Stack.decoder.ids] = maker.ids(batch: batch, length: length, below: vocabulary)
    }
    return inputs
  }

  public func probe(longest: Int) -> ModelInputs {
    var maker = ProbeMaker()
    let (batch, length) = (2, longest)
    var ids = maker.ids(batch: batch, length: length, below: vocabulary)
    let end = endTokens.first ?? 0
    if task == .sequenceClassification {
      ids.elements = ids.elements.map { $0 == end ? (end + 1) % vocabulary : $0 }
      for row in 0..<batch { ids.elements[(row + 1) * length - 1] = end }
    }
    var inputs = ModelInputs([
      Stack.encoder.ids: ids, Stack.encoder.mask: maker.mask(batch: batch, length: length),
    ])
    if task.hasDecoder {
      // Long enough for every bucket; a classifier reads as many as the encoder has.
      let length = task == .sequenceClassification ? length : length / 2
      var prefix = maker.ids(batch: batch, length: length, below: vocabulary)
      for row in 0..<batch { prefix.elements[row * length] = startToken ?? 0 }
      inputs[Stack.decoder.ids] = prefix
    }
    return inputs
  }
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
