import Models
import TensorCore

extension TokenizerClass {
  /// Pairs of bytes of texts in small letters, words with an end.
  static let clip = TokenizerClass(
    "CLIPTokenizer", for: ["clip", "clip_text_model"],
    .merges { settings in
      let start = settings.word("bos_token", "<|startoftext|>")
      let end = settings.word("eos_token", "<|endoftext|>")
      let unknown = settings.word("unk_token", "<|endoftext|>")
      var plan = TokenizerPlan()
      (plan.unknown, plan.wordEnd) = (unknown, "</w>")
      plan.normalizers = [
        .named("NFC"), .replace(matches: #"\s+"#, " "), .named("Lowercase"),
      ]
      let pattern =
        #"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"#
      plan.cuts = [
        .cut(pattern, "Removed", isInverted: true), TokenizerPlan.bytes(),
      ]
      plan.decoder = [
        "type": "Sequence",
        "decoders": [
          TokenizerPlan.bytes(addsSpace: true),
          ["type": "Replace", "pattern": ["String": "</w>"], "content": " "],
          ["type": "Strip", "content": " ", "start": 1, "stop": 1],
        ],
      ]
      plan.marks = [start, end, unknown, settings.word("pad_token", "<|endoftext|>")]
      plan.frameBoth(start, end)
      plan.trimsSpaces = false
      return plan
    })
}
