import TensorCore

/// The families of which models inside models may be. It stands for all that there are where they are not seen.
public protocol FamilyList: Sendable {
  /// The families.
  static var families: [Family] { get }
}

extension ConfigReader {
  /// The model that the object `key` describes, with its `model_type`; `nil` if there is none that we know, which has
  /// been refused.
  ///
  /// - Parameters:
  ///   - part: what it is for, which decides its class.
  ///   - isStored: whether the checkpoint stores the weight of that canonical path, the key before it.
  package mutating func model(
    _ key: String, as part: ModelPart, among families: [Family], isStored: (String) -> Bool
  ) -> (any Architecture)? {
    guard let value = present(key) else {
      reject("\(key) is missing: the config of the model that it is")
      return nil
    }
    guard let name = value["model_type"]?.string else {
      reject("\(key).model_type must be a string")
      return nil
    }
    guard let type = families.architectures.first(where: { $0.name == name }) else {
      refuse("\(key) is of the architecture \"\(name)\", which is not supported")
      return nil
    }
    guard let className = type.className(as: part) else {
      refuse("\(key) is of the architecture \"\(name)\", which is not supported as \(part.text)")
      return nil
    }
    return withinModel(key, as: className) { reader in
      _ = reader.fact(
        "model_type", .other, on: .outputs(as: "architecture"), default: name,
        json: { .string($0) }
      ) { _ in .value(name) }
      return type.init(config: &reader) { isStored(key + "." + $0) }
    }
  }
}

extension ModelPart {
  fileprivate var text: String {
    switch self {
    case .states: "an encoder beside a decoder"
    case .words: "a decoder beside an encoder"
    }
  }
}
