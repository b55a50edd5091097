import Kernels
public import Models

extension BERT {
  public var inputs: [InputSlot] {
    let isChoice = task == .multipleChoice
    return [
      .ids(
        "input_ids", below: vocabulary,
        axes: isChoice ? [.batch, .choices(isOptional: false), .length] : [.batch, .length]),
      .mask("attention_mask"),
      .types("token_type_ids", below: tokenTypes),
      .positions("position_ids", below: positions),
    ] + (cross == nil ? [] : InputSlot.statesOfEncoder(width: width))
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
}
