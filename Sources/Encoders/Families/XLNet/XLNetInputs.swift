import Kernels
public import Models

extension XLNet {
  /// Which places are predicted: for each prediction a number for each position.
  static let targets = "target_mapping"
  /// What positions do not see: for each query a number for each key, 0 where it does and above 0 where it does not.
  static let order = "perm_mask"

  /// What a block remembers of earlier texts.
  static func memories(_ layer: Int) -> String { "mems.\(layer)" }

  public var inputs: [InputSlot] {
    let isChoice = task == .multipleChoice
    let slots: [InputSlot] = [
      .ids(
        "input_ids", below: vocabulary,
        axes: isChoice ? [.batch, .choices(isOptional: false), .length] : [.batch, .length]),
      .mask("attention_mask"),
      // Those of transformers' tokenizer: two texts, and three of special tokens and padding.
      .types("token_type_ids", below: 5),
    ]
    if isChoice { return slots }
    return slots + [
      .optionalNumbers(Self.order, [.batch, .length, .length]),
      .optionalNumbers(Self.targets, [.batch, .predictions, .length]),
    ]
      + (0..<layers).map {
        .optionalNumbers(Self.memories($0), [.memory, .batch, .size(width)])
      }
  }

  public func faults(in inputs: ModelInputs) -> [String] {
    var faults: [String] = []
    let given = (0..<layers).filter { inputs.numbers[Self.memories($0)] != nil }
    if let first = (0..<layers).first(where: { !given.contains($0) }), !given.isEmpty {
      faults.append("\(Self.memories(first)) is missing; all layers have memories, or none has")
    }
    if hasBackwardHalf, let rows = inputs["input_ids"]?.rows, !rows.isMultiple(of: 2) {
      faults.append(
        "input_ids has \(rows) rows; with bi_data half of them are read backwards, so that their"
          + " number must be even")
    }
    if let order = inputs.numbers[Self.order],
      let index = order.elements.firstIndex(where: { !($0 >= 0) })
    {
      faults.append(
        "\(Self.order) has \(order.elements[index]) at element \(index), must be 0 or more")
    }
    return faults
  }

  /// Of an order's numbers below 0 zeros are made.
  public func completing(_ inputs: ModelInputs) -> ModelInputs {
    guard var order = inputs.numbers[Self.order] else { return inputs }
    order.elements = order.elements.map { max($0, 0) }
    var inputs = inputs
    inputs.numbers[Self.order] = order
    return inputs
  }

  /// Which keys each query may see, `[batch, queries, keys]`; `nil` for all.
  ///
  /// - Parameters:
  ///   - memory: how many positions are remembered of earlier texts.
  ///   - seesItself: whether queries see their own positions in any case.
  func allowedKeys(
    _ inputs: ModelInputs, behind memory: Int, seesItself: Bool
  ) -> NDArray<Bool>? {
    let (words, order) = (inputs.mask("attention_mask"), inputs.numbers[Self.order])
    if words == nil && order == nil && direction == .both { return nil }
    let ids = inputs.required("input_ids")
    let (batch, length) = (ids.rows, ids.width)
    var elements: [Bool] = []
    elements.reserveCapacity(batch * length * (memory + length))
    for text in 0..<batch {
      for query in 0..<length {
        for key in 0..<memory + length {
          let own = key - memory
          if seesItself && own == query {
            elements.append(true)
            continue
          }
          var isSeen = direction == .both || own <= query
          // As many fewer at the beginning, memories included, as more at the end.
          if direction == .forwards, hasSameLength, key < query { isSeen = false }
          if own >= 0 {
            isSeen =
              isSeen && words?.elements[text * length + own] ?? true
              && order.map { $0.elements[(text * length + query) * length + own] <= 0 } ?? true
          }
          elements.append(isSeen)
        }
      }
    }
    return NDArray(shape: [batch, length, memory + length], elements: elements)
  }

  /// Whether keys are of another type than queries, `[batch, queries, keys]`; memories are of type 0.
  func differingTypes(_ inputs: ModelInputs, behind memory: Int) -> NDArray<Bool> {
    let types = inputs.required("token_type_ids")
    let elements = (0..<types.rows).flatMap { text in
      let row = types.row(text)
      let keys = Array(repeating: 0, count: memory) + row
      return row.flatMap { type in keys.map { $0 != type } }
    }
    return NDArray(shape: [types.rows, types.width, memory + types.width], elements: elements)
  }
}
