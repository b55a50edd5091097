import Kernels

/// A small, fixed generator of pseudo-random numbers, so that the built-in probe is the same
/// everywhere and always.
///
/// SplitMix64: Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", 2014, fig. 16.
struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}

/// The seed of the built-in probe.
public let probeSeed: UInt64 = 0x7466_6B69_74  // "tfkit"

/// Builds the arrays of a probe.
struct ProbeMaker {
  private var generator = SplitMix64(seed: probeSeed)

  /// Random ids below `limit`.
  mutating func ids(batch: Int, length: Int, below limit: Int) -> NDArray<Int> {
    let elements = (0..<batch * length).map { _ in Int.random(in: 0..<limit, using: &generator) }
    return NDArray(shape: [batch, length], elements: elements)
  }

  /// Runs of ids 0, 1, …, so that every type occurs, and a type beside each other.
  func segments(batch: Int, length: Int, types: Int) -> NDArray<Int> {
    let elements = (0..<batch * length).map { index in
      let (row, position) = (index / length, index % length)
      return (position * types / length + row) % types
    }
    return NDArray(shape: [batch, length], elements: elements)
  }

  /// All ones in the first row; in the others the last part is padding, more with every row.
  func mask(batch: Int, length: Int) -> NDArray<Int> {
    let elements = (0..<batch * length).map { index in
      let (row, position) = (index / length, index % length)
      return position < max(1, length - length * row / batch) ? 1 : 0
    }
    return NDArray(shape: [batch, length], elements: elements)
  }
}
