import Models

extension TokenizerClass {
  /// Pairs of bytes, and around a text what settings ask for.
  static let gpt2 = TokenizerClass(
    "GPT2Tokenizer", for: ["gpt2"],
    .merges { settings in
      let start = settings.word("bos_token", "<|endoftext|>")
      let end = settings.word("eos_token", "<|endoftext|>")
      var plan = TokenizerPlan()
      plan.useBytes(settings)
      plan.marks =
        [start, end, settings.word("unk_token", "<|endoftext|>")]
        + [settings.word("pad_token")].compactMap(\.self)
      plan.frame(settings, start: start, end: end)
      return plan
    })
}
