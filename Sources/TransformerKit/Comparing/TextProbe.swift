internal import Containers
internal import Kernels
internal import Models
internal import TensorCore

/// A text that two models are run on beside the built-in probe, and what their tokenizers do otherwise.
public struct TextProbe: Sendable {
  /// What a tokenizer makes of the text; `nil` if there is none that is read, or A does not take what it makes.
  let inputs: ModelInputs?
  /// What the tokenizers of both do otherwise, a sentence each; none if one of both is not there.
  public let tokenizerDifferences: [String]

  /// Reads the tokenizers that lie beside two models, or are inside of their files. Which one makes the text's tokens: A's, or
  /// B's if A has none.
  public init(_ a: Model, _ b: Model) {
    let found = [a, b].map { try? FoundTokenizer($0.checkpoint.path) }
    inputs = (found[0] ?? found[1]).flatMap { Self.inputs(a, $0) }
    guard let x = found[0], let y = found[1], x.file != y.file else {
      tokenizerDifferences = []
      return
    }
    tokenizerDifferences = TokenizerDiff(x, y)?.differences ?? []
  }

  /// How many tokens the text has.
  var tokenCount: Int { inputs?["input_ids"]?.elements.count ?? 0 }

  /// The longest of the texts that is no longer than the built-in probe, which is what memory is reckoned for.
  private static func inputs(_ model: Model, _ found: FoundTokenizer) -> ModelInputs? {
    let longest = model.graph.probe["input_ids"]?.width ?? 0
    for text in texts {
      guard let read = try? model.inputs(text, found),
        let ids = read["input_ids"]?.elements, ids.count <= longest
      else { continue }
      if (try? model.graph.prepare(read)) != nil { return read }
      // A decoder begins with its start token.
      if let whole = try? model.graph.architecture.prompt(read),
        (try? model.graph.prepare(whole)) != nil
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
