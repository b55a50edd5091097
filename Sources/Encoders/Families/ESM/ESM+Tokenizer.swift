import Models
import TensorCore

extension TokenizerClass {
  /// Amino acids, each a word; what is between them is unknown.
  static let esm = TokenizerClass(
    "EsmTokenizer", for: ["esm"],
    .lines { settings in
      let start = settings.word("cls_token", "<cls>")
      let end = settings.word("eos_token", "<eos>")
      let unknown = settings.word("unk_token", "<unk>")
      var plan = TokenizerPlan()
      plan.unknown = unknown
      plan.cuts = [TokenizerPlan.spaces]
      plan.decoder = .null
      plan.findsAllWords = true
      plan.marks =
        [end, unknown]
        + [
          settings.word("pad_token", "<pad>"), start, settings.word("mask_token", "<mask>"),
        ]
      plan.single = [.token(start), .text(0), .token(end)]
      plan.pair = plan.single + [.text(1), .token(end)]
      return plan
    })
}
