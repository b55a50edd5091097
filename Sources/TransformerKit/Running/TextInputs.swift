internal import Containers
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
