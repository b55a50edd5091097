import Models

extension TokenizerClass {
  /// Pieces, with the words for a text's end and its class behind it.
  static let xlnet = TokenizerClass(
    "XLNetTokenizer", for: ["xlnet"], fillsBeginning: true,
    .pieces { settings in
      let end = settings.word("sep_token", "<sep>")
      let summary = settings.word("cls_token", "<cls>")
      var plan = TokenizerPlan()
      // Accents go, whatever keep_accents says.
      plan.normalizers = [
        .replace("``", "\""), .replace("''", "\""), .named("NFKD"), .named("StripAccents"),
      ]
      if settings.flag("do_lower_case", false) { plan.normalizers.append(.named("Lowercase")) }
      plan.normalizers.append(.charactersOfFile)
      plan.marks = [
        settings.word("bos_token", "<s>"), settings.word("eos_token", "</s>"),
        settings.word("unk_token", "<unk>"), end, settings.word("pad_token", "<pad>"), summary,
        settings.word("mask_token", "<mask>"),
      ]
      plan.takesSpaces = [settings.word("mask_token", "<mask>")]
      plan.single = [.text(0), .token(end), .token(summary, type: 2)]
      plan.pair = [
        .text(0), .token(end), .text(1, type: 1), .token(end, type: 1), .token(summary, type: 2),
      ]
      return plan
    })
}
