public import Kernels
public import TensorCore

/// Reads a config.json key by key, and collects everything that is wrong with it.
///
/// Unknown keys are tolerated: configs carry training settings, and those of later versions.
public struct ConfigReader {
  /// The largest extent, number of layers or number of heads that is believed.
  public static let largestExtent = 1 << 31

  /// The most layers that are believed: each is declared before a weight is looked at.
  public static let mostLayers = 10_000

  let config: JSONValue
  /// What is wrong, a line each.
  public private(set) var faults: [String] = []
  /// What is right but not supported.
  public private(set) var unsupported: [String] = []

  /// Reads from `config`.
  public init(_ config: JSONValue) {
    self.config = config
    if config.members == nil { faults.append("it is not an object") }
  }

  /// An integer that counts something.
  public mutating func count(
    _ key: String, default standard: Int, limit: Int = largestExtent, minimum: Int = 1
  ) -> Int {
    guard let value = present(key) else { return standard }
    guard let number = value.int else {
      return fault(key, "must be an integer, is \(value.text())", standard)
    }
    guard (minimum...limit).contains(number) else {
      return fault(key, "must be from \(minimum) to \(limit), is \(number)", standard)
    }
    return number
  }

  /// A number that is positive, or zero.
  public mutating func positive(_ key: String, default standard: Double) -> Double {
    guard let value = present(key) else { return standard }
    guard let number = value.double, number.isFinite, number >= 0 else {
      return fault(key, "must be a number that is not negative, is \(value.text())", standard)
    }
    return number
  }

  /// A truth value.
  public mutating func flag(_ key: String, default standard: Bool) -> Bool {
    guard let value = present(key) else { return standard }
    guard let flag = value.bool else {
      return fault(key, "must be true or false, is \(value.text())", standard)
    }
    return flag
  }

  /// A text.
  public mutating func text(_ key: String) -> String? {
    guard let value = present(key) else { return nil }
    guard let text = value.string else {
      return fault(key, "must be a string, is \(value.text())", nil)
    }
    return text
  }

  /// The name of an activation function.
  public mutating func activation(_ key: String, default standard: Activation) -> Activation {
    guard let name = text(key) else { return standard }
    guard let activation = Activation(name: name) else {
      unsupported.append(
        "\(key) \"\(name)\" is not known; known are "
          + Activation.allCases.map(\.rawValue).joined(separator: ", "))
      return standard
    }
    return activation
  }

  /// The number of labels: of `id2label`, else `num_labels`, else 2.
  public mutating func labelCount() -> Int {
    if let labels = present("id2label") {
      guard let count = labels.members?.count, count > 0 else {
        return fault("id2label", "must be an object with a member for each label", 2)
      }
      return count
    }
    return count("num_labels", default: 2)
  }

  /// The class that the checkpoint was saved from, `BertForMaskedLM`.
  public mutating func modelClass() -> String? {
    guard let value = present("architectures") else { return nil }
    guard let classes = value.elements, classes.allSatisfy({ $0.string != nil }) else {
      return fault("architectures", "must be a list of strings, is \(value.text())", nil)
    }
    return classes.first?.string
  }

  /// Records a fault that involves more than one key.
  public mutating func reject(_ reason: String) {
    faults.append(reason)
  }

  /// Records something that is fine but that we cannot do.
  public mutating func refuse(_ reason: String) {
    unsupported.append(reason)
  }

  /// The key's value, unless it is absent or null.
  private func present(_ key: String) -> JSONValue? {
    guard let value = config[key], value != .null else { return nil }
    return value
  }

  private mutating func fault<Value>(_ key: String, _ reason: String, _ standard: Value) -> Value {
    faults.append("\(key) \(reason)")
    return standard
  }

  /// Fails if anything was wrong.
  ///
  /// - Throws: `CheckpointError`: malformed with every fault, else unsupported.
  public func check() throws(CheckpointError) {
    if !faults.isEmpty {
      throw CheckpointError(
        .malformed(Self.sentence("config", faults)), details: faults.count > 1 ? faults : [])
    }
    if !unsupported.isEmpty {
      throw CheckpointError(
        .unsupported(Self.sentence("config", unsupported)),
        details: unsupported.count > 1 ? unsupported : [])
    }
  }

  private static func sentence(_ subject: String, _ reasons: [String]) -> String {
    reasons.count == 1 ? "\(subject): \(reasons[0])" : "\(subject): \(reasons.count) faults"
  }
}
