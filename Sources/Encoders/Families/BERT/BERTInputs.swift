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
    task.modules.contains("pooler") && task != .preTraining && !isDecoder
      ? inputs.withoutCommonPadding : inputs
  }
}
