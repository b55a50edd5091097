import Models

extension TokenizerClass {
  /// Pieces of texts in small letters without accents.
  static let albert = TokenizerClass(
    "AlbertTokenizer", for: ["albert"],
    .pieces { settings in
      let start = settings.word("cls_token", "[CLS]")
      let end = settings.word("sep_token", "[SEP]")
      let unknown = settings.word("unk_token", "<unk>")
      var plan = TokenizerPlan()
      plan.unknown = unknown
      plan.normalizers = [.replace("``", "\""), .replace("''", "\"")]
      if !settings.flag("keep_accents", false) {
        plan.normalizers += [.named("NFKD"), .named("StripAccents")]
      }
      if settings.flag("do_lower_case", true) { plan.normalizers.append(.named("Lowercase")) }
      plan.normalizers.append(.charactersOfFile)
      plan.marks =
        [start, end, unknown]
        + [settings.word("pad_token", "<pad>"), settings.word("mask_token", "[MASK]")]
      plan.frame(start, end)
      return plan
    })
}
