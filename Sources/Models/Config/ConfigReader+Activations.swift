public import Kernels
import TensorCore

extension ConfigReader {
  /// The name of an activation function, or one of its synonyms.
  ///
  /// - Parameters:
  ///   - meaning: names that mean another one than they say.
  ///   - mayBeNull: whether null, too, means the default.
  public mutating func activation(
    _ key: String, default standard: Activation, meaning: [String: Activation] = [:],
    on bearing: ConfigFact.Bearing = .outputs(as: "activation"), mayBeNull: Bool = false
  ) -> Activation {
    let names = Activation.named.map(\.rawValue).filter { meaning[$0] == nil }
    let place = named(key)
    return fact(
      key, .choice(names), on: bearing, default: standard, mayBeNull: mayBeNull,
      json: { .string($0.rawValue) }
    ) { value in
      guard let name = value.string else { return .fault("must be a string, is \(value.text())") }
      if let activation = meaning[name] ?? Activation(name: name) { return .value(activation) }
      return .unsupported(unknownName(name, at: place, known: names))
    }
  }
}
