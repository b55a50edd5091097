import Models

extension TokenizerClass {
  /// BERT's pieces of words between RoBERTa's marks.
  static let mpnet = TokenizerClass(
    "MPNetTokenizer", for: ["mpnet"],
    .lines { settings in
      let start = settings.word("cls_token", "<s>")
      let end = settings.word("sep_token", "</s>")
      let mask = settings.word("mask_token", "<mask>")
      var plan = TokenizerPlan()
      let unknown = settings.word("unk_token", "[UNK]")
      plan.unknown = unknown
      plan.useWordPieces(settings)
      plan.marks = [start, end, unknown, settings.word("pad_token", "<pad>"), mask]
      plan.takesSpaces = [mask]
      plan.frameBoth(start, end)
      plan.trimsSpaces = true
      return plan
    })
}
