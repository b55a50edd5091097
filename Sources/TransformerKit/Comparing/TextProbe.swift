internal import Containers
internal import Kernels
internal import Models
internal import TensorCore

/// A text that two models are run on beside the built-in probe.
enum TextProbe {
  /// What the tokenizer that lies beside A or is in its file, or else B's, makes of a text: the longest of some that has no more
  /// tokens than the built-in probe, which is what memory is reckoned for.
  ///
  /// - Returns: `nil` if there is no tokenizer that is read, or A does not take what it makes.
  static func inputs(_ a: Model, _ b: Model) -> ModelInputs? {
    guard
      let found = (try? FoundTokenizer(a.checkpoint.path))
        ?? (try? FoundTokenizer(b.checkpoint.path))
    else { return nil }
    let longest = a.graph.probe["input_ids"]?.width ?? 0
    for text in texts {
      guard let read = try? a.inputs(text, found), let ids = read["input_ids"],
        ids.width <= longest
      else { continue }
      if (try? a.graph.prepare(read)) != nil { return read }
      // A decoder begins with its start token.
      if let whole = try? a.graph.architecture.prompt(read),
        (try? a.graph.prepare(whole)) != nil
      {
        return whole
      }
    }
    return nil
  }

  private static let texts = [
    "The lighthouse keeper wrote 3 letters that winter. None of them said why the lamp had gone out on"
      + " the 14th, or who had climbed the stairs, but each began in the same way: \"You will not believe me.\"",
    "The lighthouse keeper wrote 3 letters that winter.",
    "The lamp.",
  ]
}

extension PairReport {
  /// What both models do on a text, beside the probe.
  public struct OnText: Sendable {
    /// How many tokens it has.
    public let tokenCount: Int
    /// How far B's outputs are from A's.
    public let outputs: [Deviation]
    /// How the distributions of next tokens differ, where B has blocks and both models give any.
    public let tokens: TokenAgreement?
  }
}
