extension GPT2 {
  public var inputs: [InputSlot] {
    let isChoice = task == .doubleHeads
    return [
      .ids(
        "input_ids", below: vocabulary,
        axes: isChoice ? [.batch, .choices(isOptional: true), .length] : [.batch, .length],
        onlyOneRow: task == .sequenceClassification ? .unless(padToken) : nil),
      .mask("attention_mask"),
      // Token types are words: they have no table of their own.
      .optionalIDs("token_type_ids", below: vocabulary),
      .positions("position_ids", below: positions),
    ] + (isChoice ? [.places("mc_token_ids")] : [])
  }

  public var generation: GenerationRules? {
    guard task == .languageModel else { return nil }
    return GenerationRules(
      ids: "input_ids", mask: "attention_mask", endTokens: endTokens, padToken: padToken,
      longest: positions)
  }
}
