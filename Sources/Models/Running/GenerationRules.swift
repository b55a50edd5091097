public import Kernels

/// How a text is continued token by token, in the framework's terms.
public struct GenerationRules: Sendable {
  /// The input that grows: `input_ids`, or `decoder_input_ids`.
  public let ids: String
  /// Its padding mask.
  public let mask: String
  /// The inputs that go on with it where they are given: positions, and
  public let positions: String
  /// types of tokens.
  public let types: String
  /// The state that has the scores of words.
  public let scores: String
  /// The tokens after which a text is finished.
  public private(set) var endTokens: [Int]
  /// What finished texts are filled up with.
  public private(set) var padToken: Int?
  /// What a step reads of all tokens so far, prompts included, and whether it is the first one; `nil` if it reads the
  /// tokens that are new, and what came before them is kept of them.
  public let reading: (@Sendable (_ texts: NDArray<Int>, _ isFirst: Bool) -> ModelInputs)?
  /// The longest text, if there is a limit.
  public let longest: Int?
  /// The length, padding included, beyond which a text is computed anew once, because what was kept of it no
  /// longer holds; `nil` if it always does.
  public let renewedBeyond: Int?
  /// What makes a step's results for a token depend on how long the text is then, or on what else the step computes, so
  /// that tokens must be computed one by one; `nil` if nothing does.
  public let singleSteps: String?
  /// What is forced and forbidden.
  public private(set) var limits: TokenLimits
  /// Whether a text that is not given begins, behind its first token, with those that settings of generation say: of its
  /// language and of what is done, where sounds become texts.
  public let opensBySettings: Bool

  /// Rules.
  package init(
    ids: String, mask: String, positions: String = "position_ids",
    types: String = "token_type_ids", scores: String = "logits", endTokens: [Int], padToken: Int?,
    longest: Int? = nil,
    renewedBeyond: Int? = nil, singleSteps: String? = nil,
    limits: TokenLimits = TokenLimits(), opensBySettings: Bool = false,
    reading: (@Sendable (_ texts: NDArray<Int>, _ isFirst: Bool) -> ModelInputs)? = nil
  ) {
    (self.ids, self.mask) = (ids, mask)
    (self.positions, self.types, self.scores) = (positions, types, scores)
    (self.endTokens, self.padToken, self.longest) = (endTokens, padToken, longest)
    self.renewedBeyond = renewedBeyond
    self.singleSteps = singleSteps
    self.limits = limits
    self.opensBySettings = opensBySettings
    self.reading = reading
  }

  /// The same rules with other tokens and limits.
  public func with(endTokens: [Int], padToken: Int?, limits: TokenLimits) -> GenerationRules {
    var rules = self
    (rules.endTokens, rules.padToken, rules.limits) = (endTokens, padToken, limits)
    return rules
  }

  /// What finished texts are filled up with: the padding token, else the first end token.
  public var filler: Int? { padToken ?? endTokens.first }
}

extension ModelInputs {
  /// The inputs of the step after these: tokens `[batch, count]`, which the cache's positions precede.
  ///
  /// As in Hugging Face's `_update_model_kwargs_for_generation`: the mask grows by ones, positions go
  /// on from the last one, and so does the last token type.
  public func next(_ tokens: NDArray<Int>, _ rules: GenerationRules) -> ModelInputs {
    let (batch, count) = (tokens.rows, tokens.width)
    var inputs = self
    inputs[rules.ids] = tokens
    inputs[rules.mask] = self[rules.mask].map { mask in
      let ones = Array(repeating: 1, count: count)
      let rows = (0..<batch).flatMap { Array(mask.row($0)) + ones }
      return NDArray(shape: [batch, mask.width + count], elements: rows)
    }
    for (name, step) in [(rules.positions, 1), (rules.types, 0)] {
      inputs[name] = self[name].map { array in
        let ids = (0..<batch).flatMap { row in
          let last = array.elements[(row + 1) * array.width - 1]
          return (1...count).map { last + $0 * step }
        }
        return NDArray(shape: [batch, count], elements: ids)
      }
    }
    return inputs
  }

  /// Inputs of which the last `count` tokens, made by `next`, have never been: what `next` goes on from.
  public func withoutLast(_ count: Int, _ rules: GenerationRules) -> ModelInputs {
    var inputs = self
    inputs[rules.mask] = self[rules.mask].map { mask in
      NDArray(
        shape: [mask.rows, mask.width - count],
        elements: (0..<mask.rows).flatMap { mask.row($0).dropLast(count) })
    }
    for (name, step) in [(rules.positions, 1), (rules.types, 0)] {
      inputs[name] = self[name].map { array in
        let last = (0..<array.rows).map {
          array.elements[($0 + 1) * array.width - 1] - count * step
        }
        return NDArray(shape: [array.rows, 1], elements: last)
      }
    }
    return inputs
  }

  /// These inputs and those of the next step as one text.
  public func joined(with next: ModelInputs, _ rules: GenerationRules) -> ModelInputs {
    // The next step's mask is that of the whole text.
    var inputs = next
    for name in [rules.ids, rules.positions, rules.types] {
      guard let (first, last) = self[name].flatMap({ first in next[name].map { (first, $0) } })
      else { continue }
      inputs[name] = NDArray(
        shape: [first.rows, first.width + last.width],
        elements: (0..<first.rows).flatMap { first.row($0) + last.row($0) })
    }
    return inputs
  }

  /// A mask where none is given but padding is seen: zeros at the padding token, as in Hugging Face's
  /// `_prepare_attention_mask_for_generation`, unless that token also ends texts. For decoders alone.
  mutating func fillMask(_ name: String, for ids: String, _ rules: GenerationRules) {
    guard self[name] == nil, let array = self[ids], let pad = rules.padToken,
      !rules.endTokens.contains(pad), array.elements.contains(pad)
    else { return }
    self[name] = NDArray(shape: array.shape, elements: array.elements.map { $0 == pad ? 0 : 1 })
  }

  /// Positions where none are given: each row counts its allowed tokens from 0 on, and padding has
  /// position 0, as in Hugging Face's `_prepare_position_ids_for_generation`.
  mutating func fillPositions(for ids: String, mask name: String) {
    guard self["position_ids"] == nil, let mask = self[name], mask.shape == self[ids]?.shape,
      mask.width > 0
    else { return }
    var positions: [Int] = []
    for row in 0..<mask.rows {
      var next = 0
      for allows in mask.row(row) {
        positions.append(allows != 0 ? next : 0)
        if allows != 0 { next += 1 }
      }
    }
    self["position_ids"] = NDArray(shape: mask.shape, elements: positions)
  }
}
