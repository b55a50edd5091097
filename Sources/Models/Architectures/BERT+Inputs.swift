import Kernels
public import TensorCore

extension BERT {
  public func prepare(_ inputs: ModelInputs) throws(CheckpointError) -> ModelInputs {
    var reader = InputReader(
      inputs, known: ["input_ids", "attention_mask", "token_type_ids", "position_ids"])
    let choices: InputReader.Choices = task == .multipleChoice ? .yes : .no
    if let shape = reader.ids("input_ids", below: vocabulary, choices: choices) {
      reader.companion("attention_mask", shape: shape, below: .max)
      reader.companion("token_type_ids", shape: shape, below: tokenTypes)
      reader.fill("token_type_ids", shape: shape)
      reader.positions("position_ids", shape: shape, below: positions)
    }
    return try reader.checked()
  }

  public func probe(longest: Int) -> ModelInputs {
    var maker = ProbeMaker()
    let (batch, length) = (2, min(longest, positions))
    var inputs = ModelInputs([
      "input_ids": maker.ids(batch: batch, length: length, below: vocabulary),
      "attention_mask": maker.mask(batch: batch, length: length),
      "token_type_ids": maker.segments(batch: batch, length: length, types: tokenTypes),
    ])
    if task == .multipleChoice {
      for (name, array) in inputs.arrays { inputs[name] = array.reshaped([1, batch, length]) }
    }
    return inputs
  }

  public func sample(batch: Int, length: Int, decoderLength: Int) -> ModelInputs {
    var maker = ProbeMaker()
    let ids = maker.ids(batch: batch, length: length, below: vocabulary)
    return ModelInputs([
      "input_ids": task == .multipleChoice ? ids.reshaped([1, batch, length]) : ids
    ])
  }
}
