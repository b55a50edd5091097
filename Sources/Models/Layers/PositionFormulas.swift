package import Kernels

extension Formula {
  /// The frequencies of rotary positions before they are scaled, which were computed in single precision
  /// where they are stored.
  package static func frequencies(of rotary: RotarySettings) -> Formula {
    Formula("holds the rotary frequencies and is computed", tolerance: 2e-6) {
      rotary.plainFrequency($0)
    }
  }

  /// The vectors of places, which were computed in single precision where they are stored: a large angle
  /// was a little off there.
  package static func sinusoids(_ sinusoids: Sinusoids, stored: Int) -> Formula {
    let width = sinusoids.width
    return Formula(
      "holds the sines and cosines of positions and is computed",
      margin: 1e-6 * Double(max(1, stored))
    ) { sinusoids.number($0 % width, at: $0 / width) }
  }
}
