package import Kernels

extension [RotarySettings] {
  /// A way to scale frequencies that is none of these, if there is one.
  package func otherScaling(than known: [String]) -> String? {
    map(\.scaling.name).first { $0 != RotaryScaling.none.name && !known.contains($0) }
  }

  /// Weights of YaRN's logarithms, in words, where the attention factor is the quotient of two of them.
  package var yarnWeights: String? {
    for case .yarn(let yarn) in map(\.scaling) where yarn.attentionFactor == nil {
      if let own = yarn.mscale, let all = yarn.mscaleAllDimensions {
        return "\(own) beside an mscale_all_dim of \(all)"
      }
    }
    return nil
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
