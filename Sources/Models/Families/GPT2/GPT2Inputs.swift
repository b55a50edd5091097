import Kernels
public import TensorCore

extension GPT2 {
  public func prepare(_ inputs: ModelInputs) throws(CheckpointError) -> ModelInputs {
    var known = ["input_ids", "attention_mask", "token_type_ids", "position_ids"]
    if task == .doubleHeads { known.append("mc_token_ids") }
    var reader = InputReader(inputs, known: known)
    let outer = inputs["input_ids"]?.shape.dropLast() ?? []
    let choices: InputReader.Choices = task == .doubleHeads ? .optional : .no
    if let shape = reader.ids("input_ids", below: vocabulary, choices: choices) {
      reader.companion("attention_mask", shape: shape, below: .max)
      reader.companion("token_type_ids", shape: shape, below: vocabulary)
      reader.positions("position_ids", shape: shape, below: positions)
      if task == .doubleHeads {
        reader.fill("mc_token_ids", shape: Array(outer), with: shape[1] - 1)
        reader.array("mc_token_ids", shape: Array(outer), below: shape[1])
      }
      if task == .sequenceClassification && padToken == nil && shape[0] > 1 {
        reader.reject(
          "the config has no pad_token_id, without which only one row can be classified at a time")
      }
    }
    return try reader.checked()
  }

  public var generation: GenerationRules? {
    guard task == .languageModel else { return nil }
    return GenerationRules(
      ids: "input_ids", mask: "attention_mask", endTokens: endTokens, padToken: padToken,
      longest: positions)
  }

  public func prompt(_ inputs: ModelInputs) throws(CheckpointError) -> ModelInputs {
    var inputs = inputs
    if let generation {
      inputs.fillMask("attention_mask", for: "input_ids", generation)
      inputs.fillPositions(for: "input_ids", mask: "attention_mask")
    }
    return try prepare(inputs)
  }

  public func probe(longest: Int) -> ModelInputs {
    var maker = ProbeMaker()
    let needsOneRow = task == .sequenceClassification && padToken == nil
    let (batch, length) = (needsOneRow ? 1 : 2, min(longest, positions))
    var inputs = ModelInputs([
      "input_ids": maker.ids(batch: batch, length: length, below: vocabulary),
      "attention_mask": maker.mask(batch: batch, length: length),
    ])
    if task == .doubleHeads {
      for (name, array) in inputs.arrays { inputs[name] = array.reshaped([1, batch, length]) }
    }
    return inputs
  }

  public func sample(batch: Int, length: Int, decoderLength: Int) -> ModelInputs {
    var maker = ProbeMaker()
    let ids = maker.ids(batch: batch, length: length, below: vocabulary)
    return ModelInputs([
      "input_ids": task == .doubleHeads ? ids.reshaped([1, batch, length]) : ids
    ])
  }
}
