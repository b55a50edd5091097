import Models

extension TokenizerClass {
  /// Pieces, with words for gaps behind them, the last one first.
  static let t5 = TokenizerClass(
    "T5Tokenizer", for: ["t5", "mt5", "longt5", "switch_transformers"],
    .pieces { settings in
      let end = settings.word("eos_token", "</s>")
      let gaps = (0..<settings.count("extra_ids", 100)).reversed().map { "<extra_id_\($0)>" }
      var plan = TokenizerPlan()
      plan.last = gaps
      plan.unknownID = 2
      plan.normalizers = [.charactersOfFile]
      plan.marks =
        [
          end, settings.word("unk_token", "<unk>"), settings.word("pad_token", "<pad>"),
        ] + gaps
      plan.single = [.text(0), .token(end)]
      plan.pair = [.text(0), .token(end), .text(1), .token(end)]
      return plan
    })

  /// The bytes of a text behind three marks, and words for gaps behind them.
  static let byT5 = TokenizerClass(
    "ByT5Tokenizer",
    .bytes { settings in
      let end = settings.word("eos_token", "</s>")
      let marks = [
        settings.word("pad_token", "<pad>"), end,
        settings.word("unk_token", "<unk>"),
      ]
      let gaps = (0..<settings.count("extra_ids", 125)).map { "<extra_id_\($0)>" }
      var plan = TokenizerPlan()
      (plan.first, plan.last) = (marks, gaps)
      plan.cuts = [TokenizerPlan.bytes(isCut: false)]
      plan.decoder = TokenizerPlan.bytes()
      plan.marks = marks + gaps
      plan.takesSpaces = Set(marks)
      plan.takesSpacesBehind = Set(marks)
      plan.single = [.text(0), .token(end)]
      plan.pair = [.text(0), .token(end), .text(1), .token(end)]
      return plan
    })
}
