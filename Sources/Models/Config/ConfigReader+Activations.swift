public import Kernels
import TensorCore

extension ConfigReader {
  /// The name of an activation function, or one of its synonyms.
  ///
  /// - Parameter meaning: names that mean another one than they say.
  public mutating func activation(
    _ key: String, default standard: Activation, meaning: [String: Activation] = [:],
    on bearing: ConfigFact.Bearing = .outputs(as: "activation")
  ) -> Activation {
    let names = Activation.named.map(\.rawValue).filter { meaning[$0] == nil }
    let place = named(key)
    return fact(
      key, .choice(names), on: bearing, default: standard, json: { .string($0.rawValue) }
    ) { value in
      guard let name = value.string else { return .fault("must be a string, is \(value.text())") }
      if let activation = meaning[name] ?? Activation(name: name) { return .value(activation) }
      return .unsupported(
        "\(place) \"\(name)\" is not known; known are \(names.joined(separator: ", "))")
    }
  }
}
