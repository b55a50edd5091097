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
  ///   - found: the model's tokenizer.
  /// - Throws: `CheckpointError`: refused if the text has no tokens, or one that the model does not have.
  public func inputs(
    _ text: String, pair: String? = nil, _ found: FoundTokenizer
  ) throws(CheckpointError) -> ModelInputs {
    let encoding: TokenizedText
    do throws(CheckpointError) {
      encoding = try found.tokenizer.encode(text, pair: pair)
    } catch {
      throw error.inFile(found.name)
    }
    guard !encoding.tokens.isEmpty else {
      throw CheckpointError(.refused("the text has no tokens"), file: found.name)
    }
    var inputs = ModelInputs([:])
    for slot in graph.architecture.inputs {
      let values: [Int]
      switch (slot.name, slot.content) {
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
}
