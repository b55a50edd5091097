internal import Containers
internal import Families
internal import Kernels
public import Models
public import TensorCore
internal import Tokenizers

extension Model {
  /// A text, or two, as inputs of the model: ids, and where the model takes them a mask and types.
  ///
  /// - Parameters:
  ///   - text: the text.
  ///   - pair: the second text.
  ///   - prompt: the name of what a model of sentence-transformers puts before the text, if not the usual one.
  ///   - found: the model's tokenizer.
  /// - Throws: `CheckpointError`: refused if the text has no tokens, or one that the model does not have; missing if
  ///   it has no such prompt.
  public func inputs(
    _ text: String, pair: String? = nil, prompt name: String? = nil, _ found: FoundTokenizer
  ) throws(CheckpointError) -> ModelInputs {
    let tokenizer = sentences?.adapted(found.tokenizer) ?? found.tokenizer
    let prompt = try prompt(named: name)
    let encoding: TokenizedText
    let promptLength: Int
    do throws(CheckpointError) {
      encoding = try tokenizer.encode((prompt ?? "") + text, pair: pair)
      promptLength =
        try prompt.map { text throws(CheckpointError) in
          try tokenizer.promptLength(text)
        } ?? 0
    } catch {
      throw error.inFile(found.name)
    }
    guard !encoding.tokens.isEmpty else {
      throw CheckpointError(.refused("the text has no tokens"), file: found.name)
    }
    var inputs = ModelInputs([:])
    for slot in graph.inputs {
      let values: [Int]
      switch (slot.name, slot.content) {
      case ("prompt_length", _):
        inputs[slot.name] = NDArray(shape: [1], elements: [promptLength])
        continue
      case ("input_ids", _): values = encoding.ids
      case ("attention_mask", _): values = encoding.tokens.map { $0.isAttended ? 1 : 0 }
      // Types that are looked up among the words come from no tokenizer.
      case ("token_type_ids", .types): values = encoding.tokens.map(\.typeID)
      default: continue
      }
      inputs[slot.name] = NDArray(shape: [1, values.count], elements: values)
    }
    guard inputs["input_ids"] != nil else {
      throw CheckpointError(.unsupported("the model does not read texts"), file: found.name)
    }
    return inputs
  }

  /// Several texts, or pairs of them, equally long: as long as the longest, filled up as the tokenizer's files say.
  ///
  /// - Parameters:
  ///   - texts: each alone, or with a second one.
  ///   - length: how long they are at least.
  ///   - skipped: the inputs that are left out.
  /// - Throws: `CheckpointError`: refused if one is shorter than another, and no token is there to fill it up.
  public func inputs(
    batch texts: [(text: String, pair: String?)], length: Int = 0,
    without skipped: Set<String> = [],
    _ found: FoundTokenizer
  ) throws(CheckpointError) -> ModelInputs {
    var rows: [ModelInputs] = []
    for (text, pair) in texts { rows.append(try inputs(text, pair: pair, found)) }
    let lengths = rows.map { $0["input_ids"]?.elements.count ?? 0 }
    let length = max(length, lengths.max() ?? 0)
    let filling =
      lengths.contains { $0 < length } ? try Filling(self, found) : Filling()
    var joined = ModelInputs([:])
    for name in rows.first?.arrays.keys.sorted() ?? [] where !skipped.contains(name) {
      let own = rows.map { $0[name]?.elements ?? [] }
      let isOfTexts = rows.allSatisfy { $0[name]?.shape.count == 1 }
      let elements = isOfTexts ? own : own.map { filling.filled($0, to: length, name) }
      joined[name] = NDArray(
        shape: isOfTexts ? [texts.count] : [texts.count, length], elements: elements.flatMap(\.self)
      )
    }
    return joined
  }

  private func prompt(named name: String?) throws(CheckpointError) -> String? {
    do throws(CheckpointError) {
      if let sentences { return try sentences.prompt(named: name) }
      guard name == nil else {
        throw CheckpointError(.unsupported("is no model of sentence-transformers with prompts"))
      }
      return nil
    } catch {
      throw error.inFile(displayed(checkpoint.path))
    }
  }
}

extension Tokenizer {
  /// How many tokens of a text are its prompt's: those of the prompt, without a special one behind it.
  fileprivate func promptLength(_ prompt: String) throws(CheckpointError) -> Int {
    let tokens = try encode(prompt).tokens
    return tokens.count - (tokens.last?.isSpecial == true ? 1 : 0)
  }
}

/// What shorter texts of several are filled up with.
private struct Filling {
  private var token = 0
  private var type = 0
  private var isLeft = false

  init() {}

  /// What the files beside a tokenizer say of `pad_token`, `pad_token_type_id` and `padding_side`, and its class where they
  /// do not say the side.
  init(_ model: Model, _ found: FoundTokenizer) throws(CheckpointError) {
    let settings = try model.checkpoint.companionJSON("tokenizer_config.json")
    for json in [settings, try model.checkpoint.companionJSON("special_tokens_map.json")] {
      guard let word = TokenizerSettings(json).word("pad_token"),
        let id = found.tokenizer.id(of: word)
      else { continue }
      token = id
      type = settings?["pad_token_type_id"]?.int ?? 0
      let form = Family.all.tokenizerClass(
        named: settings?["tokenizer_class"]?.string,
        for: model.graph.config["model_type"]?.string)
      isLeft =
        settings?["padding_side"]?.string.map { $0 == "left" } ?? form?.fillsBeginning ?? false
      return
    }
    throw CheckpointError(
      .refused("texts of several lengths need a pad_token, and no tokenizer_config.json has one"),
      file: found.name)
  }

  /// Tokens, or what an input says of each, and what fills it up.
  func filled(_ elements: [Int], to length: Int, _ name: String) -> [Int] {
    let fill =
      switch name {
      case "input_ids": token
      case "token_type_ids": type
      default: 0
      }
    let rest = Array(repeating: fill, count: max(0, length - elements.count))
    return isLeft ? rest + elements : elements + rest
  }
}
