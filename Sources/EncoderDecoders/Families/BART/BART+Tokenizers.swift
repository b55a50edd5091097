import Models

extension TokenizerClass {
  /// RoBERTa's.
  static let bart = TokenizerClass(
    "BartTokenizer", for: ["bart"], .merges { TokenizerPlan.markedBytes($0) })

  /// Pieces and ids of a text in one language and its translation: what a list says.
  static let marian = TokenizerClass("MarianTokenizer", for: ["marian"], .numberedPieces)

  /// Pieces with room for four words of fairseq, and languages behind them; the text's own stands at its end.
  static let mbart = TokenizerClass(
    "MBartTokenizer", for: ["mbart"],
    .pieces { settings in
      let (start, end, unknown, padding, mask) = settings.marks
      let language = settings.text("src_lang", "en_XX")
      var plan = TokenizerPlan()
      (plan.first, plan.dropped) = ([start, padding, end, unknown], 3)
      plan.last = languages + [mask]
      plan.unknown = unknown
      plan.marks = [start, end, unknown, padding, mask] + languages
      plan.takesSpaces = [mask]
      plan.single = [.text(0), .token(end), .token(language)]
      plan.pair = [.text(0), .text(1), .token(end), .token(language)]
      return plan
    })

  /// The languages of mBART (arXiv 2001.08210, table 1), in the order of their ids.
  private static let languages = [
    "ar_AR", "cs_CZ", "de_DE", "en_XX", "es_XX", "et_EE", "fi_FI", "fr_XX", "gu_IN", "hi_IN",
    "it_IT", "ja_XX", "kk_KZ", "ko_KR", "lt_LT", "lv_LV", "my_MM", "ne_NP", "nl_XX", "ro_RO",
    "ru_RU", "si_LK", "tr_TR", "vi_VN", "zh_CN",
  ]

  /// Pieces behind words that stood for gaps and sentences when the model was trained.
  static let pegasus = TokenizerClass(
    "PegasusTokenizer", for: ["pegasus"],
    .pieces { settings in
      let end = settings.word("eos_token", "</s>")
      let padding = settings.word("pad_token", "<pad>")
      let offset = settings.count("offset", 103)
      var plan = TokenizerPlan()
      // Without a word for sentences it is the one for gaps that the vocabulary does not have, and that comes behind it.
      let hasBoth = !settings.isNull("mask_token_sent")
      let others = (2..<max(2, offset)).map { "<unk_\($0)>" }
      let gaps = ["<mask_1>"] + (hasBoth ? ["<mask_2>"] : []) + others
      (plan.first, plan.dropped) = ([padding, end] + gaps, 2)
      plan.unknownID = 2 + gaps.count
      plan.normalizers = [.charactersOfFile, .replace(matches: " {2,}", " ")]
      plan.cuts = [TokenizerPlan.metaspace()]
      plan.marks =
        [end, "<unk>", padding, "<mask_2>"] + (hasBoth ? ["<mask_1>"] : []) + others
      plan.single = [.text(0), .token(end)]
      plan.pair = [.text(0), .text(1), .token(end)]
      return plan
    })
}
