extension ConfigReader {
  /// How many experts a layer has.
  package mutating func expertCount(_ key: String, or alias: String? = nil, default standard: Int)
    -> Int
  {
    count(key, or: alias, default: standard, limit: mostExperts, on: .weights)
  }

  /// How many of them each position goes through.
  package mutating func activeExperts(default standard: Int) -> Int {
    count("num_experts_per_tok", default: standard, limit: mostExperts)
  }

  /// Says what is wrong with a choice of experts, and with their number in all layers: each is declared before a
  /// weight is looked at.
  package mutating func checkExperts(_ routing: Routing, layers: Int) {
    guard faults.isEmpty else { return }
    if routing.active > routing.experts {
      reject("num_experts_per_tok \(routing.active) is more than the \(routing.experts) experts")
    }
    if routing.experts * layers > mostExpertsOfAll {
      reject(
        "\(layers) layers of \(routing.experts) experts are more than are believed,"
          + " \(mostExpertsOfAll)")
    }
  }
}

/// The most experts that are believed, of a layer and of all layers together.
private let mostExperts = 1 << 14, mostExpertsOfAll = 1 << 17
