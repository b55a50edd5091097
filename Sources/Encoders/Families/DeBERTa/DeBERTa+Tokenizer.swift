import Models
import TensorCore

extension TokenizerClass {
  /// Pieces of composed texts; the table of characters of the file is not used.
  static let debertaV2 = TokenizerClass(
    "DebertaV2Tokenizer", for: ["deberta-v2"],
    .pieces { settings in
      let start = settings.word("cls_token", "[CLS]")
      let end = settings.word("sep_token", "[SEP]")
      let unknown = settings.word("unk_token", "[UNK]")
      var plan = TokenizerPlan()
      plan.unknown = unknown
      if settings.flag("do_lower_case", false) { plan.normalizers.append(.named("Lowercase")) }
      plan.normalizers += [
        .replace(matches: #"\s{2,}|[\n\r\t]"#, " "), .named("NFC"),
        .step(["type": "Strip", "strip_left": false, "strip_right": true]),
      ]
      let scheme = settings.flag("add_prefix_space", true) ? "always" : "first"
      plan.cuts = [TokenizerPlan.metaspace(scheme)]
      if settings.flag("split_by_punct", false) {
        plan.cuts.insert(["type": "Punctuation", "behavior": "Isolated"], at: 0)
      }
      plan.decoder = TokenizerPlan.metaspace(scheme)
      plan.marks =
        [start, end, unknown]
        + [settings.word("pad_token", "[PAD]"), settings.word("mask_token", "[MASK]")]
      plan.frame(start, end)
      return plan
    })
}
