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
  ///   - name: what it is called in canonical paths, and in the id of the whole; the key if `nil`.
  ///   - part: what it is for, which decides its class.
  ///   - isStored: whether the checkpoint stores the weight of that canonical path, its name before it.
  package mutating func model(
    _ key: String, named name: String? = nil, as part: ModelPart, among families: [Family],
    isStored: (String) -> Bool
  ) -> (any Architecture)? {
    guard let value = present(key) else {
      reject("\(key) is missing: the config of the model that it is")
      return nil
    }
    guard let type = value["model_type"]?.string else {
      reject("\(key).model_type must be a string")
      return nil
    }
    guard let architecture = families.architectures.first(where: { $0.name == type }) else {
      refuse("\(key) is of the architecture \"\(type)\", which is not supported")
      return nil
    }
    guard let className = architecture.className(as: part) else {
      refuse("\(key) is of the architecture \"\(type)\", which is not supported as \(part.text)")
      return nil
    }
    let path = name ?? key
    return withinModel(key, named: path, as: className) { reader in
      _ = reader.fact(
        "model_type", .other, on: .outputs(as: "architecture"), default: type,
        json: { .string($0) }
      ) { _ in .value(type) }
      return architecture.init(config: &reader) { isStored(path + "." + $0) }
    }
  }
}

extension ModelPart {
  fileprivate var text: String {
    switch self {
    case .states: "an encoder beside a decoder"
    case .words: "a decoder beside an encoder"
    case .pictures: "an encoder of pictures in texts"
    }
  }
}
