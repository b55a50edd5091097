import Models

extension TokenizerClass {
  /// Pairs of bytes, those of GPT-2 in another order.
  static let roberta = TokenizerClass(
    "RobertaTokenizer", for: ["roberta", "roberta-prelayernorm", "data2vec-text"],
    .merges { TokenizerPlan.markedBytes($0) })

  /// Pieces whose ids make room for four words of fairseq, and a mask at the end.
  static let xlmRoBERTa = TokenizerClass(
    "XLMRobertaTokenizer", for: ["xlm-roberta", "xlm-roberta-xl"],
    .pieces { settings in
      let (start, end, unknown, padding, mask) = settings.marks
      var plan = TokenizerPlan()
      (plan.first, plan.dropped, plan.last) = ([start, padding, end, unknown], 3, [mask])
      plan.unknown = unknown
      plan.normalizers = [.charactersOfFile]
      let scheme = settings.flag("add_prefix_space", true) ? "always" : "never"
      plan.cuts = [TokenizerPlan.spaces, TokenizerPlan.metaspace(scheme)]
      plan.decoder = TokenizerPlan.metaspace(scheme)
      plan.marks = [start, end, unknown, padding, mask]
      plan.frameBoth(start, end)
      return plan
    })

  /// Pieces behind words that fairseq's dictionary has and nothing uses.
  static let camemBERT = TokenizerClass(
    "CamembertTokenizer", for: ["camembert"],
    .pieces { settings in
      let (start, end, unknown, padding, mask) = settings.marks
      var plan = TokenizerPlan()
      plan.first = ["<s>NOTUSED", padding, "</s>NOTUSED", unknown, "<unk>NOTUSED"]
      (plan.dropped, plan.last) = (1, [mask])
      plan.unknown = unknown
      plan.normalizers = [.charactersOfFile]
      plan.marks = [start, end, unknown, padding, mask]
      plan.takesSpaces = [mask]
      plan.frameBoth(start, end)
      return plan
    })
}
