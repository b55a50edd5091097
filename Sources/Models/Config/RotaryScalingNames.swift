package import Kernels

extension [RotarySettings] {
  /// A way to scale frequencies that is none of these, if there is one.
  package func otherScaling(than known: [String]) -> String? {
    map(\.scaling.name).first { $0 != RotaryScaling.none.name && !known.contains($0) }
  }
}

extension RotaryScaling {
  /// What configs call it.
  package var name: String {
    switch self {
    case .none: "default"
    case .linear: "linear"
    case .dynamic: "dynamic"
    case .llama3: "llama3"
    case .yarn: "yarn"
    case .longRoPE: "longrope"
    case .proportional: "proportional"
    }
  }
}
