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

  /// A head on the pooled state sees the first position alone, and that sees no padding: positions that
  /// are padding in every row are left out. A row of nothing but padding attends to all of it, and so does
  /// a decoder's first position if it is padding.
  public func withoutPadding(_ inputs: ModelInputs) -> ModelInputs {
    guard task.modules.contains("pooler"), task != .preTraining, !isDecoder,
      let mask = inputs.mask("attention_mask")
    else { return inputs }
    var longest = 0
    for row in 0..<mask.rows {
      let allowed = mask.row(row)
      guard let last = allowed.lastIndex(of: true) else { return inputs }
      longest = max(longest, last - allowed.startIndex + 1)
    }
    var shorter = inputs
    shorter.arrays = inputs.arrays.mapValues { array in
      NDArray(
        shape: array.shape.dropLast() + [longest],
        elements: (0..<array.rows).flatMap { array.row($0).prefix(longest) })
    }
    return shorter
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
