import TensorCore

/// What programs that save a model's arguments beside its weights call them: nanoGPT, and what came after it; OpenAI's for
/// sounds.
enum TorchArguments {
  /// The key of the dictionary, and that of the weights beside it. Of the first, arguments stand by themselves where they
  /// are read and said; of others, under their key.
  static let keys: [(arguments: String, weights: String)] = [
    ("model_args", "model"), ("dims", "model_state_dict"),
  ]

  /// Arguments as they stand in a file, their key, and that of the weights.
  static func placed(
    _ said: JSONValue
  ) -> (arguments: JSONValue, key: String, weights: String) {
    for (key, weights) in keys.dropFirst() {
      if let inner = said[key], inner.members != nil { return (inner, key, weights) }
    }
    return (said, keys[0].arguments, keys[0].weights)
  }

  /// Arguments of a key as they are said.
  static func said(_ arguments: JSONValue, of key: String) -> JSONValue {
    key == keys[0].arguments ? arguments : .object([.init(key, arguments)])
  }

  /// A class has no more of them.
  static let most = 256
}

extension PickleHeap {
  /// The arguments of a model: numbers, texts and truth values under names; `nil` if it is anything else.
  func arguments(_ value: PickleValue) -> JSONValue? {
    guard let pairs = dictionary(value), !pairs.isEmpty, pairs.count <= 2 * TorchArguments.most
    else { return nil }
    var members: [JSONValue.Member] = []
    for index in stride(from: 0, to: pairs.count - 1, by: 2) {
      guard let key = string(pairs[index]), let plain = plain(pairs[index + 1]),
        !members.contains(where: { $0.key.utf8.elementsEqual(key.utf8) })
      else { return nil }
      members.append(.init(key, plain))
    }
    return .object(members)
  }

  func plain(_ value: PickleValue) -> JSONValue? {
    switch value {
    case .none: .null
    case .bool(let value): .bool(value)
    case .int(let value): .number(value)
    case .float(let value): .number(value)
    case .text, .string: string(value).map { .string($0) }
    case .bytes, .object: nil
    }
  }
}

extension TorchPickle {
  /// Adds the arguments of a model: a dictionary of plain values.
  mutating func add(arguments: JSONValue) {
    begin()
    for member in arguments.members ?? [] {
      text(Array(member.key.utf8))
      add(plain: member.value)
    }
    end()
  }

  private mutating func add(plain value: JSONValue) {
    switch value {
    case .bool(let value): add(value ? .newTrue : .newFalse)
    case .int(let number): integer(Int(number))
    case .double(let number): float(number)
    case .string(let value): text(Array(value.utf8))
    case .null, .uint, .array, .object: add(.none)
    }
  }
}
