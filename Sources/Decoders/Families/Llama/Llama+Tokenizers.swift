import Models

extension TokenizerClass {
  /// Pairs of bytes of composed texts, digits alone.
  static let qwen2 = TokenizerClass(
    "Qwen2Tokenizer", for: ["qwen2", "qwen3"],
    .merges { settings in
      let end = settings.word("eos_token", "<|endoftext|>")
      var plan = TokenizerPlan()
      plan.normalizers = [.named("NFC")]
      let pattern =
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"#
        + #"|\s*[\r\n]+|\s+(?!\S)|\s+"#
      plan.cuts = [
        .cut(pattern, "Isolated"),
        TokenizerPlan.bytes(addsSpace: settings.flag("add_prefix_space", false), isCut: false),
      ]
      plan.decoder = TokenizerPlan.bytes(addsSpace: true)
      let start = settings.word("bos_token")
      plan.marks =
        [start].compactMap(\.self) + [
          end, settings.word("unk_token", "<|endoftext|>"),
          settings.word("pad_token", "<|endoftext|>"),
        ]
      plan.frame(settings, start: start, end: end)
      return plan
    })
}
