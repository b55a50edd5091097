import Kernels

extension Formula {
  /// How far each pair of a head is turned from a position to the next, as files store it that were computed
  /// in single precision.
  static func frequencies(_ settings: RotarySettings) -> Formula {
    let frequencies = settings.frequencies(length: 1)
    return Formula("holds the frequencies of rotary positions and is computed", tolerance: 1e-6) {
      frequencies.inverse[$0]
    }
  }
}
