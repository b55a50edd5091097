import TensorCore

/// What trainers that save a model's arguments beside its weights call them: nanoGPT, and what came after it.
enum TorchArguments {
  /// The key of the dictionary.
  static let key = "model_args"
  /// And that of the weights.
  static let weights = "model"
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

  private func plain(_ value: PickleValue) -> JSONValue? {
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
